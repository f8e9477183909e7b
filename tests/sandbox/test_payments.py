"""Confirm, read and cancel: the states of a payment and the vendor's traps."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sandbox.conftest import Shop

# Every field of the Payment object (docs.tosspayments.com).
FIELDS = {
    "version", "paymentKey", "type", "orderId", "orderName", "mId", "currency", "method",
    "totalAmount", "balanceAmount", "status", "requestedAt", "approvedAt", "useEscrow",
    "lastTransactionKey", "suppliedAmount", "vat", "cultureExpense", "taxFreeAmount",
    "taxExemptionAmount", "cancels", "isPartialCancelable", "card", "virtualAccount", "secret",
    "mobilePhone", "giftCertificate", "transfer", "metadata", "receipt", "checkout", "easyPay",
    "country", "failure", "cashReceipt", "cashReceipts", "discount",
}  # fmt: skip


def confirm(shop: Shop, key: str, order_id: str, amount: int = 15_000) -> Any:
    body = {"paymentKey": key, "orderId": order_id, "amount": amount}
    return shop.post("payments/confirm", body).json()


def cancel(shop: Shop, payment: dict[str, Any], **wish: object) -> tuple[int, dict[str, Any]]:
    body = {"cancelReason": "고객 변심"} | wish
    answer = shop.post(f"payments/{payment['paymentKey']}/cancel", body)
    return answer.status_code, answer.json()


def test_a_confirmed_payment_has_every_field_of_the_object(shop: Shop) -> None:
    payment = shop.paid("fields-01", amount=11_000, taxFreeAmount=1000)
    assert {
        "version": "2022-11-16",
        "type": "NORMAL",
        "currency": "KRW",
        "country": "KR",
        "method": "카드",
        "status": "DONE",
        "totalAmount": 11_000,
        "balanceAmount": 11_000,
        "taxFreeAmount": 1000,
        "vat": 909,
        "suppliedAmount": 9091,
        "isPartialCancelable": True,
        "cancels": None,
        "failure": None,
    }.items() <= payment.items()
    assert set(payment) == FIELDS
    assert payment["approvedAt"].endswith("+09:00")
    assert payment["card"]["amount"] == 11_000
    assert "****" in payment["card"]["number"]
    assert payment["receipt"]["url"].startswith("https://")
    assert len(payment["paymentKey"]) <= 200
    assert len(payment["mId"]) <= 14
    assert len(payment["secret"]) <= 50
    assert len(payment["lastTransactionKey"]) <= 64


@pytest.mark.parametrize(
    ("method", "korean", "part"),
    [
        ("TRANSFER", "계좌이체", "transfer"),
        ("MOBILE_PHONE", "휴대폰", "mobilePhone"),
        ("EASY_PAY", "간편결제", "easyPay"),
        ("CULTURE_GIFT_CERTIFICATE", "문화상품권", "giftCertificate"),
    ],
)
def test_each_method_fills_its_own_part(shop: Shop, method: str, korean: str, part: str) -> None:
    payment = shop.paid("methods-1", method=method)
    assert payment["method"] == korean
    assert payment[part] is not None


def test_a_wallet_splits_the_sum_between_card_money_and_points(shop: Shop) -> None:
    payment = shop.paid("wallet-1", method="EASY_PAY", walletMoney=4000, walletPoints=1000)
    assert payment["card"]["amount"] == 10_000
    assert (payment["easyPay"]["amount"], payment["easyPay"]["discountAmount"]) == (4000, 1000)


def test_confirming_again_is_already_processed(shop: Shop) -> None:
    payment = shop.paid("again-01")
    assert confirm(shop, payment["paymentKey"], "again-01")["code"] == "ALREADY_PROCESSED_PAYMENT"


def test_a_second_window_for_a_paid_order_is_a_duplicate(shop: Shop) -> None:
    payment = shop.paid("twice-01")
    second = shop.authenticated("twice-01")
    assert confirm(shop, second, "twice-01")["code"] == "DUPLICATED_ORDER_ID"
    assert shop.get("payments/orders/twice-01").json() == payment


def test_a_session_ends_after_ten_minutes(shop: Shop) -> None:
    key = shop.authenticated("expire-1")
    shop.sandbox.control("PUT", "clock", {"offset_s": 601})
    assert confirm(shop, key, "expire-1")["code"] == "NOT_FOUND_PAYMENT_SESSION"
    expired = shop.get(f"payments/{key}").json()
    assert (expired["status"], expired["failure"]["code"]) == ("EXPIRED", "EXPIRED_PAYMENT")
    assert expired["method"] is None


def test_a_session_lives_for_ten_minutes(shop: Shop) -> None:
    key = shop.authenticated("expire-2")
    shop.sandbox.control("PUT", "clock", {"offset_s": 595})
    assert confirm(shop, key, "expire-2")["status"] == "DONE"


def test_an_unknown_key_has_no_session(shop: Shop) -> None:
    assert confirm(shop, "no-such-key", "unknown-1")["code"] == "NOT_FOUND_PAYMENT_SESSION"


@pytest.mark.parametrize(("order_id", "amount"), [("compare-1", 14_999), ("compare-2", 15_000)])
def test_order_and_amount_must_be_those_of_the_window(
    shop: Shop, order_id: str, amount: int
) -> None:
    key = shop.authenticated("compare-1")
    assert confirm(shop, key, order_id, amount)["code"] == "INVALID_REQUEST"
    assert confirm(shop, key, "compare-1")["status"] == "DONE"


def test_a_window_can_fail(shop: Shop) -> None:
    key = shop.authenticated("window-1", fails_with="PAY_PROCESS_CANCELED")
    assert shop.get(f"payments/{key}").json()["status"] == "ABORTED"
    assert confirm(shop, key, "window-1")["code"] == "NOT_FOUND_PAYMENT_SESSION"


def test_a_payment_of_no_merchant_belongs_to_the_first_that_names_it(shop: Shop) -> None:
    wish = {"orderId": "nobody-1", "amount": 15_000}
    key = shop.sandbox.control("POST", "authentications", wish)["paymentKey"]
    assert shop.get("payments/orders/nobody-1").json()["status"] == "IN_PROGRESS"
    assert confirm(shop, key, "nobody-1")["status"] == "DONE"
    listed = shop.sandbox.control("GET", "payments")
    assert [payment["paymentKey"] for payment in listed].count(key) == 1


def test_one_whole_cancel_is_canceled_and_a_second_is_already_canceled(shop: Shop) -> None:
    payment = shop.paid("cancel-1")
    status, cancelled = cancel(shop, payment)
    assert (status, cancelled["status"], cancelled["balanceAmount"]) == (200, "CANCELED", 0)
    assert (cancelled["vat"], cancelled["suppliedAmount"]) == (0, 0)
    assert cancelled["lastTransactionKey"] == cancelled["cancels"][0]["transactionKey"]
    status, refused = cancel(shop, payment)
    assert (status, refused["code"]) == (400, "ALREADY_CANCELED_PAYMENT")


def test_cancelled_in_parts_down_to_nothing_stays_partial(shop: Shop) -> None:
    payment = shop.paid("cancel-2")
    for amount, left in ((5000, 10_000), (4000, 6000), (6000, 0)):
        status, cancelled = cancel(shop, payment, cancelAmount=amount)
        assert (status, cancelled["status"]) == (200, "PARTIAL_CANCELED")
        assert cancelled["balanceAmount"] == left
        assert cancelled["cancels"][-1]["refundableAmount"] == left
    status, refused = cancel(shop, payment)
    assert (status, refused["code"]) == (403, "NOT_CANCELABLE_AMOUNT")
    status, refused = cancel(shop, payment, cancelAmount=1)
    assert (status, refused["code"]) == (403, "NOT_CANCELABLE_AMOUNT")


def test_more_than_the_balance_cannot_be_cancelled(shop: Shop) -> None:
    payment = shop.paid("cancel-3")
    assert cancel(shop, payment, cancelAmount=15_001)[1]["code"] == "NOT_CANCELABLE_AMOUNT"
    assert cancel(shop, payment, cancelAmount=0)[1]["code"] == "INVALID_REFUND_AMOUNT"
    assert cancel(shop, payment, cancelAmount=-5)[1]["code"] == "INVALID_REFUND_AMOUNT"


def test_the_refundable_amount_is_an_optimistic_lock(shop: Shop) -> None:
    payment = shop.paid("cancel-4")
    with ThreadPoolExecutor(8) as pool:
        wish = {"cancelAmount": 1000, "refundableAmount": 15_000}
        answers = list(pool.map(lambda _: cancel(shop, payment, **wish), range(8)))
    codes = sorted(body.get("code", "done") for _, body in answers)
    assert codes == ["NOT_MATCHES_REFUNDABLE_AMOUNT"] * 7 + ["done"]
    read = shop.get(f"payments/{payment['paymentKey']}").json()
    assert read["balanceAmount"] == 14_000


def test_a_tax_exempt_payment_cannot_be_cancelled_in_part(shop: Shop) -> None:
    payment = shop.paid("cancel-5", taxExemptionAmount=1000)
    assert payment["isPartialCancelable"] is False
    assert cancel(shop, payment, cancelAmount=1000)[1]["code"] == "NOT_ALLOWED_PARTIAL_REFUND"
    assert cancel(shop, payment)[0] == 200


def test_an_unconfirmed_payment_cannot_be_cancelled(shop: Shop) -> None:
    key = shop.authenticated("cancel-6")
    assert cancel(shop, {"paymentKey": key})[1]["code"] == "NOT_CANCELABLE_PAYMENT"


def test_a_cancel_needs_a_reason(shop: Shop) -> None:
    payment = shop.paid("cancel-7")
    answer = shop.post(f"payments/{payment['paymentKey']}/cancel", {})
    assert answer.json()["code"] == "INVALID_REQUIRED_PARAM"
    assert cancel(shop, payment, cancelReason="x" * 201)[1]["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"orderId": "short"}, "INVALID_ORDER_ID"),
        ({"orderId": "o" * 65}, "INVALID_ORDER_ID"),
        ({"orderId": "주문번호-1234"}, "INVALID_ORDER_ID"),
        ({"orderId": "order-1\n"}, "INVALID_ORDER_ID"),
        ({"orderId": None}, "INVALID_REQUIRED_PARAM"),
        ({"orderName": "x" * 101}, "INVALID_ORDER_NAME"),
        ({"customerKey": "x"}, "INVALID_CUSTOMER_KEY"),
        ({"customerKey": "x" * 301}, "INVALID_CUSTOMER_KEY"),
        ({"customerKey": "a b"}, "INVALID_CUSTOMER_KEY"),
        ({"customerKey": "another"}, "NOT_MATCHES_CUSTOMER_KEY"),
        ({"amount": None}, "REQUIRED_AMOUNT"),
        ({"amount": 0}, "BELOW_ZERO_AMOUNT"),
        ({"amount": 99}, "BELOW_MINIMUM_AMOUNT"),
        ({"amount": 10**13}, "EXCEED_MAX_AMOUNT"),
        ({"amount": 100.5}, "INVALID_REQUEST"),
        ({"amount": "9900"}, "INVALID_REQUEST"),
        ({"amount": True}, "INVALID_REQUEST"),
        ({"taxFreeAmount": 9901}, "INVALID_REQUEST"),
        ({"customerEmail": "nobody"}, "INVALID_EMAIL"),
        ({"metadata": {str(n): "x" for n in range(6)}}, "INVALID_REQUEST"),
        ({"cardInstallmentPlan": 13}, "INVALID_CARD_INSTALLMENT_PLAN"),
        ({"cardInstallmentPlan": 3}, "NOT_ALLOWED_INSTALLMENT_BELOW_AMOUNT"),
    ],
)
def test_a_bad_field_is_refused_with_the_vendors_code(
    shop: Shop, change: dict[str, object], code: str
) -> None:
    body = {
        "amount": 9900,
        "customerKey": "customer-1",
        "orderId": "validate-1",
        "orderName": "구독",
    }
    answer = shop.post(f"billing/{shop.billing_key()}", body | change)
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert shop.get("payments/orders/validate-1").status_code == 404


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"installmentPlanMonths": 1}, "INVALID_CARD_INSTALLMENT_PLAN"),
        ({"installmentPlanMonths": 13}, "INVALID_CARD_INSTALLMENT_PLAN"),
        ({"installmentPlanMonths": 3, "amount": 49_999}, "NOT_ALLOWED_INSTALLMENT_BELOW_AMOUNT"),
        ({"method": "TRANSFER", "bank": "99"}, "INVALID_BANK"),
    ],
)
def test_a_window_takes_only_what_its_method_allows(
    shop: Shop, wish: dict[str, object], code: str
) -> None:
    body = {"orderId": "choice-1", "amount": 60_000} | wish
    answer = shop.client.post("/_sandbox/authentications", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_mobile_payment_is_cancelled_whole(shop: Shop) -> None:
    payment = shop.paid("mobile-1", method="MOBILE_PHONE")
    assert payment["isPartialCancelable"] is False
    assert cancel(shop, payment, cancelAmount=1)[1]["code"] == "NOT_ALLOWED_PARTIAL_REFUND"
    assert cancel(shop, payment)[1]["status"] == "CANCELED"


def test_a_mobile_payment_is_cancelled_in_the_month_it_was_made_in(shop: Shop) -> None:
    shop.sandbox.control("PUT", "clock", {"now": "2030-01-31T23:50:00+09:00"})
    first, second = (shop.paid(f"month-{n}", method="MOBILE_PHONE") for n in (1, 2))
    assert cancel(shop, first)[0] == 200
    shop.sandbox.control("PUT", "clock", {"now": "2030-02-01T00:00:01+09:00"})
    status, refused = cancel(shop, second)
    assert (status, refused["code"]) == (403, "EXCEED_MAX_REFUND_DUE")
