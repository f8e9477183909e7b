"""Payment, Cancel and Billing of the Toss Payments API, and its errors, as answers.

Unknown fields are ignored: the vendor adds fields without a new version.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from opsapp.gateways import failures, toss_fields as fields
from opsapp.gateways.http import fault
from opsapp.gateways.toss_fields import METHOD_KINDS, SOURCE, TROUBLE, Unreadable, unreadable
from opsapp.gateways.values import Account, Answer, BillingKey, FailureClass, Outcome
from opsapp.kernel.masking import mask_account, mask_phone
from opsapp.kernel.money import Money

# No deposit in time is no code of the vendor: the account merely shows `expired`.
DEPOSIT_EXPIRED = "DEPOSIT_EXPIRED"
DEPOSIT_CANCELLED = "DEPOSIT_CANCELLED"
CANCEL_ABORTED = "CANCEL_ABORTED"  # an asynchronous cancel that came to nothing
TOO_MANY = "HTTP_429"
NOT_FOUND_CODES = frozenset({"NOT_FOUND_PAYMENT", "NOT_FOUND"})
_GONE_KEY_CODES = frozenset({"NOT_FOUND_BILLING", "ALREADY_REMOVED_BILLING_KEY"})
# What an ended payment without a code of its own means.
_CODES = {"ABORTED": "PAY_PROCESS_ABORTED", "EXPIRED": "EXPIRED_PAYMENT"}
_CANCEL_STATUSES = ("CANCELED", "PARTIAL_CANCELED")
_INSTALMENT_MONTHS_MAX = 60


def understand_payment(
    payment: Any, *, trace_id: str | None, order_id: str, gateway_key: str | None = None
) -> Answer:
    """A Payment, from a charge or an inquiry. "Fully cancelled" is balance 0, not a status.

    Another order's payment is no answer: the vendor's idempotency key does not cover the body.
    """
    try:
        _check_whose(payment, order_id, gateway_key)
        answer = _understand_payment(payment)
        answer.trace_id = trace_id
        return answer
    except TROUBLE as trouble:
        return unreadable("Payment", trouble, trace_id)


def understand_cancel(payment: Any, *, trace_id: str | None, gateway_key: str) -> Answer:
    """The Payment that answers a cancel: its last cancel is the one asked for.

    An asynchronous one gives nothing back while it is IN_PROGRESS, and may end ABORTED.
    """
    try:
        if payment["paymentKey"] != gateway_key:
            raise Unreadable("another payment")
        cancel = fields.parts(payment, "cancels")[-1]
        status = _cancel_status(cancel)
        if status == "IN_PROGRESS":
            because = "the cancel is still in progress"
            return Answer(Outcome.UNKNOWN, because, code=status, trace_id=trace_id)
        if status == "ABORTED":
            return _cancel_aborted(trace_id)
        return Answer(
            Outcome.APPROVED,
            "refunded by the gateway",
            gateway_key=gateway_key,
            amount=fields.money(cancel["cancelAmount"], payment["currency"]),
            refunded=_refunded(payment),
            transaction_key=fields.key(cancel["transactionKey"]),
            trace_id=trace_id,
        )
    except TROUBLE as trouble:
        return unreadable("cancel", trouble, trace_id)


def understand_closing(payment: Any, *, trace_id: str | None, gateway_key: str) -> Answer:
    """The Payment that answers the cancel of an account nothing has been paid into."""
    try:
        if (payment["paymentKey"], payment["status"]) != (gateway_key, "CANCELED"):
            raise Unreadable("not the cancelled payment")
        if payment.get("approvedAt"):
            return _conflict("a deposit had arrived before", None, trace_id)
        return Answer(Outcome.APPROVED, "the account was closed", trace_id=trace_id)
    except TROUBLE as trouble:
        return unreadable("closed account", trouble, trace_id)


def understand_billing(billing: Any, *, trace_id: str | None, customer_key: str) -> Answer:
    """The Billing object that answers the issue of a billing key."""
    try:
        if billing["customerKey"] != customer_key:
            raise Unreadable("another customer's key")
        card = fields.part(billing, "card")
        bank = next(iter(fields.parts(billing, "transfers")), {})
        number = fields.shown(card.get("number") or bank.get("bankAccountNumber")) or ""
        issuer = billing.get("cardCompany") or bank.get("bankName") or billing["method"]
        return Answer(
            Outcome.APPROVED,
            "billing key issued",
            billing_key=BillingKey(
                billing_key=fields.key(billing["billingKey"]),
                label=fields.shown(issuer) or "",
                first6=number[:6] if card and number[:6].isdigit() else None,
                last4=_last4(number),
            ),
            trace_id=trace_id,
        )
    except TROUBLE as trouble:
        return unreadable("Billing", trouble, trace_id)


def understand_deletion(body: Any, *, trace_id: str | None) -> Answer:
    """A deletion is answered with nothing at all."""
    if not isinstance(body, Mapping) or "code" in body:
        return fault("MALFORMED_RESPONSE", "no answer to a deletion", trace_id=trace_id)
    return Answer(Outcome.APPROVED, "the billing key was deleted", trace_id=trace_id)


def understand_refused_deletion(answer: Answer) -> Answer:
    """A key that the gateway does not know is gone, which is what was asked for."""
    if answer.code in _GONE_KEY_CODES:
        return replace(answer, outcome=Outcome.NOT_FOUND, because="the billing key was gone")
    return answer


def understand_error(status: int, body: Any, trace_id: str | None) -> Answer:
    """The meaning of an error answer, by its code in the failure table."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        known = failures.classify([(SOURCE, TOO_MANY)], trace_id=trace_id)
        return replace(known, outcome=Outcome.NOT_SENT, because="too many requests")
    code = fields.code(body.get("code")) if isinstance(body, Mapping) else ""
    if not code:
        kind = "HTTP_5XX_NO_CODE" if status >= 500 else "MALFORMED_RESPONSE"
        return fault(kind, f"an error without a code (HTTP {status})", trace_id=trace_id)
    return failures.classify([(SOURCE, code)], trace_id=trace_id)


def _check_whose(payment: Any, order_id: str, gateway_key: str | None) -> None:
    if payment["orderId"] != order_id:
        raise Unreadable("another order's payment")
    if gateway_key is not None and payment["paymentKey"] != gateway_key:
        raise Unreadable("another payment")


def _understand_payment(payment: Mapping[str, Any]) -> Answer:
    status = payment["status"]
    if status == "DONE" or (status in _CANCEL_STATUSES and payment.get("approvedAt")):
        return _understand_approval(payment)
    if status == "WAITING_FOR_DEPOSIT":
        return _understand_account(payment)
    if status in ("ABORTED", "EXPIRED"):
        code = fields.code(fields.part(payment, "failure").get("code")) or _CODES[status]
        answer = failures.classify([(SOURCE, code)])
        # The payment has ended, so no money moved, whatever the code alone leaves open.
        return answer if answer.unmapped_source else replace(answer, outcome=Outcome.DECLINED)
    if status == "CANCELED":
        return _no_deposit(payment, DEPOSIT_CANCELLED, "cancelled before the deposit")
    if not isinstance(status, str):
        raise Unreadable("no status")
    # READY: opened; IN_PROGRESS: agreed and not confirmed. The status stands as the code, so that
    # it is seen to be the word of a gateway that is well.
    outcome = Outcome.IN_PROGRESS if status in ("READY", "IN_PROGRESS") else Outcome.UNKNOWN
    named = fields.code(status)
    return Answer(outcome, f"in progress at the gateway ({named})", code=named)


def _understand_approval(payment: Mapping[str, Any]) -> Answer:
    amount = fields.money(payment["totalAmount"], payment["currency"])
    answer = Answer(
        Outcome.APPROVED,
        "approved by the gateway",
        gateway_key=fields.key(payment["paymentKey"]),
        amount=amount,
        refunded=_refunded(payment),
        method_kind=_method_kind(payment),
        paid_with=_paid_with(payment),
        approval_number=fields.shown(fields.part(payment, "card").get("approveNo")),
        receipt_url=_url(fields.part(payment, "receipt").get("url")),
    )
    account = fields.part(payment, "virtualAccount")
    if not account:
        return answer
    # Only the exact sum is let in, so what has arrived is the whole.
    return replace(
        answer,
        deposited=amount,
        deposit_key=_deposit_key(payment),
        depositor=fields.shown(account.get("depositorName")),
    )


def _understand_account(payment: Mapping[str, Any]) -> Answer:
    account = fields.part(payment, "virtualAccount")
    if account.get("expired"):
        return _no_deposit(payment, DEPOSIT_EXPIRED, "no deposit before the deadline")
    fields.won(payment["totalAmount"])
    return Answer(
        Outcome.PENDING,
        "waiting for the deposit",
        gateway_key=fields.key(payment["paymentKey"]),
        deposited=fields.money(0, payment["currency"]),
        method_kind=_method_kind(payment),
        paid_with=_paid_with(payment),
        account=Account(
            bank=fields.key(account["bankCode"]),
            number=fields.key(account["accountNumber"]),
            due_at=fields.moment(account["dueDate"]),
            secret=fields.shown(payment.get("secret")),
            is_expired=False,
        ),
    )


def _no_deposit(payment: Mapping[str, Any], code: str, because: str) -> Answer:
    is_account = bool(fields.part(payment, "virtualAccount"))
    return Answer(
        Outcome.DECLINED,
        because,
        code=code,
        # Only the exact sum is let in, so nothing has arrived.
        deposited=fields.money(0, payment["currency"]) if is_account else None,
        failure_class=FailureClass.AUTHENTICATION,
        retry_mode="later",
    )


def _cancel_aborted(trace_id: str | None) -> Answer:
    return _conflict("the gateway gave the cancel up", CANCEL_ABORTED, trace_id)


def _conflict(because: str, code: str | None, trace_id: str | None) -> Answer:
    return Answer(
        Outcome.CONFLICT,
        because,
        code=code,
        failure_class=FailureClass.CONFLICT,
        retry_mode="query_then_retry",
        trace_id=trace_id,
    )


def _refunded(payment: Mapping[str, Any]) -> Money:
    """What was given back: cancels that are DONE. Raises Unreadable if the balance denies it.

    A cancel in progress lowers the balance already, and one that was aborted may not have
    raised it again yet.
    """
    total, balance = fields.won(payment["totalAmount"]), fields.won(payment["balanceAmount"])
    done = undone = 0
    for cancel in fields.parts(payment, "cancels"):
        amount = fields.won(cancel["cancelAmount"])
        if _cancel_status(cancel) == "DONE":
            done += amount
        else:
            undone += amount
    if not done <= total - balance <= done + undone:
        raise Unreadable("the balance does not follow from the cancels")
    return fields.money(done, payment["currency"])


def _cancel_status(cancel: Mapping[str, Any]) -> str:
    status = cancel.get("cancelStatus", "DONE")  # older versions have no asynchronous cancels
    if status not in ("DONE", "IN_PROGRESS", "ABORTED"):
        raise Unreadable("a cancel of no known status")
    return str(status)


def _deposit_key(payment: Mapping[str, Any]) -> str | None:
    """The last transaction, unless that is a cancel: then the deposit's name is not told."""
    last = payment.get("lastTransactionKey")
    cancels = fields.parts(payment, "cancels")
    if last is None or last in [cancel.get("transactionKey") for cancel in cancels]:
        return None
    return fields.key(last)


def _method_kind(payment: Mapping[str, Any]) -> str | None:
    method = payment.get("method")
    return METHOD_KINDS.get(method) if isinstance(method, str) else None


def _paid_with(payment: Mapping[str, Any]) -> dict[str, Any]:
    """What a person may see; what the gateway leaves out is left out."""
    read = {
        "card": _card_fields,
        "easy_pay": _wallet_fields,
        "transfer": _transfer_fields,
        "mobile": _mobile_fields,
    }.get(_method_kind(payment) or "")
    found = read(payment) if read is not None else {}
    return {name: value for name, value in found.items() if value is not None}


def _card_fields(payment: Mapping[str, Any]) -> dict[str, Any]:
    card = fields.part(payment, "card")
    months = card.get("installmentPlanMonths")
    is_known = type(months) is int and 0 <= months <= _INSTALMENT_MONTHS_MAX
    return {
        "issuer": fields.shown(card.get("issuerCode")),
        "number": _masked(card.get("number")),
        "instalment_months": months if is_known else None,
    }


def _wallet_fields(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The split inside a wallet: its card, its money, and its points and coupons."""
    wallet, card = fields.part(payment, "easyPay"), fields.part(payment, "card")
    return _card_fields(payment) | {
        "provider": fields.shown(wallet.get("provider")),
        "card_minor": fields.won(card["amount"]) if card else 0,
        "money_minor": fields.won(wallet["amount"]),
        "points_minor": fields.won(wallet["discountAmount"]),
    }


def _transfer_fields(payment: Mapping[str, Any]) -> dict[str, Any]:
    return {"issuer": fields.shown(fields.part(payment, "transfer").get("bankCode"))}


def _mobile_fields(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The number comes as a text, or masked beside the plain one, by version."""
    phone = fields.part(payment, "mobilePhone").get("customerMobilePhone")
    plain = phone.get("plain") or phone.get("masking") if isinstance(phone, dict) else phone
    number = fields.shown(plain)
    return {"number": mask_phone(number) if number else None}


def _masked(number: object) -> str | None:
    """The vendor masks cards; should it ever not, it is done here."""
    text = fields.shown(number)
    return text if text is None or "*" in text else mask_account(text)


def _url(value: object) -> str | None:
    text = fields.shown(value, length_max=fields.URL_LENGTH_MAX)
    return text if text is not None and text.startswith(("https://", "http://")) else None


def _last4(number: str) -> str | None:
    """The last four as far as the vendor shows them: some masks hide the very last digit."""
    return number[-4:] if len(number) >= 4 else None
