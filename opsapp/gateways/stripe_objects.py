"""Payments of the Stripe API (PaymentIntent, Charge, Refund) as plain values.

The status of an intent decides about money; codes only say why. A decline is certain once the
intent is cancelled, or when it lacks a card that nobody is there to replace.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from opsapp.gateways import failures
from opsapp.gateways.http import fault
from opsapp.gateways.stripe_reading import (
    DECLINE,
    ERROR,
    as_word,
    carefully,
    failure_names,
    id_of,
    last4_of,
    money_of,
    part,
    settled,
    word_of,
)
from opsapp.gateways.values import (
    Answer,
    FailureClass,
    Flow,
    GatewayTransaction,
    Inquiry,
    Outcome,
    RefundRequest,
    Window,
)
from opsapp.kernel.money import Money

# No codes of the vendor. Its charge holds another refundable amount than our books.
REFUNDABLE_DIFFERS = "REFUNDABLE_DIFFERS"
OTHER_PAYMENT = "OTHER_PAYMENT"  # the name that came back leads to a payment of another order
URL_LENGTH_MAX = 2000
# An intent never ends by itself: who has not paid by then is no longer at the window. Not shorter
# than the time for which a payment can be shown its window again.
WINDOW_LIFE = timedelta(minutes=45)

# Why an intent was cancelled that carries no error of its own.
_CANCELLATIONS = {
    "fraudulent": (DECLINE, "fraudulent"),
    "requested_by_customer": (ERROR, "payment_method_customer_decline"),
}
_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_GIVEN_BACK = ("succeeded", "pending", "requires_action")


def understand_created(intent: Any, asked: Inquiry, trace_id: str | None) -> Answer:
    """PREPARED: the intent has its name and was not confirmed."""
    return carefully("PaymentIntent", lambda: _understand_intent(intent, asked, trace_id), trace_id)


def understand_intent(intent: Any, asked: Inquiry, trace_id: str | None) -> Answer:
    """The answer to a confirmation."""
    answer = understand_created(intent, asked, trace_id)
    if answer.outcome is Outcome.PREPARED:
        return _in_progress(answer, "requires_confirmation")
    return answer


def understand_inquiry(intent: Any, asked: Inquiry, trace_id: str | None) -> Answer:
    """NOT_FOUND: never confirmed as far as the gateway knows, so the same key may be sent."""
    answer = understand_created(intent, asked, trace_id)
    if answer.outcome is not Outcome.PREPARED:
        return answer
    if asked.flow is Flow.WINDOW:
        return _in_progress(answer, "requires_confirmation")
    return replace(answer, outcome=Outcome.NOT_FOUND, because="it was never confirmed")


def understand_cancelled(intent: Any, trace_id: str | None) -> Answer:
    """What answers the cancel of an intent that nobody is going to pay."""
    if part(intent, "status") != "canceled":
        return fault("MALFORMED_RESPONSE", "not cancelled", trace_id=trace_id)
    return Answer(Outcome.APPROVED, "nothing can be paid any more", trace_id=trace_id)


def waits_in_vain(intent: Any, asked: Inquiry, now: datetime) -> bool:
    """Whether the charge waits for somebody who is not there, or not any more."""
    status, created = part(intent, "status"), part(intent, "created")
    if status not in _OPEN or not _is_about(intent, asked):
        return False
    if asked.flow is not Flow.WINDOW:
        return bool(status == "requires_action")
    return type(created) is int and now.timestamp() - created > WINDOW_LIFE.total_seconds()


def understand_window(intent: Any, trace_id: str | None) -> Answer:
    """PREPARED carries a window with the secret by which the customer's browser may pay."""

    def understood() -> Answer:
        return Answer(
            Outcome.PREPARED,
            "the window is ready",
            gateway_key=word_of(intent["id"]),
            window=Window(fields={"clientSecret": word_of(intent["client_secret"])}),
            trace_id=trace_id,
        )

    return carefully("PaymentIntent", understood, trace_id)


def before_refund(answer: Answer) -> Answer:
    """No answer about the refundable amount: a refused question refuses no refund."""
    if answer.outcome is Outcome.DECLINED:
        return replace(answer, outcome=Outcome.UNKNOWN)
    return answer


def compare_refundable(intent: Any, request: RefundRequest, trace_id: str | None) -> Answer | None:
    """Stands in for the lock that the vendor does not have; None: go on."""

    def compared() -> Answer | None:
        if intent["id"] != request.gateway_key or intent["status"] != "succeeded":
            return failures.classify([(ERROR, "payment_intent_unexpected_state")])
        left = _received(intent) - money_of(part(intent, "latest_charge"), "amount_refunded")
        if left == request.refundable_before:
            return None
        return Answer(
            Outcome.CONFLICT,
            f"the gateway holds {left} as refundable",
            code=REFUNDABLE_DIFFERS,
            failure_class=FailureClass.CONFLICT,
            retry_mode="query_then_retry",
            trace_id=trace_id,
        )

    return carefully("PaymentIntent", compared, trace_id)


def understand_refund(refund: Any, gateway_key: str, trace_id: str | None) -> Answer:
    """Only a finished one gives back; the inquiry tells what becomes of the others."""

    def understood() -> Answer:
        status = word_of(refund["status"])
        if status in ("failed", "canceled"):
            return failures.classify([(ERROR, "charge_not_refundable")], trace_id=trace_id)
        if refund["payment_intent"] != gateway_key:
            because = "the answer is about another payment"
            return Answer(Outcome.UNKNOWN, because, code=OTHER_PAYMENT, trace_id=trace_id)
        if status != "succeeded":
            because = f"the refund is on its way ({status})"
            return Answer(Outcome.UNKNOWN, because, code=status, trace_id=trace_id)
        return Answer(
            Outcome.APPROVED,
            "refunded by the gateway",
            gateway_key=gateway_key,
            amount=money_of(refund, "amount"),
            transaction_key=word_of(refund["id"]),
            trace_id=trace_id,
        )

    return carefully("Refund", understood, trace_id)


def understand_charge(row: Mapping[str, Any]) -> GatewayTransaction | None:
    """None: no money came by it, or it belongs to no PaymentIntent and so to nobody here."""
    if row["status"] != "succeeded" or not row["captured"] or row["payment_intent"] is None:
        return None
    return _transaction(row, money_of(row, "amount_captured", otherwise="amount"))


def understand_refunded(row: Mapping[str, Any]) -> GatewayTransaction | None:
    """None: nothing was given back. A refund under way counts, as it does in the charge."""
    if row["status"] not in _GIVEN_BACK or row["payment_intent"] is None:
        return None
    amount = money_of(row, "amount")
    return _transaction(row, Money(-amount.minor, amount.currency))


def _understand_intent(intent: Mapping[str, Any], asked: Inquiry, trace_id: str | None) -> Answer:
    name, status = word_of(intent["id"]), word_of(intent["status"])
    if not _is_about(intent, asked):
        because = "the answer is about another payment"
        return Answer(Outcome.UNKNOWN, because, code=OTHER_PAYMENT, trace_id=trace_id)
    known = Answer(Outcome.UNKNOWN, gateway_key=name, trace_id=trace_id)
    if status == "succeeded":
        return _approved(intent, known)
    if part(intent, "amount_received"):
        return replace(known, because=f"money on a payment that is {status}", code=status)
    is_over = status == "canceled" or (
        status == "requires_payment_method" and asked.flow is not Flow.WINDOW
    )
    if is_over:
        return _ended(intent, asked, known)
    if status == "requires_confirmation":
        return replace(known, outcome=Outcome.PREPARED, because="ready to be confirmed")
    return _in_progress(known, status)


def _in_progress(known: Answer, status: str) -> Answer:
    """Never IN_PROGRESS: an open intent can be paid until it is cancelled.

    The status stands as the code, so that it is seen to be the word of a gateway that is well.
    """
    because = f"in progress at the gateway ({status})"
    return replace(known, outcome=Outcome.UNKNOWN, because=because, code=status)


def _is_about(intent: Any, asked: Inquiry) -> bool:
    is_named = asked.gateway_key is None or part(intent, "id") == asked.gateway_key
    order_id = part(intent, "metadata", "order_id")
    return is_named and bool(order_id == asked.gateway_order_id)


def _approved(intent: Mapping[str, Any], known: Answer) -> Answer:
    charge = part(intent, "latest_charge")
    is_told = isinstance(charge, Mapping) and "amount_refunded" in charge
    card = part(charge, "payment_method_details", "card")
    months = part(card, "installments", "plan", "count")
    number = last4_of(card)
    paid_with = {
        "issuer": as_word(part(card, "brand")),
        "number": f"****{number}" if number else None,
        "instalment_months": months if type(months) is int else None,
        "provider": as_word(part(card, "wallet", "type")),
    }
    url = part(charge, "receipt_url")
    is_link = isinstance(url, str) and url.isprintable() and url.startswith("https://")
    return replace(
        known,
        outcome=Outcome.APPROVED,
        because="approved by the gateway",
        amount=_received(intent),
        refunded=money_of(charge, "amount_refunded") if is_told else None,
        method_kind="card",
        paid_with={name: value for name, value in paid_with.items() if value is not None},
        approval_number=as_word(part(card, "authorization_code")),
        receipt_url=url if is_link and len(url) <= URL_LENGTH_MAX else None,
    )


def _ended(intent: Mapping[str, Any], asked: Inquiry, known: Answer) -> Answer:
    named = failure_names(part(intent, "last_payment_error"))
    blocked = part(intent, "latest_charge", "outcome")
    reason = as_word(part(blocked, "reason"))
    if part(blocked, "type") == "blocked" and failures.look_up(DECLINE, reason or ""):
        named = [(DECLINE, reason or ""), *named]
    if not named and intent["status"] == "canceled":
        # Without a customer only a demand for one leads to a cancel.
        alone = (ERROR, "payment_intent_payment_attempt_expired")
        alone = alone if asked.flow is Flow.WINDOW else (DECLINE, "authentication_required")
        named = [_CANCELLATIONS.get(str(part(intent, "cancellation_reason")), alone)]
    if not named:
        return _in_progress(known, intent["status"])
    meant = settled(failures.classify(named, trace_id=known.trace_id))
    return replace(meant, gateway_key=known.gateway_key)


def _transaction(row: Mapping[str, Any], amount: Money) -> GatewayTransaction:
    intent = row["payment_intent"]
    order_id = part(intent, "metadata", "order_id")
    return GatewayTransaction(
        gateway_order_id=order_id if isinstance(order_id, str) else "",
        gateway_key=id_of(intent),
        transaction_key=word_of(row["id"]),
        amount=amount,
        at=datetime.fromtimestamp(row["created"], UTC),
    )


def _received(intent: Mapping[str, Any]) -> Money:
    return money_of(intent, "amount_received", otherwise="amount")
