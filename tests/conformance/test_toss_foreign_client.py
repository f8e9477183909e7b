"""python-tosspayments 1.1.0, written by someone else for the real gateway, unmodified.

What it and our own adapter see of the same payments must agree.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tosspayments.main import TossPayments

from opsapp.gateways.values import Flow, Outcome
from opsapp.kernel.money import Money
from tests.conformance.toss import WON, Till, fresh, opened

RAW_CARD = {
    "cardNumber": "4330123412341234",
    "cardExpirationYear": "99",
    "cardExpirationMonth": "07",
    "cardPassword": "12",
    "customerIdentityNumber": "881212",
}


@pytest.fixture(scope="module")
def till(sandbox_url: str) -> Iterator[Till]:
    """Our adapter, for the merchant that the foreign client is too."""
    with opened(sandbox_url) as till:
        yield till


@pytest.fixture
def foreign(till: Till) -> TossPayments:
    client = TossPayments(till.secret_key)
    # Its host is a private attribute without a setter.
    client._TossPayments__base_url = till.controls.url + "/"
    return client


@pytest.fixture
def order() -> str:
    return fresh("foreign")


def confirmed(till: Till, foreign: TossPayments, order: str, **wish: object) -> dict[str, Any]:
    key = till.authenticate(order, **wish)
    payment: dict[str, Any] = foreign.confirm(key, order, WON.minor, f"confirm:{order}")
    return payment


def test_it_confirms_a_payment_and_reads_it_both_ways(
    till: Till, foreign: TossPayments, order: str
) -> None:
    payment = confirmed(till, foreign, order)
    assert (payment["status"], payment["method"]) == ("DONE", "카드")
    assert foreign.get_payment_by_payment_key(payment["paymentKey"]) == payment
    assert foreign.get_payment_by_order_id(order) == payment


@pytest.mark.parametrize(
    ("method", "korean"),
    [("TRANSFER", "계좌이체"), ("EASY_PAY", "간편결제"), ("MOBILE_PHONE", "휴대폰")],
)
def test_it_confirms_each_method(
    till: Till, foreign: TossPayments, order: str, method: str, korean: str
) -> None:
    payment = confirmed(till, foreign, order, method=method)
    assert (payment["status"], payment["method"]) == ("DONE", korean)
    assert till.inquire(order).outcome is Outcome.APPROVED


def test_confirming_again_under_the_same_key_charges_once(
    till: Till, foreign: TossPayments, order: str
) -> None:
    payment = confirmed(till, foreign, order)
    again = foreign.confirm(payment["paymentKey"], order, WON.minor, f"confirm:{order}")
    assert again == payment
    assert len(till.controls.payments(order)) == 1


def test_what_it_paid_our_adapter_finds(till: Till, foreign: TossPayments, order: str) -> None:
    payment = confirmed(till, foreign, order)
    answer = till.inquire(order)
    assert (answer.outcome, answer.amount) == (Outcome.APPROVED, WON)
    assert answer.gateway_key == payment["paymentKey"]
    assert answer.approval_number == payment["card"]["approveNo"]


def test_a_part_it_cancels_under_one_key_is_given_back_once(
    till: Till, foreign: TossPayments, order: str
) -> None:
    payment = confirmed(till, foreign, order)
    wish = {"cancelReason": "고객 변심", "cancelAmount": 5000}
    cancelled = foreign.cancel(payment["paymentKey"], wish, f"cancel:{order}")
    assert foreign.cancel(payment["paymentKey"], wish, f"cancel:{order}") == cancelled
    assert cancelled["balanceAmount"] == WON.minor - 5000
    assert till.inquire(order).refunded == Money(5000, "KRW")


def test_what_our_adapter_refunds_it_sees_cancelled(
    till: Till, foreign: TossPayments, order: str
) -> None:
    payment = confirmed(till, foreign, order)
    assert till.refund(payment["paymentKey"], WON.minor).outcome is Outcome.APPROVED
    seen = foreign.get_payment_by_order_id(order)
    assert (seen["status"], seen["balanceAmount"]) == ("CANCELED", 0)


def test_it_issues_a_billing_key_from_a_card_and_charges_it(
    till: Till, foreign: TossPayments, order: str
) -> None:
    billing = foreign.create_billing_key({"customerKey": till.customer_key} | RAW_CARD)
    assert billing["cardNumber"] == "43301234****123*"
    wish = {
        "amount": 4900,
        "customerKey": till.customer_key,
        "orderId": order,
        "orderName": "구독",
    }
    payment = foreign.pay_with_billing_key(billing["billingKey"], wish)
    assert (payment["type"], payment["status"]) == ("BILLING", "DONE")
    rows = foreign.get_transaction("2020-01-01T00:00:00", "2099-12-31T23:59:59")
    assert order in [row["orderId"] for row in rows]


def test_a_billing_key_of_its_making_is_charged_by_our_adapter(
    till: Till, foreign: TossPayments, order: str
) -> None:
    billing = foreign.create_billing_key({"customerKey": till.customer_key} | RAW_CARD)
    answer = till.charge(Flow.BILLING, order, billing_key=billing["billingKey"])
    assert answer.outcome is Outcome.APPROVED
    assert foreign.get_payment_by_order_id(order)["paymentKey"] == answer.gateway_key


def test_it_reads_our_errors(foreign: TossPayments) -> None:
    with pytest.raises(foreign._TossPayments__HttpError) as raised:
        foreign.get_payment_by_order_id("never-seen")
    assert (raised.value.code, raised.value.error_type) == (404, "NOT_FOUND_PAYMENT")
