from tests.payments.conftest import gateway

__all__ = ["gateway"]
