"""Objects of the PortOne V2 API (Payment, BillingKeyInfo, CashReceipt) as plain values.

Read carefully and believed only as far as they can be read: an amount that is no whole, positive
number, or a text that no column can hold, makes the answer an unknown outcome. Unknown fields are
ignored.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from opsapp.gateways import failures
from opsapp.gateways.portone_names import (
    BANK_CODES,
    METHOD_KINDS,
    OWN_SOURCE,
    source_of,
)
from opsapp.gateways.values import (
    Account,
    Answer,
    BillingKey,
    CashReceipt,
    FailureClass,
    GatewayTransaction,
    Outcome,
    RefundRequest,
)
from opsapp.kernel.money import BIGINT_MAX, Money

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
TEXT_LENGTH_MAX = 200
# Ends that PortOne shows as a status and gives no code of its own.
PAYMENT_FAILED = "PAYMENT_FAILED"
DEPOSIT_CANCELLED = "DEPOSIT_CANCELLED"
CANCELLATION_FAILED = "CANCELLATION_FAILED"
ANOTHER_CUSTOMER = "BILLING_KEY_OF_ANOTHER_CUSTOMER"
_RECEIPT_STATUSES = {"ISSUED": "issued", "CANCELLED": "cancelled", "ISSUE_FAILED": "failed"}
_PAID = ("PAID", "PARTIAL_CANCELLED")


def understand_payment(payment: Any, *, payment_id: str) -> Answer:
    """A Payment as an inquiry shows it; one that is not `payment_id` is no answer at all."""
    try:
        if payment["id"] != payment_id:
            return Answer(Outcome.UNKNOWN, "the answer is about another payment")
        return _understand_payment(payment)
    except UNREADABLE as trouble:
        return _unreadable("Payment", trouble)


def understand_error(status: int, body: Any, *, provider: str) -> Answer:
    """The meaning of an error, by the code of the gateway behind PortOne, then PortOne's own."""
    read = body if isinstance(body, Mapping) else {}
    own, behind = _text(read.get("type")), _text(read.get("pgCode"))
    if own is None:
        return Answer(Outcome.UNKNOWN, f"HTTP {status} without a code")
    return _classify(own, behind, source_of(provider))


def understand_cancel(body: Any, request: RefundRequest) -> Answer:
    """The cancellation that answers a cancel; it names no currency, so ours is meant."""
    try:
        cancellation = body["cancellation"]
        status, transaction_key = cancellation["status"], _required(cancellation["id"])
        if status == "FAILED":
            return _ended(CANCELLATION_FAILED, "the cancel failed at the gateway")
        if status != "SUCCEEDED":
            because = "the cancel is still in progress"
            return Answer(Outcome.UNKNOWN, because, code=_text(status))
        return Answer(
            Outcome.APPROVED,
            "refunded by the gateway",
            gateway_key=request.gateway_key,
            amount=_money(cancellation["totalAmount"], request.amount.currency),
            receipt_url=_url(cancellation.get("receiptUrl")),
            transaction_key=transaction_key,
        )
    except UNREADABLE as trouble:
        return _unreadable("cancellation", trouble)


def understand_billing_key(info: Any, *, billing_key: str, customer_key: str) -> Answer:
    """A billing key that the browser handed over: it must be alive and of this very customer."""
    try:
        if info["billingKey"] != billing_key:
            return Answer(Outcome.UNKNOWN, "the answer is about another billing key")
        if info["status"] == "DELETED":
            return failures.classify([(OWN_SOURCE, "BILLING_KEY_ALREADY_DELETED")])
        if info["status"] != "ISSUED":
            return Answer(Outcome.UNKNOWN, "the billing key is in no known state")
        if info["customer"].get("id") != customer_key:
            return _ended(ANOTHER_CUSTOMER, "the billing key is not this customer's")
        method = (info.get("methods") or [{}])[0]
        return Answer(
            Outcome.APPROVED, "billing key issued", billing_key=_billing_key(billing_key, method)
        )
    except UNREADABLE as trouble:
        return _unreadable("billing key", trouble)


def understand_receipt(receipt: Any, *, receipt_key: str) -> Answer:
    """A CashReceipt, or the summary that answers its issue. PortOne names it by the payment."""
    try:
        status = _RECEIPT_STATUSES[receipt.get("status", "ISSUED")]
        number = receipt.get("issueNumber")
        found = CashReceipt(
            receipt_key=receipt_key,
            status=status,
            issue_number=None if status == "failed" else _required(number),
            receipt_url=_url(receipt.get("url")),
        )
        return Answer(Outcome.APPROVED, status, cash_receipt=found)
    except UNREADABLE as trouble:
        return _unreadable("cash receipt", trouble)


def is_receipt_over(receipt: Any, amount: Money) -> bool:
    """Whether the receipt is over this very amount."""
    try:
        return _money(receipt["amount"], receipt["currency"]) == amount
    except UNREADABLE:
        return False


def understand_event(event: Mapping[str, Any]) -> GatewayTransaction:
    """One row of the payment events. Raises one of UNREADABLE."""
    is_cancel = {"PAID": False, "PARTIAL_CANCELLED": True, "CANCELLED": True}[event["type"]]
    named = (event.get("cancellation") or event)["id"] if is_cancel else event["transactionId"]
    amount = _money(abs(event["eventAmount"]), event["currency"])
    return GatewayTransaction(
        gateway_order_id=_required(event["paymentId"]),
        gateway_key=_required(event["paymentId"]),
        transaction_key=_required(named),
        amount=Money(-amount.minor if is_cancel else amount.minor, amount.currency),
        at=_moment(event["createdAt"]),
    )


def _understand_payment(payment: Mapping[str, Any]) -> Answer:
    status = payment["status"]
    if status in _PAID or (status == "CANCELLED" and payment.get("paidAt")):
        return _approved(payment)
    if status == "VIRTUAL_ACCOUNT_ISSUED":
        return _understand_account(payment)
    if status == "CANCELLED":
        ended = _ended(DEPOSIT_CANCELLED, "cancelled before the deposit")
        return replace(ended, **_deposit(payment, payment.get("method") or {}))
    if status == "FAILED":
        return _understand_failure(payment)
    # READY: nobody has agreed yet. PENDING (PAY_PENDING): another company is at it. The status
    # stands as the code, so that it is seen to be the word of a gateway that is well.
    outcome = Outcome.IN_PROGRESS if status == "READY" else Outcome.UNKNOWN
    named = _text(status)
    return Answer(outcome, f"in progress at the gateway ({named})", code=named)


def _approved(payment: Mapping[str, Any]) -> Answer:
    method = payment.get("method") or {}
    return Answer(
        Outcome.APPROVED,
        "approved by the gateway",
        gateway_key=payment["id"],
        amount=_money(payment["amount"]["total"], payment["currency"]),
        refunded=_refunded(payment),
        method_kind=METHOD_KINDS.get(method.get("type", "")),
        paid_with=_paid_with(method, payment["amount"]),
        approval_number=_text(_card_part(method).get("approvalNumber")),
        receipt_url=_url(payment.get("receiptUrl")),
        **_deposit(payment, method),
    )


def _understand_account(payment: Mapping[str, Any]) -> Answer:
    """PortOne shows no "expired": who waits for the deposit closes the account at its time."""
    method = payment["method"]
    return Answer(
        Outcome.PENDING,
        "waiting for the deposit",
        gateway_key=payment["id"],
        method_kind="virtual_account",
        account=Account(
            bank=BANK_CODES.get(method.get("bank")) or _text(method.get("bank")) or "",
            number=_required(method["accountNumber"]),
            due_at=_moment(method["expiredAt"]),
            secret=None,
            is_expired=False,
        ),
        **_deposit(payment, method),
    )


def _understand_failure(payment: Mapping[str, Any]) -> Answer:
    """A failed payment took no money, also where the same code as an answer leaves that open."""
    behind = _text((payment.get("failure") or {}).get("pgCode"))
    if behind is None:
        return _ended(PAYMENT_FAILED, "failed at the gateway, which gives no code")
    source = source_of(_text((payment.get("channel") or {}).get("pgProvider")) or "")
    answer = failures.classify([(source, behind), (OWN_SOURCE, behind)])
    if answer.unmapped_source is not None or answer.outcome is Outcome.CONFLICT:
        return answer
    return replace(answer, outcome=Outcome.DECLINED)


def _classify(own: str, behind: str | None, source: str) -> Answer:
    """A code behind PortOne that is in no table is named for review, whatever the type says."""
    if behind is None:
        return failures.classify([(OWN_SOURCE, own)])
    if failures.look_up(source, behind) is None:
        answer = failures.classify([(OWN_SOURCE, own)])
        return replace(answer, outcome=Outcome.UNKNOWN, code=behind, unmapped_source=source)
    return failures.classify([(source, behind)])


def _deposit(payment: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, Any]:
    """What has arrived on a virtual account. PortOne names no deposits: total and time do."""
    if METHOD_KINDS.get(method.get("type", "")) != "virtual_account":
        return {}
    paid = _money(payment["amount"]["paid"], payment["currency"])
    named = f"{payment['transactionId']}:{paid.minor}:{payment.get('paidAt') or ''}"
    return {
        "deposited": paid,
        "deposit_key": _required(named) if paid.minor else None,
        "depositor": _text(method.get("remitterName")),
    }


def _refunded(payment: Mapping[str, Any]) -> Money:
    """Only what has been given back: a cancel that is asked for or has failed does not count."""
    if (cancellations := payment.get("cancellations")) is None:
        return _money(payment["amount"]["cancelled"], payment["currency"])
    done = [each["totalAmount"] for each in cancellations if each["status"] == "SUCCEEDED"]
    return _money(
        sum(_money(amount, payment["currency"]).minor for amount in done), payment["currency"]
    )


def _paid_with(method: Mapping[str, Any], amount: Mapping[str, Any]) -> dict[str, Any]:
    """`discount` of a wallet is what its points and coupons paid."""
    part = _card_part(method)
    card = part.get("card") or {}
    found: dict[str, Any] = {
        "provider": _text(method.get("provider")),
        "issuer": _text(card.get("issuer")) or _text(part.get("bank")),
        "number": _text(card.get("number")),
        "instalment_months": _count((part.get("installment") or {}).get("month")),
    }
    if METHOD_KINDS.get(method.get("type", "")) == "easy_pay":
        by_card = part.get("type") == "PaymentMethodCard"
        found["card_minor" if by_card else "money_minor"] = _count(amount.get("paid"))
        found["points_minor"] = _count(amount.get("discount"))
    return {name: value for name, value in found.items() if value is not None}


def _card_part(method: Mapping[str, Any]) -> Mapping[str, Any]:
    """A wallet's payment holds what was paid with inside it."""
    inner: Mapping[str, Any] = method.get("easyPayMethod") or method
    return inner


def _billing_key(billing_key: str, method: Mapping[str, Any]) -> BillingKey:
    part = method.get("method") or method
    card = part.get("card") or {}
    number = str(card.get("number") or part.get("accountNumber") or "")
    first6 = str(card.get("bin") or "")[:6]
    label = card.get("issuer") or method.get("provider") or part.get("bank")
    return BillingKey(
        billing_key=billing_key,
        label=_text(label) or "PortOne",
        first6=first6 if len(first6) == 6 and first6.isascii() and first6.isdigit() else None,
        last4=_text(number[-4:]) if len(number) >= 4 else None,
    )


def _ended(code: str, because: str) -> Answer:
    """Over without money, and without a code of the failure table."""
    own_class = FailureClass.GATEWAY if code == CANCELLATION_FAILED else FailureClass.AUTHENTICATION
    return Answer(Outcome.DECLINED, because, code=code, failure_class=own_class, retry_mode="later")


def _money(minor: Any, currency: Any) -> Money:
    """Raises ValueError for what is no whole amount that a column can hold."""
    money = Money(minor, currency)
    if not 0 <= minor <= BIGINT_MAX:
        raise ValueError("an amount below 0, or beyond any column")
    return money


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= BIGINT_MAX else None


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its offset")
    return moment.astimezone(UTC)


def _text(value: Any) -> str | None:
    """A text that a column can hold: no NUL, no half of a character pair."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode(errors="replace").decode().replace("\0", "")[:TEXT_LENGTH_MAX] or None


def _required(value: Any) -> str:
    if (text := _text(value)) is None or text != value:
        raise ValueError("a name that cannot be read")
    return text


def _url(value: Any) -> str | None:
    return _text(value) if isinstance(value, str) and value.startswith("https://") else None


def _unreadable(what: str, trouble: Exception) -> Answer:
    return Answer(Outcome.UNKNOWN, f"the {what} could not be read ({type(trouble).__name__})")
