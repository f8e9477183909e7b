from tests.payments.conftest import gateway as gateway
