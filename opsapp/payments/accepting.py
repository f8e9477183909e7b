"""Accepting: staff take money that arrived late for the payment it was meant for."""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.events import announce
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import SALES, UNMATCHED
from opsapp.payments import depositing, finding_refunds, queries, rules
from opsapp.payments.errors import NotAcceptable
from opsapp.payments.events import PaymentFact, PaymentsPaid
from opsapp.payments.models import Attempt, Payment, UnmatchedMoney
from opsapp.payments.states import (
    ATTEMPT,
    PAYMENT,
    UNMATCHED as LIFE,
    AttemptStatus,
    PaymentStatus,
    UnmatchedStatus,
)

ACCEPTED = "money that arrived late was accepted"


@within_transaction
def accept_unmatched(unmatched_id: int, *, by: Actor) -> None:
    """The payment is paid by the money of this case, if nothing else has paid or may pay it.

    Accepting twice changes nothing. Raises NotFound, NotAcceptable.
    """
    payment = queries.lock_payment(finding_refunds.get_unmatched(unmatched_id).payment_id)
    attempts = queries.lock_attempts_of(payment.id)
    case = finding_refunds.lock_unmatched(unmatched_id)
    if case.status == UnmatchedStatus.ACCEPTED:
        return
    if (why := why_not_acceptable(case, payment, attempts)) is not None:
        raise NotAcceptable(reason=why)
    [attempt] = [row for row in attempts if row.id == case.attempt_id]
    now = clock.now()
    attempt.gateway_key, attempt.ended_at = case.gateway_key, now
    ATTEMPT.move(attempt, AttemptStatus.SUCCEEDED, because=ACCEPTED, by=by)
    payment.captured_minor, payment.paid_at = case.amount_minor, now
    payment.gateway_name, payment.method_kind = attempt.gateway_name, attempt.method_kind
    payment.failure_class = payment.failure_code = None
    PAYMENT.move(payment, PaymentStatus.PAID, because=ACCEPTED, by=by)
    case.ended_at = now
    LIFE.move(case, UnmatchedStatus.ACCEPTED, because=ACCEPTED, by=by)
    post([_acceptance(case)])
    depositing.resolve_cases([case.id], because=ACCEPTED, by=by)
    announce(PaymentsPaid((as_fact(payment, attempt),)))


def why_not_acceptable(
    case: UnmatchedMoney, payment: Payment, attempts: Sequence[Attempt]
) -> str | None:
    """None if the case may be accepted; else the reason, as the console says it."""
    ended = (AttemptStatus.DECLINED, AttemptStatus.WITHDRAWN)
    [own] = [row for row in attempts if row.id == case.attempt_id]
    if case.status != UnmatchedStatus.OPEN:
        return "the case is settled or on its way back"
    if (case.amount_minor, case.currency) != (payment.amount_minor, payment.currency):
        return "the amount is not that of the payment"
    if any(row.status not in ended for row in attempts):
        return "another attempt has paid it or may still pay it"
    if not PAYMENT.allows(payment.status, PaymentStatus.PAID) or own.status != "declined":
        return "nobody wants the payment any more"
    return None


def as_fact(payment: Payment, attempt: Attempt) -> PaymentFact:
    return PaymentFact(
        payment_id=payment.id,
        subject_type=payment.subject_type,
        subject_id=payment.subject_id,
        period_index=payment.period_index,
        customer_id=payment.customer_id,
        payment_method_id=attempt.payment_method_id,
        gateway_name=attempt.gateway_name,
        method_kind=attempt.method_kind,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        attempt_id=attempt.id,
        attempt_number=attempt.number,
        failure_class=attempt.failure_class,
        failure_code=attempt.failure_code,
        is_by_staff=rules.is_by_staff(attempt.requested_by),
    )


def _acceptance(case: UnmatchedMoney) -> Transfer:
    """About the deposit, as every other share of it; a late approval has none."""
    subject = ("deposit", case.deposit_id) if case.deposit_id else (depositing.SUBJECT, case.id)
    return Transfer("accepted", UNMATCHED, SALES, case.amount, *subject, case.payment_id)
