"""python-tosspayments 1.1.0, written by someone else for the real gateway, unmodified."""

import pytest
from tosspayments.main import TossPayments

from tests.sandbox.conftest import Shop


@pytest.fixture
def foreign(shop: Shop) -> TossPayments:
    client = TossPayments(shop.secret_key)
    # Its host is a private attribute without a setter.
    client._TossPayments__base_url = shop.sandbox.url + "/"
    return client


def test_it_confirms_reads_and_cancels_a_payment(shop: Shop, foreign: TossPayments) -> None:
    key = shop.authenticated("foreign-1", amount=15_000)
    confirmed = foreign.confirm(key, "foreign-1", 15_000, "confirm-key-1")
    assert (confirmed["status"], confirmed["method"]) == ("DONE", "카드")
    assert foreign.get_payment_by_payment_key(key) == confirmed
    assert foreign.get_payment_by_order_id("foreign-1") == confirmed
    wish = {"cancelReason": "고객 변심", "cancelAmount": 5000}
    cancelled = foreign.cancel(key, wish, "cancel-key-1")
    assert foreign.cancel(key, wish, "cancel-key-1") == cancelled
    assert cancelled["balanceAmount"] == 10_000


def test_it_issues_a_billing_key_from_a_card_and_charges_it(
    shop: Shop, foreign: TossPayments
) -> None:
    billing = foreign.create_billing_key(
        {
            "customerKey": "customer-1",
            "cardNumber": "4330123412341234",
            "cardExpirationYear": "99",
            "cardExpirationMonth": "07",
            "cardPassword": "12",
            "customerIdentityNumber": "881212",
        }
    )
    assert billing["cardNumber"] == "43301234****123*"
    payment = foreign.pay_with_billing_key(
        billing["billingKey"],
        {
            "amount": 4900,
            "customerKey": "customer-1",
            "orderId": "foreign-2",
            "orderName": "구독",
        },
    )
    assert (payment["type"], payment["status"]) == ("BILLING", "DONE")
    rows = foreign.get_transaction("2020-01-01T00:00:00", "2099-12-31T23:59:59")
    assert [row["orderId"] for row in rows] == ["foreign-2"]


def test_it_reads_our_errors(foreign: TossPayments) -> None:
    with pytest.raises(foreign._TossPayments__HttpError) as raised:
        foreign.get_payment_by_order_id("never-seen")
    assert (raised.value.code, raised.value.error_type) == (404, "NOT_FOUND_PAYMENT")
