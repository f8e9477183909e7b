from datetime import UTC, datetime

import pytest

from tests.factories.subscriptions import go_to
from tests.payments.conftest import gateway as gateway


@pytest.fixture
def noon(app):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))
