"""Adopting: money that somebody gave back in the gateway's own console becomes refunds of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opsapp.gateways.values import Answer
from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import REFUNDS, REFUNDS_IN_TRANSIT, UNMATCHED, gateway_clearing
from opsapp.payments import depositing, queries, rules
from opsapp.payments.events import RefundFact, RefundsMade
from opsapp.payments.models import Attempt, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import (
    PAYMENT,
    UNMATCHED as LIFE,
    AttemptStatus,
    RefundStatus,
    UnmatchedStatus,
)

MADE_THERE = "made in the gateway's own console"


@dataclass(frozen=True, slots=True)
class _Part:
    """Of the payment's own money, or all of a case beside it."""

    minor: int
    case: Any | None = None


@within_transaction
def adopt_refund(attempt_id: int, amount: Money, answer: Answer, *, event: int, by: Actor) -> bool:
    """The money is gone already: refunds that have ended, with their books and their news.

    The payment is locked. False, and nothing is written, if nobody can tell whose money it was.
    """
    payment = queries.get_payment_of(attempt_id)
    attempt = queries.lock_attempt(attempt_id)
    parts = _parts(attempt, payment, queries.lock_cases(attempt_id), amount.minor)
    rows = [_row(attempt, payment, part, answer, event=event) for part in parts]
    ids = [row.id for row in bulk_insert(Refund, rows, returning=("id",))]
    made = list(zip(ids, parts, strict=True))
    _reduce(payment, sum(part.minor for part in parts if part.case is None), by=by)
    _end([part.case for part in parts if part.case is not None], by=by)
    post([side for each in made for side in _sides(attempt, payment, *each)])
    log.record_many([_entry(payment, *each) for each in made], by=by)
    if made:
        announce(RefundsMade(tuple(_fact(payment, *each) for each in made)))
    return bool(made)


def _parts(attempt: Attempt, payment: Payment, cases: Sequence[Any], minor: int) -> list[_Part]:
    """All of one case, all there is, or some of what the payment took."""
    own = payment.refundable.minor if attempt.status == AttemptStatus.SUCCEEDED else 0
    if (case := next((row for row in cases if row.amount_minor == minor), None)) is not None:
        return [_Part(minor, case)]
    if minor == own + sum(row.amount_minor for row in cases):
        beside = [_Part(row.amount_minor, row) for row in cases]
        return [_Part(own), *beside] if own else beside
    return [_Part(minor)] if minor <= own else []


def _row(
    attempt: Attempt, payment: Payment, part: _Part, answer: Answer, *, event: int
) -> dict[str, Any]:
    ref = new_ref("ref")
    return {
        "ref": ref,
        "payment_id": payment.id,
        "attempt_id": attempt.id,
        "gateway_name": attempt.gateway_name,
        "unmatched_id": part.case.id if part.case is not None else None,
        "request_id": f"gateway-event-{event}-{ref}",
        "idempotency_key": new_ref("refund"),
        "amount_minor": part.minor,
        "currency": payment.currency,
        "refundable_before_minor": payment.captured_minor - payment.refunded_minor,
        "reason": MADE_THERE,
        "status": RefundStatus.SUCCEEDED.value,
        "requested_by": str(Actor("gateway", attempt.gateway_name)),
        "gateway_key": answer.transaction_key,
        "ended_at": clock.now(),
    }


def _reduce(payment: Payment, minor: int, *, by: Actor) -> None:
    if not minor:
        return
    payment.refunded_minor += minor
    target = rules.status_after_refund(
        captured_minor=payment.captured_minor, refunded_minor=payment.refunded_minor
    )
    PAYMENT.move(payment, target, because=MADE_THERE, by=by)


def _end(cases: Sequence[Any], *, by: Actor) -> None:
    also = {"ended_at": clock.now()}
    moves = [
        RowMove(case.id, case.status, UnmatchedStatus.RETURNED, MADE_THERE, also=also)
        for case in cases
    ]
    LIFE.move_many(UnmatchedMoney, moves, by=by)
    depositing.resolve_cases([case.id for case in cases], because=MADE_THERE, by=by)


def _sides(attempt: Attempt, payment: Payment, refund_id: int, part: _Part) -> list[Transfer]:
    """As every refund: set aside, and given back. Money beside a payment goes straight back."""
    clearing = gateway_clearing(attempt.gateway_name)
    own = (
        ("refund_requested", REFUNDS, REFUNDS_IN_TRANSIT),
        ("refund", REFUNDS_IN_TRANSIT, clearing),
    )
    sides = own if part.case is None else (("return", UNMATCHED, clearing),)
    amount = Money(part.minor, payment.currency)
    return [
        Transfer(kind, debit, credit, amount, "refund", refund_id, payment.id)
        for kind, debit, credit in sides
    ]


def _entry(payment: Payment, refund_id: int, part: _Part) -> log.Entry:
    return log.Entry(
        "refund.adopted",
        "refund",
        refund_id,
        because=MADE_THERE,
        to_state=RefundStatus.SUCCEEDED.value,
        detail={"payment_id": payment.id, "amount_minor": part.minor},
    )


def _fact(payment: Payment, refund_id: int, part: _Part) -> RefundFact:
    return RefundFact(
        refund_id,
        payment.id,
        payment.customer_id,
        part.minor,
        payment.currency,
        unmatched_id=part.case.id if part.case is not None else None,
    )
