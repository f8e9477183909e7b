"""Where a bank lets in another sum than the amount: at PortOne's double, end to end."""

import secrets
import urllib.error
from datetime import timedelta

import pytest

from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.kernel.db import transaction
from opsapp.kernel.money import Money
from opsapp.payments import charging, requesting
from opsapp.payments.requesting import PaymentOrder, request_payments
from tests.factories import accounts, payments as make
from tests.factories.accounts import AMOUNT
from tests.factories.payments import BY
from tests.factories.subscriptions import pass_time
from tests.fakes.servers import PortOneControls, portone_double

WAITS = ("waiting", "awaiting_deposit", 0)
PAID = ("succeeded", "paid", AMOUNT)
LONGER_THAN_ANY_ACCOUNT = timedelta(days=15)


@pytest.fixture(scope="module")
def double_url():
    with portone_double() as url:
        yield url


@pytest.fixture
def settings(settings, double_url):
    """A merchant of its own at the double."""
    values = {
        "portone_url": double_url,
        "portone_secret": secrets.token_hex(8),
        "portone_store_id": "store-test",
        "portone_channels": "virtual_account=channel-1",
    }
    return type(settings)(**(settings.model_dump() | values))


@pytest.fixture
def bank(settings):
    return PortOneControls(settings.portone_url, settings.portone_secret.get_secret_value())


def issue():
    customer_id = make.make_customer()
    with transaction():
        wish = NewMethod(customer_id, "virtual_account", gateway_name="portone")
        [method_id] = add_methods([wish], by=BY)
    order = PaymentOrder(
        "order", customer_id, customer_id, method_id, "책상 의자", Money(AMOUNT, "KRW")
    )
    with transaction():
        [payment_id] = request_payments([order], by=BY).values()
    account = accounts.issue_for(payment_id)
    assert accounts.stands(account) == WAITS
    return account


def test_a_short_sum_waits_and_the_rest_pays(app, bank):
    account = issue()
    bank.deposit(account.order_id, 20_000)
    accounts.look(account)
    assert accounts.stands(account) == WAITS
    assert accounts.violations() == {}
    bank.deposit(account.order_id, AMOUNT - 20_000)
    accounts.look(account)
    assert accounts.stands(account) == PAID
    assert (accounts.arrived(account), accounts.cases(account)) == ([20_000, 30_000], [])
    assert accounts.violations() == {}


def test_a_short_sum_at_the_deadline_becomes_a_case(app, bank):
    account = issue()
    bank.deposit(account.order_id, 20_000)
    accounts.look(account)
    pass_time(LONGER_THAN_ANY_ACCOUNT)
    for _ in range(3):
        accounts.look(account)
    assert accounts.stands(account) == ("declined", "failed", 0)
    assert accounts.cases(account) == [("short", 20_000, "open")]
    assert accounts.violations() == {}


def test_more_than_the_amount_pays_and_the_rest_becomes_a_case(app, bank):
    account = issue()
    bank.deposit(account.order_id, AMOUNT + 5_000)
    accounts.look(account)
    assert accounts.stands(account) == PAID
    assert accounts.arrived(account) == [AMOUNT + 5_000]
    assert accounts.cases(account) == [("over", 5_000, "open")]
    assert accounts.open_tickets() == ["unmatched_money"]
    assert accounts.violations() == {}


def test_an_account_past_its_deadline_is_closed_by_us_where_the_gateway_keeps_it_open(app, bank):
    account = issue()
    pass_time(LONGER_THAN_ANY_ACCOUNT)
    charging.execute_attempts([account.attempt_id], by=BY)
    assert accounts.stands(account) == ("declined", "failed", 0)
    with pytest.raises(urllib.error.HTTPError):
        bank.deposit(account.order_id, AMOUNT)
    assert accounts.violations() == {}


def test_part_of_the_amount_in_an_account_that_was_given_up_is_returned(app, bank):
    account = issue()
    bank.deposit(account.order_id, 20_000)
    with transaction():
        requesting.withdraw([account.payment_id], because="the order was cancelled", by=BY)
    for _ in range(3):
        accounts.look(account)
    assert accounts.stands(account) == ("declined", "cancelled", 0)
    assert accounts.cases(account) == [("after_cancel", 20_000, "open")]
    assert accounts.violations() == {}
