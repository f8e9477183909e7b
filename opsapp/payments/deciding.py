"""Deciding: a person settles what no turn could, with evidence, and never against a known fact."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, FailureClass, Flow, Inquiry, Outcome
from opsapp.kernel import clock, log as journal
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, owns_transactions, transaction, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.events import announce
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import ask_in_person
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import SALES, gateway_clearing
from opsapp.payments import claiming, depositing, finding_refunds, jobs, queries, returning
from opsapp.payments.accepting import as_fact
from opsapp.payments.depositing import DepositSeen
from opsapp.payments.errors import AgainstTheFacts, EvidenceChanged, NotUncertain
from opsapp.payments.events import PaymentsFailed, PaymentsPaid
from opsapp.payments.models import Attempt, Decision, Payment, Refund
from opsapp.payments.returning import Settled
from opsapp.payments.states import (
    ATTEMPT,
    PAYMENT,
    REFUND,
    AttemptStatus,
    PaymentStatus,
    RefundStatus,
)
from opsapp.tickets import resolving

APPROVED, NOT_CHARGED, ASK_AGAIN = "approved", "not_charged", "ask_again"
OUTCOMES = (APPROVED, NOT_CHARGED, ASK_AGAIN)
TICKETS = {"attempt": "uncertain_attempt", "refund": "refund_stuck"}
TEXT_LENGTH_MAX = 500
KEY_LENGTH_MAX = 200  # Toss Payments: paymentKey
FORM_USED = "This form was used; open it again."


@dataclass(frozen=True, slots=True)
class GatewayPicture:
    """Our record and the gateway's answer, side by side at one moment.

    `allowed`: the decisions that do not contradict the answer. `fingerprint` names this very
    picture: a decision is about it and no other.
    """

    subject_type: str
    subject_id: int
    status: str
    asked_at: datetime
    outcome: str
    because: str
    code: str | None
    amount_minor: int | None
    refunded_minor: int | None
    gateway_key: str | None
    approval_number: str | None
    receipt_url: str | None
    allowed: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person found out. `evidence` names at least one reference outside this program.

    `seen` is the fingerprint of the picture that was on the screen. `gateway_key` is needed for
    an approval of which the gateway has told us no key.
    """

    request_id: str
    subject_type: str
    subject_id: int
    outcome: str
    reason: str
    evidence: str
    seen: str
    gateway_key: str = ""


@owns_transactions
def look(subject_type: str, subject_id: int) -> GatewayPicture:
    """Ask the gateway now; nothing is written. Raises NotFound."""
    with transaction():
        row = finding_refunds.find_subject(subject_type, subject_id)
    gateway = gateway_named(row.gateway_name)
    inquiry = Inquiry(row.gateway_order_id, row.gateway_key, Flow(row.flow))
    call = partial(_understood, partial(gateway.inquire, inquiry), subject_id)
    try:
        answer = ask_in_person(gateway.name, call, connected=gateway.connected)
    except TimeoutError:
        answer = Answer(Outcome.UNKNOWN, "the gateway did not answer in time")
    return _picture(subject_type, row, answer)


@owns_transactions
def decide_after_look(decided: Decided, *, by: Actor) -> int:
    """Look once more, then decide upon what is true now; returns the decision's id."""
    _require_readable(decided)
    picture = look(decided.subject_type, decided.subject_id)
    with transaction():
        return decide(decided, picture, by=by)


@within_transaction
def decide(decided: Decided, now: GatewayPicture, *, by: Actor) -> int:
    """Book what was found, once per form; returns the decision's id.

    `now` was looked up just before. Raises Invalid, NotFound, NotUncertain, EvidenceChanged,
    AgainstTheFacts.
    """
    _require_readable(decided)
    row = finding_refunds.find_subject(decided.subject_type, decided.subject_id)
    payment = queries.lock_payment(row.payment_id)
    status = _lock_status(decided)
    if (known := finding_refunds.find_decision(decided.request_id)) is not None:
        if (known.subject_type, known.subject_id, known.outcome) != _about(decided):
            raise Invalid(field="request_id", reason=FORM_USED)
        return known.id
    if status != AttemptStatus.NEEDS_HUMAN:
        raise NotUncertain(status=status)
    row = finding_refunds.find_subject(decided.subject_type, decided.subject_id)
    if not decided.seen == now.fingerprint == _fingerprint(row, now):
        raise EvidenceChanged
    if decided.outcome not in now.allowed:
        raise AgainstTheFacts
    decision_id = _write(decided, now, by=by)
    _book(decided, now, payment, by=by)
    because = f"decided: {decided.outcome}"
    ticket = TICKETS[decided.subject_type]
    resolving.resolve_for("payment", [payment.id], ticket, because=because, by=by)
    return decision_id


def allowed_of_attempt(answer: Answer, expected: Money) -> tuple[str, ...]:
    """An approval of another amount is nobody's to book: it is mended at the gateway first."""
    match answer.outcome:
        case Outcome.APPROVED:
            refunded = answer.refunded.minor if answer.refunded else 0
            if answer.amount is not None and refunded == answer.amount.minor:
                return (NOT_CHARGED, ASK_AGAIN)
            if answer.amount == expected and not refunded:
                return (APPROVED, ASK_AGAIN)
            return (ASK_AGAIN,)
        case Outcome.DECLINED | Outcome.IN_PROGRESS:
            return (NOT_CHARGED, ASK_AGAIN)
        case Outcome.PENDING | Outcome.PREPARED:
            return (ASK_AGAIN,)
        case _:
            return OUTCOMES


def allowed_of_refund(answer: Answer, *, before: Money, wished: Money) -> tuple[str, ...]:
    """By how much more the gateway has given back than we know of."""
    if answer.outcome is not Outcome.APPROVED or answer.refunded is None:
        return OUTCOMES
    more = answer.refunded.minor - before.minor
    if more == wished.minor:
        return (APPROVED, ASK_AGAIN)
    if more < wished.minor:
        return (NOT_CHARGED, ASK_AGAIN)
    return OUTCOMES  # somebody gave back over there too: whether ours is part of it, nobody tells


async def _understood(call: Any, subject_id: int) -> Answer:
    return await claiming.understood(call(), subject_id=subject_id)


def _picture(subject_type: str, row: Any, answer: Answer) -> GatewayPicture:
    expected = Money(row.amount_minor, row.currency)
    if subject_type == "attempt":
        allowed = allowed_of_attempt(answer, expected)
        if queries.VIRTUAL_ACCOUNT in (row.method_kind, answer.method_kind):
            # What was paid in is booked from the gateway's word alone, deposit by deposit.
            allowed = tuple(each for each in allowed if each != APPROVED)
    else:
        before = Money(int(row.given_back_minor), row.currency)
        allowed = allowed_of_refund(answer, before=before, wished=expected)
    picture = GatewayPicture(
        subject_type=subject_type,
        subject_id=row.id,
        status=row.status,
        asked_at=clock.now(),
        outcome=answer.outcome.value,
        because=answer.because,
        code=answer.code,
        amount_minor=answer.amount.minor if answer.amount else None,
        refunded_minor=answer.refunded.minor if answer.refunded else None,
        gateway_key=answer.gateway_key,
        approval_number=answer.approval_number,
        receipt_url=answer.receipt_url,
        allowed=allowed,
        fingerprint="",
    )
    return replace(picture, fingerprint=_fingerprint(row, picture))


def _fingerprint(row: Any, picture: GatewayPicture) -> str:
    """Over all that a decision rests on: our own record, and what the gateway says."""
    ours = ("status", "fence", "turns", "failure_code", "amount_minor", "payment_status")
    theirs = ("outcome", "code", "amount_minor", "refunded_minor", "gateway_key")
    shown = [getattr(row, name) for name in ours] + [getattr(picture, name) for name in theirs]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def _require_readable(decided: Decided) -> None:
    if decided.outcome not in OUTCOMES or decided.subject_type not in TICKETS:
        raise Invalid(field="outcome", reason="Choose what was found.")
    for name, text in (("reason", decided.reason), ("evidence", decided.evidence)):
        if not text.strip():
            reason = "Name at least one reference: a receipt, a mail, a call."
            raise Invalid(field=name, reason=reason if name == "evidence" else "Say why.")
        if len(text) > TEXT_LENGTH_MAX:
            raise Invalid(field=name, reason=f"At most {TEXT_LENGTH_MAX} characters.")
    if not 8 <= len(decided.request_id) <= 100 or len(decided.gateway_key) > KEY_LENGTH_MAX:
        raise Invalid(field="request_id", reason="Open the form again.")


def _lock_status(decided: Decided) -> str:
    if decided.subject_type == "attempt":
        return queries.lock_attempt_status(decided.subject_id)
    return finding_refunds.lock_refund(decided.subject_id).status


def _about(decided: Decided) -> tuple[str, int, str]:
    return decided.subject_type, decided.subject_id, decided.outcome


def _write(decided: Decided, now: GatewayPicture, *, by: Actor) -> int:
    seen = asdict(now) | {"asked_at": now.asked_at.isoformat(), "allowed": list(now.allowed)}
    row = {
        "request_id": decided.request_id,
        "subject_type": decided.subject_type,
        "subject_id": decided.subject_id,
        "outcome": decided.outcome,
        "reason": decided.reason.strip(),
        "evidence": decided.evidence.strip(),
        "seen": seen,
        "decided_by": str(by),
        "decided_at": clock.now(),
    }
    [(decision_id,)] = bulk_insert(Decision, [row], returning=("id",))
    entry = journal.Entry(
        action=f"{decided.subject_type}.decided",
        subject_type=decided.subject_type,
        subject_id=decided.subject_id,
        because=decided.reason.strip(),
        detail={"decision_id": decision_id, "outcome": decided.outcome, "gateway": now.outcome},
    )
    journal.record(entry, by=by)
    return int(decision_id)


def _book(decided: Decided, now: GatewayPicture, payment: Payment, *, by: Actor) -> None:
    match (decided.subject_type, decided.outcome):
        case ("attempt", "approved"):
            _book_approval(decided, now, payment, by=by)
        case ("attempt", "not_charged"):
            _book_failure(decided, payment, by=by)
        case ("attempt", _):
            _ask_attempt_again(decided.subject_id, by=by)
        case (_, "ask_again"):
            _ask_refund_again(decided.subject_id, by=by)
        case _:
            _settle_refund(decided, payment, by=by)


def _book_approval(decided: Decided, now: GatewayPicture, payment: Payment, *, by: Actor) -> None:
    attempt = queries.lock_attempt(decided.subject_id)
    gateway_key = now.gateway_key or attempt.gateway_key or decided.gateway_key.strip()
    if not gateway_key:
        raise Invalid(field="gateway_key", reason="Enter the gateway's own key of the payment.")
    because = f"staff found it approved: {decided.reason.strip()}"
    at = clock.now()
    attempt.gateway_key, attempt.ended_at = gateway_key, at
    attempt.approval_number = now.approval_number or attempt.approval_number
    attempt.receipt_url = now.receipt_url or attempt.receipt_url
    attempt.failure_class = attempt.failure_code = None
    ATTEMPT.move(attempt, AttemptStatus.SUCCEEDED, because=because, by=by)
    payment.captured_minor, payment.paid_at = payment.amount_minor, at
    payment.approval_number = attempt.approval_number
    payment.failure_class = payment.failure_code = None
    PAYMENT.move(payment, PaymentStatus.PAID, because=because, by=by)
    charge = Transfer(
        kind="charge",
        debit_account=gateway_clearing(attempt.gateway_name),
        credit_account=SALES,
        amount=payment.amount,
        subject_type="attempt",
        subject_id=attempt.id,
        payment_id=payment.id,
    )
    post([charge])
    announce(PaymentsPaid((as_fact(payment, attempt),)))


def _book_failure(decided: Decided, payment: Payment, *, by: Actor) -> None:
    """Not the customer's failure: nobody is blocked or written to for it."""
    attempt = queries.lock_attempt(decided.subject_id)
    because = f"staff found that no money moved: {decided.reason.strip()}"
    attempt.ended_at = clock.now()
    attempt.failure_class, attempt.failure_code = FailureClass.GATEWAY.value, None
    ATTEMPT.move(attempt, AttemptStatus.DECLINED, because=because, by=by)
    payment.failure_class, payment.failure_code = FailureClass.GATEWAY.value, None
    PAYMENT.move(payment, PaymentStatus.FAILED, because=because, by=by)
    if attempt.gateway_key is not None:
        reason = "short" if attempt.close_because is None else "after_cancel"
        seen = DepositSeen.nothing_new(attempt, payment, attempt.gateway_key, reason=reason)
        depositing.record_deposits([seen], by=by)
    announce(PaymentsFailed((as_fact(payment, attempt),)))


def _ask_attempt_again(attempt_id: int, *, by: Actor) -> None:
    attempt = queries.lock_attempt(attempt_id)
    _reset(attempt)
    because = "staff: the gateway is asked once more"
    ATTEMPT.move(attempt, AttemptStatus.UNKNOWN, because=because, by=by)
    jobs.EXECUTE_ATTEMPTS.enqueue(attempt_ids=[attempt_id], lane=attempt.gateway_name)


def _ask_refund_again(refund_id: int, *, by: Actor) -> None:
    refund = finding_refunds.lock_refund(refund_id)
    _reset(refund)
    because = "staff: the gateway is asked once more"
    REFUND.move(refund, RefundStatus.UNKNOWN, because=because, by=by)
    jobs.EXECUTE_REFUNDS.enqueue(refund_ids=[refund_id], lane=refund.gateway_name)


def _reset(row: Attempt | Refund) -> None:
    """The looks begin anew."""
    row.turns = row.misses = 0
    row.due_at, row.hinted_at, row.leased_until = clock.now(), None, None


def _settle_refund(decided: Decided, payment: Payment, *, by: Actor) -> None:
    refund = finding_refunds.lock_refund(decided.subject_id)
    is_given_back = decided.outcome == APPROVED
    found = "the money given back" if is_given_back else "that no money moved"
    because = f"staff found {found}: {decided.reason.strip()}"
    target = RefundStatus.SUCCEEDED if is_given_back else RefundStatus.REFUSED
    also = {"ended_at": clock.now(), "account_sealed": None}
    move = RowMove(refund.id, refund.status, target, because, also=also)
    REFUND.move_many(Refund, [move], by=by)
    settled = [Settled.of(refund, customer_id=payment.customer_id, because=because)]
    if is_given_back:
        returning.give_back(settled, {payment.id: payment}, by=by)
    else:
        returning.release(settled, by=by)
