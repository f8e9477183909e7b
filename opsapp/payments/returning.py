"""Returning: what the gateway said about refunds becomes state, books, log and news."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, update

from opsapp.failures.noting import note_unmapped
from opsapp.gateways import failures
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, Flow, Outcome, RefundRequest, as_log_fields
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import (
    REFUNDS,
    REFUNDS_IN_TRANSIT,
    UNMATCHED as UNMATCHED_ACCOUNT,
    gateway_clearing,
)
from opsapp.payments import depositing, finding_refunds, queries, rules
from opsapp.payments.events import (
    RefundAccountsAsked,
    RefundFact,
    RefundsMade,
    RefundsReleased,
)
from opsapp.payments.models import Payment, Refund, UnmatchedMoney
from opsapp.payments.rules import Question, RefundVerdict
from opsapp.payments.states import PAYMENT, REFUND, UNMATCHED, RefundStatus, UnmatchedStatus
from opsapp.routing.tallying import tally
from opsapp.tickets.opening import NewTicket, open_tickets

log = structlog.get_logger(__name__)

ASKED = "refund_account_asked"
_WRONG_ACCOUNT = "refund_account"  # subclass of the failure table


@dataclass(frozen=True, slots=True)
class RefundClaim:
    """One refund in hand."""

    refund_id: int
    payment_id: int
    attempt_id: int
    unmatched_id: int | None
    customer_id: int
    fence: int
    gateway_name: str
    gateway_order_id: str
    flow: Flow
    question: Question
    request: RefundRequest
    refunded_before: Money
    failure_code: str | None
    first_sent_at: datetime | None
    account_sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Settled:
    """A refund that has come to its certain end."""

    refund_id: int
    payment_id: int
    unmatched_id: int | None
    customer_id: int
    gateway_name: str
    amount: Money
    because: str

    @classmethod
    def of(cls, refund: Refund, *, customer_id: int, because: str) -> "Settled":
        return cls(
            refund.id,
            refund.payment_id,
            refund.unmatched_id,
            customer_id,
            refund.gateway_name,
            refund.amount,
            because,
        )


_Judged = tuple[RefundClaim, Answer, RefundVerdict]


@within_transaction
def record_refunds(results: Sequence[tuple[RefundClaim, Answer]], *, by: Actor) -> None:
    """Write a batch of answers down. Payments are locked before refunds (house order)."""
    payments = {row.id: row for row in queries.lock_payments([c.payment_id for c, _ in results])}
    now = clock.now()
    judged = [(claim, answer, _judge(claim, answer)) for claim, answer in results]
    moved = REFUND.move_many(Refund, [_refund_move(*each, now) for each in judged], by=by)
    if len(moved) < len(judged):
        log.warning("payments.late_refund_answers_discarded", count=len(judged) - len(moved))
    valid = [each for each in judged if each[0].refund_id in moved]
    give_back(_settled(valid, RefundStatus.SUCCEEDED), payments, by=by)
    release(_settled(valid, RefundStatus.REFUSED), by=by)
    _ask_for_accounts(_settled(valid, RefundStatus.AWAITING_ACCOUNT), by=by)
    _open_tickets(valid, by=by)
    _note_unmapped(valid)
    tally([(c.gateway_name, f"refund {c.refund_id}", answer) for c, answer, _ in valid], by=by)


@within_transaction
def look_again(refund_ids: Sequence[int]) -> None:
    """Ask the gateway now instead of at the planned time; no planned look is used up."""
    if refund_ids:
        db.session.execute(
            update(Refund)
            .where(Refund.id.in_(refund_ids))
            .values(due_at=func.ops_now(), hinted_at=None, turns=func.greatest(Refund.turns - 1, 0))
        )


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


@within_transaction
def give_back(settled: Sequence[Settled], payments: Mapping[int, Payment], *, by: Actor) -> None:
    """The money is the customer's again: the payment's own, or money that stood beside it."""
    own = [each for each in settled if each.unmatched_id is None]
    moves = []
    for each in own:
        payment = payments[each.payment_id]
        refunded = payment.refunded_minor + each.amount.minor
        target = rules.status_after_refund(
            captured_minor=payment.captured_minor, refunded_minor=refunded
        )
        also = {"refunded_minor": refunded, "refund_pending_minor": 0}
        moves.append(RowMove(payment.id, payment.status, target, each.because, also=also))
    PAYMENT.move_many(Payment, moves, by=by)
    _move_cases(settled, UnmatchedStatus.RETURNED, by=by)
    post([_transfer(each) for each in settled])
    if settled:
        announce(RefundsMade(tuple(_fact(each) for each in settled)))


@within_transaction
def release(settled: Sequence[Settled], *, by: Actor) -> None:
    """Nothing was given back: the reservation ends. One refund at a time is open per payment."""
    own = [each for each in settled if each.unmatched_id is None]
    if own:
        payment_ids = [each.payment_id for each in own]
        db.session.execute(
            update(Payment).where(Payment.id.in_(payment_ids)).values(refund_pending_minor=0)
        )
    _move_cases(settled, UnmatchedStatus.OPEN, by=by)
    post([_transfer_back(each) for each in own])
    if own:
        announce(RefundsReleased(tuple(_fact(each) for each in own)))


def get_title(payment_id: int) -> str:
    """What the customer paid for, in the words of the order."""
    return db.session.get_one(Payment, payment_id).title


def list_owners(payment_ids: Sequence[int]) -> dict[int, int]:
    """The customer of each payment."""
    return {row.id: row.customer_id for row in queries.lock_payments(payment_ids)}


def _judge(claim: RefundClaim, answer: Answer) -> RefundVerdict:
    """A refusal for the account's sake is not the end: another account is asked for."""
    verdict = rules.judge_refund(answer, claim.question, refunded_before=claim.refunded_before)
    code = answer.code or claim.failure_code
    if verdict.status is not RefundStatus.REFUSED or claim.request.account is None or not code:
        return verdict
    known = failures.find(gateway_named(claim.gateway_name).failure_sources, code)
    if known is None or known.subclass != _WRONG_ACCOUNT:
        return verdict
    because = f"the gateway refused the bank account ({code})"
    return replace(verdict, status=RefundStatus.AWAITING_ACCOUNT, because=because)


def _refund_move(
    claim: RefundClaim, answer: Answer, verdict: RefundVerdict, now: datetime
) -> RowMove:
    never_sent = verdict.took_no_turn and not claim.question.is_resend
    is_over = verdict.status in (RefundStatus.SUCCEEDED, RefundStatus.REFUSED)
    is_asked_anew = verdict.status is RefundStatus.AWAITING_ACCOUNT
    is_contradiction = answer.outcome is Outcome.CONFLICT or is_over or is_asked_anew
    contradiction = answer.code if is_contradiction else None
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
            # Nobody needs the whole number any more.
            "account_sealed": None if is_over or is_asked_anew else claim.account_sealed,
        },
        detail=as_log_fields(answer) | {"fence": claim.fence},
    )


def _settled(judged: Sequence[_Judged], status: RefundStatus) -> list[Settled]:
    return [
        Settled(
            claim.refund_id,
            claim.payment_id,
            claim.unmatched_id,
            claim.customer_id,
            claim.gateway_name,
            claim.request.amount,
            verdict.because,
        )
        for claim, _, verdict in judged
        if verdict.status is status
    ]


def _move_cases(settled: Sequence[Settled], target: UnmatchedStatus, *, by: Actor) -> None:
    because = {each.unmatched_id: each.because for each in settled if each.unmatched_id}
    rows = finding_refunds.lock_unmatched_of(list(because)) if because else []
    ended_at = clock.now() if target is UnmatchedStatus.RETURNED else None
    moves = [
        RowMove(row.id, row.status, target, because[row.id], also={"ended_at": ended_at})
        for row in rows
    ]
    UNMATCHED.move_many(UnmatchedMoney, moves, by=by)
    if target is UnmatchedStatus.RETURNED and moves:
        depositing.resolve_cases([row.id for row in rows], because=moves[0].because, by=by)


def _ask_for_accounts(settled: Sequence[Settled], *, by: Actor) -> None:
    if not settled:
        return
    open_tickets(
        [
            NewTicket("payment", each.payment_id, each.customer_id, ASKED, each.because)
            for each in settled
        ],
        by=by,
    )
    announce(RefundAccountsAsked(tuple(_fact(each) for each in settled)))


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


def _note_unmapped(judged: Sequence[_Judged]) -> None:
    note_unmapped(
        [
            (answer.unmapped_source, answer.code, claim.attempt_id)
            for claim, answer, _ in judged
            if answer.unmapped_source and answer.code
        ]
    )


def _transfer(settled: Settled) -> Transfer:
    """Money beside the payment was never set aside: it goes straight back."""
    is_own = settled.unmatched_id is None
    return Transfer(
        kind="refund" if is_own else "return",
        debit_account=REFUNDS_IN_TRANSIT if is_own else UNMATCHED_ACCOUNT,
        credit_account=gateway_clearing(settled.gateway_name),
        amount=settled.amount,
        subject_type="refund",
        subject_id=settled.refund_id,
        payment_id=settled.payment_id,
    )


def _transfer_back(settled: Settled) -> Transfer:
    return Transfer(
        kind="refund_released",
        debit_account=REFUNDS_IN_TRANSIT,
        credit_account=REFUNDS,
        amount=settled.amount,
        subject_type="refund",
        subject_id=settled.refund_id,
        payment_id=settled.payment_id,
    )


def _fact(settled: Settled) -> RefundFact:
    return RefundFact(
        refund_id=settled.refund_id,
        payment_id=settled.payment_id,
        customer_id=settled.customer_id,
        amount_minor=settled.amount.minor,
        currency=settled.amount.currency,
        unmatched_id=settled.unmatched_id,
    )
