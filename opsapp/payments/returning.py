"""Returning: what the gateway said about refunds becomes state, books, log and news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import update

from opsapp.gateways.base import Answer, Outcome, RefundRequest, as_log_fields
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import REFUNDS, REFUNDS_IN_TRANSIT, gateway_clearing
from opsapp.payments import queries, rules
from opsapp.payments.events import RefundFact, RefundsMade
from opsapp.payments.models import Payment, Refund
from opsapp.payments.rules import Question, RefundVerdict
from opsapp.payments.states import PAYMENT, REFUND, RefundStatus
from opsapp.tickets.opening import NewTicket, open_tickets

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RefundClaim:
    """One refund in hand."""

    refund_id: int
    payment_id: int
    customer_id: int
    fence: int
    gateway_name: str
    gateway_order_id: str
    question: Question
    request: RefundRequest
    refunded_before: Money
    failure_code: str | None
    first_sent_at: datetime | None


_Judged = tuple[RefundClaim, Answer, RefundVerdict]


@within_transaction
def record_refunds(results: Sequence[tuple[RefundClaim, Answer]], *, by: Actor) -> None:
    """Write a batch of answers down. Payments are locked before refunds (house order)."""
    payments = {row.id: row for row in queries.lock_payments([c.payment_id for c, _ in results])}
    now = clock.now()
    judged = [
        (
            claim,
            answer,
            rules.judge_refund(answer, claim.question, refunded_before=claim.refunded_before),
        )
        for claim, answer in results
    ]
    moved = REFUND.move_many(Refund, [_refund_move(*each, now) for each in judged], by=by)
    if len(moved) < len(judged):
        log.warning("payments.late_refund_answers_discarded", count=len(judged) - len(moved))
    valid = [each for each in judged if each[0].refund_id in moved]
    _give_back([each for each in valid if each[2].status is RefundStatus.SUCCEEDED], payments, by)
    _release([each for each in valid if each[2].status is RefundStatus.REFUSED])
    _open_tickets(valid, by=by)


@within_transaction
def hand_to_staff(rows: Sequence[Any], *, because: str, by: Actor) -> None:
    """Refunds that no turn settles: the amount stays reserved until a person decides."""
    moves = [
        RowMove(row.id, row.status, RefundStatus.NEEDS_HUMAN, because, also={"leased_until": None})
        for row in rows
    ]
    moved = REFUND.move_many(Refund, moves, by=by)
    open_tickets(
        [
            NewTicket("payment", row.payment_id, row.customer_id, "refund_stuck", because)
            for row in rows
            if row.id in moved
        ],
        by=by,
    )


def _refund_move(
    claim: RefundClaim, answer: Answer, verdict: RefundVerdict, now: datetime
) -> RowMove:
    never_sent = verdict.took_no_turn and not claim.question.is_resend
    is_over = verdict.status in (RefundStatus.SUCCEEDED, RefundStatus.REFUSED)
    contradiction = answer.code if answer.outcome is Outcome.CONFLICT or is_over else None
    return RowMove(
        claim.refund_id,
        RefundStatus.INFLIGHT,
        verdict.status,
        verdict.because,
        fence=claim.fence,
        also={
            "due_at": now + verdict.wait,
            "leased_until": None,
            "hinted_at": None,
            "turns": claim.question.turns - verdict.took_no_turn,
            "misses": claim.question.misses + 1 if verdict.took_no_turn else 0,
            "first_sent_at": None if never_sent else claim.first_sent_at,
            "gateway_key": answer.transaction_key,
            # On an open refund: what the gateway said against it; the next turn looks instead.
            "failure_code": contradiction or claim.failure_code,
            "ended_at": now if is_over else None,
        },
        detail=as_log_fields(answer) | {"fence": claim.fence},
    )


def _give_back(judged: Sequence[_Judged], payments: dict[int, Payment], by: Actor) -> None:
    moves = []
    for claim, _, verdict in judged:
        payment = payments[claim.payment_id]
        refunded = payment.refunded_minor + claim.request.amount.minor
        target = rules.status_after_refund(
            captured_minor=payment.captured_minor, refunded_minor=refunded
        )
        also = {"refunded_minor": refunded, "refund_pending_minor": 0}
        moves.append(RowMove(payment.id, payment.status, target, verdict.because, also=also))
    PAYMENT.move_many(Payment, moves, by=by)
    post([_transfer("refund", c, gateway_clearing(c.gateway_name)) for c, _, _ in judged])
    if judged:
        announce(RefundsMade(tuple(_fact(claim) for claim, _, _ in judged)))


def _release(judged: Sequence[_Judged]) -> None:
    """Nothing was given back: the reservation ends. One refund at a time is open per payment."""
    released = [claim.payment_id for claim, _, _ in judged]
    if released:
        db.session.execute(
            update(Payment).where(Payment.id.in_(released)).values(refund_pending_minor=0)
        )
    post([_transfer("refund_released", claim, REFUNDS) for claim, _, _ in judged])


def _open_tickets(judged: Sequence[_Judged], *, by: Actor) -> None:
    reasons = {
        RefundStatus.REFUSED: "refund_refused",
        RefundStatus.NEEDS_HUMAN: "refund_stuck",
    }
    open_tickets(
        [
            NewTicket("payment", c.payment_id, c.customer_id, reasons[v.status], v.because)
            for c, _, v in judged
            if v.status in reasons
        ],
        by=by,
    )


def _transfer(kind: str, claim: RefundClaim, credit_account: str) -> Transfer:
    return Transfer(
        kind=kind,
        debit_account=REFUNDS_IN_TRANSIT,
        credit_account=credit_account,
        amount=claim.request.amount,
        subject_type="refund",
        subject_id=claim.refund_id,
        payment_id=claim.payment_id,
    )


def _fact(claim: RefundClaim) -> RefundFact:
    return RefundFact(
        refund_id=claim.refund_id,
        payment_id=claim.payment_id,
        customer_id=claim.customer_id,
        amount_minor=claim.request.amount.minor,
        currency=claim.request.amount.currency,
    )
