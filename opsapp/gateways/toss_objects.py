"""Objects of the Toss Payments API (Payment, Cancel, Billing, Transaction) as plain values.

Unknown fields are ignored: the vendor adds fields without a new version.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from opsapp.gateways import failures
from opsapp.gateways.base import (
    Account,
    Answer,
    BillingKey,
    FailureClass,
    GatewayTransaction,
    Outcome,
)
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.money import Money

# No deposit in time is no code of the vendor: the account merely shows `expired`.
DEPOSIT_EXPIRED = "DEPOSIT_EXPIRED"
DEPOSIT_CANCELLED = "DEPOSIT_CANCELLED"
NOT_FOUND_CODES = frozenset({"NOT_FOUND_PAYMENT", "NOT_FOUND"})
_CANCEL_STATUSES = ("CANCELED", "PARTIAL_CANCELED")


def understand_payment(payment: Any, *, trace_id: str | None) -> Answer:
    """A Payment, from a charge or an inquiry. "Fully cancelled" is balance 0, not a status."""
    try:
        return _understand_payment(payment, trace_id)
    except (KeyError, TypeError, ValueError, AttributeError) as trouble:
        return _unreadable("Payment", trouble, trace_id)


def understand_cancel(payment: Any, *, trace_id: str | None) -> Answer:
    """The Payment that answers a cancel: its last cancel is the one asked for."""
    try:
        cancel = payment["cancels"][-1]
        if cancel.get("cancelStatus", "DONE") != "DONE":
            return Answer(Outcome.UNKNOWN, "the cancel is still in progress", trace_id=trace_id)
        return Answer(
            Outcome.APPROVED,
            "refunded by the gateway",
            gateway_key=payment["paymentKey"],
            amount=Money(cancel["cancelAmount"], payment["currency"]),
            refunded=_refunded(payment),
            transaction_key=cancel["transactionKey"],
            trace_id=trace_id,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as trouble:
        return _unreadable("cancel", trouble, trace_id)


def understand_billing(billing: Any, *, trace_id: str | None) -> Answer:
    """The Billing object that answers the issue of a billing key."""
    try:
        card = billing.get("card") or {}
        bank = (billing.get("transfers") or [{}])[0]
        number = str(card.get("number") or bank.get("bankAccountNumber") or "")
        issuer = str(billing.get("cardCompany") or bank.get("bankName") or billing["method"])
        return Answer(
            Outcome.APPROVED,
            "billing key issued",
            billing_key=BillingKey(
                billing_key=billing["billingKey"],
                label=issuer,
                first6=number[:6] if card and number[:6].isdigit() else None,
                last4=_last4(number),
            ),
            trace_id=trace_id,
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as trouble:
        return _unreadable("Billing", trouble, trace_id)


def understand_transaction(row: Mapping[str, Any]) -> GatewayTransaction:
    """One row of /v1/transactions; a cancel counts negative whatever sign the vendor gives."""
    sign = -1 if row["status"] in _CANCEL_STATUSES else 1
    return GatewayTransaction(
        gateway_order_id=row["orderId"],
        gateway_key=row["paymentKey"],
        transaction_key=row["transactionKey"],
        amount=Money(sign * abs(row["amount"]), row["currency"]),
        at=_moment(row["transactionAt"]),
    )


def understand_error(status: int, body: Any, trace_id: str | None) -> Answer:
    """The meaning of an error answer, by its code in the failure table."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Answer(Outcome.NOT_SENT, "too many requests", trace_id=trace_id)
    code = str(body.get("code", "")) if isinstance(body, Mapping) else ""
    if status == HTTPStatus.NOT_FOUND and code in NOT_FOUND_CODES:
        return Answer(Outcome.NOT_FOUND, "the gateway does not know it", code=code)
    return classify(code, trace_id=trace_id)


def classify(code: str, *, trace_id: str | None = None) -> Answer:
    """An error code of the API, or of a failed Payment, as an Answer."""
    failure = failures.look_up("toss_api", code)
    if failure is None:
        return Answer(
            Outcome.UNKNOWN, "a code that is not in the table", code=code, trace_id=trace_id
        )
    if failure.failure_class == FailureClass.CONFIGURATION:
        outcome = Outcome.MISCONFIGURED
    else:
        outcome = {"not_charged": Outcome.DECLINED, "query": Outcome.CONFLICT}.get(
            failure.outcome, Outcome.UNKNOWN
        )
    return Answer(
        outcome,
        failure.subclass.replace("_", " "),
        code=code,
        failure_class=failure.failure_class,
        retry_mode=failure.retry_mode,
        trace_id=trace_id,
    )


def _understand_payment(payment: Mapping[str, Any], trace_id: str | None) -> Answer:
    status = payment["status"]
    if status == "DONE" or (status in _CANCEL_STATUSES and payment.get("approvedAt")):
        card = payment.get("card") or {}
        return Answer(
            Outcome.APPROVED,
            "approved by the gateway",
            gateway_key=payment["paymentKey"],
            amount=Money(payment["totalAmount"], payment["currency"]),
            refunded=_refunded(payment),
            approval_number=card.get("approveNo"),
            receipt_url=(payment.get("receipt") or {}).get("url"),
            trace_id=trace_id,
        )
    if status == "WAITING_FOR_DEPOSIT":
        return _understand_account(payment, trace_id)
    if status in ("ABORTED", "EXPIRED"):
        return classify((payment.get("failure") or {}).get("code", status), trace_id=trace_id)
    if status == "CANCELED":
        return _no_deposit(DEPOSIT_CANCELLED, "cancelled before the deposit", trace_id)
    return Answer(Outcome.UNKNOWN, f"in progress at the gateway ({status})", trace_id=trace_id)


def _understand_account(payment: Mapping[str, Any], trace_id: str | None) -> Answer:
    account = payment["virtualAccount"]
    if account.get("expired"):
        return _no_deposit(DEPOSIT_EXPIRED, "no deposit before the deadline", trace_id)
    return Answer(
        Outcome.PENDING,
        "waiting for the deposit",
        gateway_key=payment["paymentKey"],
        account=Account(
            bank=account["bankCode"],
            number=account["accountNumber"],
            due_at=_moment(account["dueDate"]),
            secret=payment.get("secret"),
            is_expired=False,
        ),
        trace_id=trace_id,
    )


def _no_deposit(code: str, because: str, trace_id: str | None) -> Answer:
    return Answer(
        Outcome.DECLINED,
        because,
        code=code,
        failure_class=FailureClass.AUTHENTICATION,
        retry_mode="later",
        trace_id=trace_id,
    )


def _refunded(payment: Mapping[str, Any]) -> Money:
    return Money(payment["totalAmount"] - payment["balanceAmount"], payment["currency"])


def _last4(number: str) -> str | None:
    """The last four as far as the vendor shows them: some masks hide the very last digit."""
    return number[-4:] if len(number) >= 4 else None


def _moment(text: str) -> datetime:
    """The vendor writes some times with +09:00 and some (dueDate) without an offset."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=SEOUL)).astimezone(UTC)


def _unreadable(what: str, trouble: Exception, trace_id: str | None) -> Answer:
    because = f"the {what} could not be read ({type(trouble).__name__})"
    return Answer(Outcome.UNKNOWN, because, trace_id=trace_id)
