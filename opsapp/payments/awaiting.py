"""Awaiting: when an open virtual account is asked about, closed, and what the answer means.

Values in, decision out, as in rules.py. A gateway's word that it is paid counts by what has
arrived: some let in more or less than the amount.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.payments.rules import DEPOSIT_LOOK, LOOKS, Question, Verdict, look_after
from opsapp.payments.states import AttemptStatus as A

# Nobody tells us that an account has run out, so it is looked at right after its deadline; one
# that can still be paid into at the look after that is closed by us.
EXPIRY_GRACE = timedelta(minutes=1)
OVERDUE_LOOK = timedelta(minutes=5)

NO_DEPOSIT = Answer(
    Outcome.DECLINED,
    "no deposit before the deadline",
    code="DEPOSIT_EXPIRED",
    failure_class=FailureClass.AUTHENTICATION,
    retry_mode="later",
)
GIVEN_UP = Answer(
    Outcome.DECLINED,
    "the account was closed",
    code="DEPOSIT_CANCELLED",
    failure_class=FailureClass.CUSTOMER_CANCELLED,
    retry_mode="none",
)


def is_overdue(due_at: datetime | None, now: datetime) -> bool:
    return due_at is not None and now >= due_at + OVERDUE_LOOK


def next_look(due_at: datetime, now: datetime) -> timedelta:
    """Every few hours in case a message was lost, and right after the deadline."""
    return min(DEPOSIT_LOOK, max(due_at + EXPIRY_GRACE - now, OVERDUE_LOOK))


def judge_closing(answer: Answer, question: Question) -> Verdict:
    """Only "closed" ends it. What contradicts is looked at: somebody may have paid in."""
    if answer.outcome is Outcome.APPROVED:
        ended = GIVEN_UP if question.is_given_up else NO_DEPOSIT
        return Verdict(A.DECLINED, ended.because, instead=ended)
    wait = LOOKS[0] if answer.outcome is Outcome.CONFLICT else look_after(question.turns)
    missed = answer.outcome is Outcome.NOT_SENT
    return Verdict(A.WAITING, answer.because or "no certain answer", wait, took_no_turn=missed)


def judge_deposit(answer: Answer, question: Question, now: datetime) -> Verdict | None:
    """What a certain answer about the account means; None: judged as any other answer."""
    if answer.outcome is Outcome.PENDING and answer.account is not None:
        return _judge_open(answer, question, answer.account.due_at, now)
    if answer.outcome is not Outcome.APPROVED or answer.deposited is None:
        return None
    if answer.refunded and answer.refunded.minor:
        return None
    if answer.deposited.currency != question.expected.currency:
        return Verdict(A.NEEDS_HUMAN, f"paid in {answer.deposited}, not {question.expected}")
    if question.is_given_up:
        because = "paid in after it was given up"
        return Verdict(A.DECLINED, because, instead=_ended(answer, GIVEN_UP, because))
    if answer.deposited.minor < question.expected.minor:
        return Verdict(A.WAITING, "part of the amount was paid in", DEPOSIT_LOOK)
    return Verdict(A.SUCCEEDED, answer.because)


def _judge_open(answer: Answer, question: Question, due_at: datetime, now: datetime) -> Verdict:
    """Not everywhere can one be closed that holds part of the amount: tried once, it has ended."""
    has_part = answer.deposited is not None and answer.deposited.minor > 0
    is_tried = question.is_contradicted and (question.is_given_up or is_overdue(due_at, now))
    if has_part and is_tried:
        ended = GIVEN_UP if question.is_given_up else NO_DEPOSIT
        because = "only part of the amount was paid in"
        return Verdict(A.DECLINED, because, instead=_ended(answer, ended, because))
    look = next_look(due_at, now)
    if question.is_given_up:
        look = min(look, look_after(question.turns))
    return Verdict(A.WAITING, answer.because, look)


def _ended(answer: Answer, ended: Answer, because: str) -> Answer:
    """What has arrived is told, and that the payment has ended without it."""
    return replace(
        answer,
        outcome=ended.outcome,
        because=because,
        code=ended.code,
        failure_class=ended.failure_class,
        retry_mode=ended.retry_mode,
    )
