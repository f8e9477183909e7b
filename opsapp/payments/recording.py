"""Recording: what the gateway said about attempts becomes state, books, log and news.

All of it in one transaction, under the fence of each claim; a zombie's answer writes nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import structlog
from sqlalchemy import Update, func, update

from opsapp.failures.noting import note_unmapped
from opsapp.gateways.values import Answer, ChargeRequest, Flow, Outcome, as_log_fields
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import (
    as_array,
    bulk_update,
    db,
    execute_plain,
    is_among,
    within_transaction,
)
from opsapp.kernel.events import announce
from opsapp.kernel.masking import mask_account
from opsapp.kernel.states import RowMove
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import SALES, gateway_clearing
from opsapp.payments import awaiting, depositing, queries, rerouting, rules
from opsapp.payments.depositing import DepositSeen
from opsapp.payments.events import (
    AnswersRecorded,
    DepositsAwaited,
    PaymentFact,
    PaymentsFailed,
    PaymentsPaid,
)
from opsapp.payments.models import Attempt, GatewayEvent, Payment
from opsapp.payments.rules import Ask, Question, Verdict
from opsapp.payments.states import ATTEMPT, PAYMENT, AttemptStatus, EventStatus, PaymentStatus
from opsapp.routing.tallying import tally
from opsapp.tickets.opening import NewTicket, open_tickets

log = structlog.get_logger(__name__)

# Open ends about which a webhook may have come while the gateway was being asked.
_ASKED = (AttemptStatus.WAITING, AttemptStatus.UNKNOWN)
_PAYMENT_AFTER = {
    AttemptStatus.SUCCEEDED: PaymentStatus.PAID,
    AttemptStatus.DECLINED: PaymentStatus.FAILED,
    AttemptStatus.WAITING: PaymentStatus.AWAITING_DEPOSIT,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt in hand."""

    attempt_id: int
    fence: int
    gateway_name: str
    question: Question
    request: ChargeRequest
    fact: PaymentFact
    first_sent_at: datetime | None
    gateway_key: str | None


_Judged = tuple[Claim, Answer, Verdict]


@within_transaction
def record_answers(results: Sequence[tuple[Claim, Answer]], *, by: Actor) -> None:
    """Write a batch of answers down. Payments are locked before attempts (house order)."""
    payments = queries.lock_payment_states([claim.fact.payment_id for claim, _ in results])
    now = clock.now()
    given_up = queries.list_given_up([c.attempt_id for c, a in results if a.deposited is not None])
    judged = [
        _judged(claim, answer, now, is_given_up=claim.attempt_id in given_up)
        for claim, answer in results
    ]
    moved = ATTEMPT.move_many(Attempt, [_attempt_move(*each, now) for each in judged], by=by)
    if len(moved) < len(judged):
        log.warning("payments.late_answers_discarded", count=len(judged) - len(moved))
    valid = [each for each in judged if each[0].attempt_id in moved]
    _move_payments(valid, payments, now, by=by)
    _post_charges(valid)
    _keep_accounts(valid)
    depositing.record_deposits(_deposits_seen(valid), by=by)
    _read_messages(valid)
    _open_tickets([each for each in valid if each[2].status is AttemptStatus.NEEDS_HUMAN], by=by)
    _note_unmapped(valid)
    elsewhere = rerouting.ask_elsewhere([claim.fact for claim in _fallen(valid)], by=by)
    _announce([each for each in valid if each[0].attempt_id not in elsewhere], payments)
    # Circuits are locked after whatever the listeners have locked.
    tally([(c.gateway_name, _subject(c), answer) for c, answer, _ in valid], by=by)


@within_transaction
def look_again(attempt_ids: Sequence[int]) -> None:
    """The gateway has spoken about these: inquire now instead of at the planned time.

    Such a look is not one of the planned ones: whoever sends messages cannot use those up.
    """
    if attempt_ids:
        db.session.execute(
            update(Attempt)
            .where(Attempt.id.in_(attempt_ids))
            .values(
                due_at=func.ops_now(), hinted_at=None, turns=func.greatest(Attempt.turns - 1, 0)
            )
        )


@within_transaction
def hand_to_staff(rows: Sequence[Any], *, because: str, by: Actor) -> None:
    """Attempts that no turn settles: a person decides, and nobody can overlook it."""
    moves = [
        RowMove(row.id, row.status, AttemptStatus.NEEDS_HUMAN, because, also={"leased_until": None})
        for row in rows
    ]
    moved = ATTEMPT.move_many(Attempt, moves, by=by)
    open_tickets(
        [
            NewTicket("payment", row.payment_id, row.customer_id, "uncertain_attempt", because)
            for row in rows
            if row.id in moved
        ],
        by=by,
    )


def account_context(idempotency_key: str) -> str:
    return f"attempts.account|{idempotency_key}"


def _judged(claim: Claim, answer: Answer, now: datetime, *, is_given_up: bool) -> _Judged:
    """An account that was given up while the gateway was asked is given up all the same."""
    if is_given_up:
        claim = replace(claim, question=replace(claim.question, is_given_up=True))
    if claim.question.ask is Ask.CLOSE:
        verdict = awaiting.judge_closing(answer, claim.question)
    else:
        verdict = awaiting.judge_deposit(answer, claim.question, now) or rules.judge(
            answer, claim.question
        )
    return claim, verdict.instead or answer, verdict


def _attempt_move(claim: Claim, answer: Answer, verdict: Verdict, now: datetime) -> RowMove:
    never_sent = verdict.took_no_turn and not claim.question.is_resend
    is_fresh_account = answer.outcome is Outcome.PENDING and not claim.question.is_given_up
    is_over = verdict.status in (AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED)
    turns = claim.question.turns - verdict.took_no_turn
    at_window = claim.request.flow is Flow.WINDOW
    also: dict[str, Any] = {
        "due_at": now + verdict.wait,
        "leased_until": None,
        "hinted_at": None,
        "turns": 0 if is_fresh_account else turns,
        "misses": claim.question.misses + 1 if verdict.took_no_turn else 0,
        "first_sent_at": None if never_sent else claim.first_sent_at,
        "gateway_key": answer.gateway_key or claim.gateway_key,
        "method_kind": (at_window and answer.method_kind) or claim.fact.method_kind,
        "approval_number": answer.approval_number,
        "receipt_url": answer.receipt_url,
        "paid_with": answer.paid_with,
        "trace_id": answer.trace_id,
        "failure_class": answer.failure_class,
        "failure_code": answer.code,
        "ended_at": now if is_over else None,
    }
    return RowMove(
        claim.attempt_id,
        AttemptStatus.INFLIGHT,
        verdict.status,
        verdict.because,
        fence=claim.fence,
        also=also,
        detail=as_log_fields(answer) | {"fence": claim.fence},
    )


def _move_payments(
    judged: Sequence[_Judged], payments: dict[int, Any], now: datetime, *, by: Actor
) -> None:
    moves = []
    for claim, answer, verdict in judged:
        row = payments[claim.fact.payment_id]
        target = _PAYMENT_AFTER.get(verdict.status)
        if target is None or target == row.status:
            continue
        is_paid = target is PaymentStatus.PAID
        also = {
            "captured_minor": claim.fact.amount_minor if is_paid else row.captured_minor,
            "approval_number": answer.approval_number,
            # Inside a window the customer may have chosen another kind.
            "method_kind": answer.method_kind or row.method_kind,
            "paid_at": now if is_paid else None,
            "failure_class": answer.failure_class,
            "failure_code": answer.code,
        }
        moves.append(RowMove(row.id, row.status, target, verdict.because, also=also))
    PAYMENT.move_many(Payment, moves, by=by)
    unwanted = [
        RowMove(c.fact.payment_id, PaymentStatus.FAILED, PaymentStatus.CANCELLED, v.because)
        for c, _, v in judged
        if _is_unwanted(c, v)
    ]
    PAYMENT.move_many(Payment, unwanted, by=by)


def _is_unwanted(claim: Claim, verdict: Verdict) -> bool:
    """Given up by us: it has ended and is nobody's failure."""
    return claim.question.is_given_up and verdict.status is AttemptStatus.DECLINED


def _takes_deposits(claim: Claim, answer: Answer) -> bool:
    """By the kind that was paid with: in a window the customer may have chosen another one."""
    is_account = (answer.method_kind or claim.fact.method_kind) == queries.VIRTUAL_ACCOUNT
    return is_account or answer.account is not None or answer.deposited is not None


def _deposits_seen(judged: Sequence[_Judged]) -> list[DepositSeen]:
    """What arrived on virtual accounts: a deposit is booked there, not here."""
    seen = []
    for claim, answer, verdict in judged:
        gateway_key = answer.gateway_key or claim.gateway_key
        is_over = verdict.status in (AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED)
        if not _takes_deposits(claim, answer) or gateway_key is None:
            continue
        if not is_over and verdict.status is not AttemptStatus.WAITING:
            continue
        is_paid = verdict.status is AttemptStatus.SUCCEEDED
        rest = "over" if is_paid else "after_cancel" if claim.question.is_given_up else "short"
        arrived = answer.deposited or (answer.amount if is_paid else None)
        seen.append(
            DepositSeen(
                attempt_id=claim.attempt_id,
                payment_id=claim.fact.payment_id,
                customer_id=claim.fact.customer_id,
                gateway_name=claim.gateway_name,
                gateway_key=gateway_key,
                currency=claim.fact.currency,
                deposited_minor=None if arrived is None else arrived.minor,
                matched_minor=claim.fact.amount_minor if is_paid else 0,
                deposit_key=answer.deposit_key,
                depositor=answer.depositor,
                reason=rest if is_over else None,
            )
        )
    return seen


def _post_charges(judged: Sequence[_Judged]) -> None:
    post(
        [
            Transfer(
                kind="charge",
                debit_account=gateway_clearing(claim.gateway_name),
                credit_account=SALES,
                amount=claim.question.expected,
                subject_type="attempt",
                subject_id=claim.attempt_id,
                payment_id=claim.fact.payment_id,
            )
            for claim, answer, verdict in judged
            if verdict.status is AttemptStatus.SUCCEEDED and not _takes_deposits(claim, answer)
        ]
    )


def _keep_accounts(judged: Sequence[_Judged]) -> None:
    """The account's number and secret are encrypted; its bank and last four may be shown."""
    rows = [
        {
            "id": claim.attempt_id,
            "account": {"bank": account.bank, "number": mask_account(account.number)},
            "account_sealed": seal(
                json.dumps({"number": account.number, "secret": account.secret}),
                context=account_context(claim.request.idempotency_key),
            ),
            "deposit_due_at": account.due_at,
            "method_kind": queries.VIRTUAL_ACCOUNT,
        }
        for claim, answer, _ in judged
        if (account := answer.account) is not None
    ]
    bulk_update(Attempt, rows)


def _open_tickets(judged: Sequence[_Judged], *, by: Actor) -> None:
    open_tickets(
        [
            NewTicket(
                "payment",
                claim.fact.payment_id,
                claim.fact.customer_id,
                "uncertain_attempt",
                verdict.because,
            )
            for claim, _, verdict in judged
        ],
        by=by,
    )


def _read_messages(judged: Sequence[_Judged]) -> None:
    """What came about them meanwhile has waited for this; nobody tells of a billing charge."""
    told = [
        claim.attempt_id
        for claim, _, verdict in judged
        if claim.request.flow is not Flow.BILLING or verdict.status in _ASKED
    ]
    if told:
        execute_plain(_read_what_waits(), {"ids": as_array(told)})


@cache
def _read_what_waits() -> Update:
    waiting = update(GatewayEvent).where(
        is_among(GatewayEvent.attempt_id, "ids"), GatewayEvent.status == EventStatus.STORED.value
    )
    return waiting.values(due_at=func.ops_now(), hinted_at=None)


def _note_unmapped(judged: Sequence[_Judged]) -> None:
    note_unmapped(
        [
            (answer.unmapped_source, answer.code, claim.attempt_id)
            for claim, answer, _ in judged
            if answer.unmapped_source and answer.code
        ]
    )


def _subject(claim: Claim) -> str:
    """Of the circuit's count. What browsers brought is in the requests after windows: all of them
    together are one, or a few shoppers could make the gateway look wrongly set up for everybody.
    """
    if claim.request.flow is Flow.WINDOW:
        return "windows"
    return f"attempt {claim.attempt_id}"


def _fallen(judged: Sequence[_Judged]) -> list[Claim]:
    """Ended without money, by no fault of the customer's, and nobody has to be present again."""
    return [
        claim
        for claim, answer, verdict in judged
        if verdict.status is AttemptStatus.DECLINED
        and not _is_unwanted(claim, verdict)
        and claim.request.flow is Flow.ACCOUNT
        and answer.failure_class in rules.OUR_CLASSES
    ]


def _told(fact: PaymentFact, answer: Answer) -> PaymentFact:
    told = (answer.failure_class, answer.code, answer.retry_mode, answer.account)
    if told == (None, None, None, None):
        return fact
    return replace(
        fact,
        failure_class=answer.failure_class,
        failure_code=answer.code,
        retry_mode=answer.retry_mode,
        account=answer.account,
    )


def _announce(judged: Sequence[_Judged], payments: dict[int, Any]) -> None:
    facts: dict[AttemptStatus, list[PaymentFact]] = {}
    for claim, answer, verdict in judged:
        if _is_unwanted(claim, verdict):
            continue
        is_news = verdict.status is not AttemptStatus.WAITING or (
            payments[claim.fact.payment_id].status == PaymentStatus.PENDING
        )
        if is_news:
            facts.setdefault(verdict.status, []).append(_told(claim.fact, answer))
    paid, failed = facts.get(AttemptStatus.SUCCEEDED), facts.get(AttemptStatus.DECLINED)
    if paid and failed:
        announce(AnswersRecorded(tuple(paid), tuple(failed)))
    if paid:
        announce(PaymentsPaid(tuple(paid)))
    if failed:
        announce(PaymentsFailed(tuple(failed)))
    if awaited := facts.get(AttemptStatus.WAITING):
        announce(DepositsAwaited(tuple(awaited)))
