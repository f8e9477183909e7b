"""Judging: the gateway's answer about an ended attempt beside our books. Values in, finding out."""

from dataclasses import dataclass
from enum import StrEnum

from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.money import Money
from opsapp.payments.rules import Ask, Question, judge
from opsapp.payments.states import AttemptStatus as A


class Finding(StrEnum):
    """What a gateway's message turned out to be about, once the gateway had been asked."""

    SAME = "same"
    ASKED = "asked"  # about an open attempt: that one's own turn asks
    REOPENED = "reopened"  # a person was to settle it, and the gateway knows by now
    DEPOSIT_REVERSED = "deposit_reversed"
    REFUNDED_THERE = "refunded_there"
    LATE_APPROVAL = "late_approval"
    LATE_DEPOSIT = "late_deposit"
    NOT_PAID_THERE = "not_paid_there"
    DISAGREES = "disagrees"  # sums that no rule explains
    METHOD_GONE = "method_gone"
    NOT_OURS = "not_ours"
    CHANGED = "changed"  # our own books moved while the gateway was asked
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Held:
    """What our books say of an attempt that has ended, or that waits for a person.

    `refunded_minor`: all that was given back of its money, of a part that no payment wanted too.
    `late_minor`: approved after the attempt had ended, and held for a person to return.
    """

    status: str
    payment_status: str
    expected: Money
    is_closed: bool = False  # we have wanted nothing more to be paid in
    refunded_minor: int = 0
    has_open_refund: bool = False  # may be at the gateway
    has_planned_refund: bool = False  # nothing of it was sent yet
    stuck_refund_id: int | None = None
    has_deposits: bool = False
    deposited_minor: int = 0
    late_minor: int = 0
    is_decided: bool = False  # a person found it approved


def judge_settled(answer: Answer, held: Held) -> Finding:
    """How the gateway's books differ from ours about an attempt that has ended."""
    if held.status == A.NEEDS_HUMAN:
        return _judge_stuck(answer, held)
    if held.status == A.SUCCEEDED:
        return _judge_paid(answer, held)
    return _judge_unpaid(answer, held)


def _judge_stuck(answer: Answer, held: Held) -> Finding:
    question = Question(
        ask=Ask.INQUIRE,
        previous=A.UNKNOWN,
        is_resend=True,
        may_replay=False,
        expected=held.expected,
        turns=1,
    )
    match judge(answer, question).status:
        case A.SUCCEEDED | A.DECLINED | A.WAITING:
            return Finding.REOPENED
        case A.NEEDS_HUMAN:
            return Finding.SAME
        case _:
            return Finding.UNKNOWN


def _judge_paid(answer: Answer, held: Held) -> Finding:
    match answer.outcome:
        case Outcome.APPROVED if held.has_deposits and _arrived(answer) != held.deposited_minor:
            return _judge_deposits(_arrived(answer), held)
        case Outcome.APPROVED if answer.amount != held.expected:
            return Finding.DISAGREES
        case Outcome.APPROVED:
            return _judge_refunded(_given_back(answer), held)
        case Outcome.PENDING | Outcome.DECLINED if held.deposited_minor:
            return Finding.DEPOSIT_REVERSED
        case Outcome.PENDING | Outcome.DECLINED if held.has_deposits:
            return Finding.SAME  # taken back already, and a person has to claim what is missing
        case Outcome.PENDING | Outcome.DECLINED:
            return Finding.NOT_PAID_THERE
        case _:  # "not found" alone is never a decline
            return Finding.UNKNOWN


def _judge_deposits(arrived: int, held: Held) -> Finding:
    if arrived > held.deposited_minor:
        return Finding.LATE_DEPOSIT
    return Finding.DEPOSIT_REVERSED if arrived < held.expected.minor else Finding.DISAGREES


def _judge_refunded(given_back: int, held: Held) -> Finding:
    """A refund of ours that is under way may be among them, so it has to end first."""
    if given_back == held.refunded_minor:
        return Finding.SAME
    if held.has_open_refund:
        return Finding.UNKNOWN
    if given_back < held.refunded_minor or held.has_planned_refund:
        return Finding.DISAGREES
    if held.stuck_refund_id is not None:
        return Finding.REOPENED
    return Finding.REFUNDED_THERE


def _judge_unpaid(answer: Answer, held: Held) -> Finding:
    """Declined or withdrawn here; whatever has come in since belongs to nobody yet."""
    arrived = _arrived(answer)
    match answer.outcome:
        case Outcome.APPROVED | Outcome.PENDING | Outcome.DECLINED if (
            arrived > held.deposited_minor
        ):
            return Finding.LATE_DEPOSIT
        # Who says nothing of deposits has not said that they are gone.
        case Outcome.APPROVED | Outcome.PENDING | Outcome.DECLINED if (
            answer.deposited is not None and arrived < held.deposited_minor
        ):
            return Finding.DEPOSIT_REVERSED
        case Outcome.APPROVED if answer.amount is None:
            return Finding.UNKNOWN
        case Outcome.APPROVED if held.has_deposits:
            return _judge_refunded(_given_back(answer), held)
        case Outcome.APPROVED:
            return _judge_late(_approved(answer) - _given_back(answer), held)
        case Outcome.DECLINED | Outcome.NOT_FOUND | Outcome.IN_PROGRESS:
            return Finding.SAME
        case Outcome.PENDING if held.has_deposits:
            return Finding.SAME  # what holds a part of the amount cannot be closed everywhere
        case _:
            return Finding.UNKNOWN


def _judge_late(kept_there: int, held: Held) -> Finding:
    kept_here = held.late_minor - held.refunded_minor
    if kept_there == kept_here:
        return Finding.SAME
    if held.has_open_refund:
        return Finding.UNKNOWN
    if not held.late_minor:
        return Finding.LATE_APPROVAL
    return Finding.REFUNDED_THERE if kept_there < kept_here else Finding.DISAGREES


def _arrived(answer: Answer) -> int:
    return answer.deposited.minor if answer.deposited is not None else 0


def _approved(answer: Answer) -> int:
    return answer.amount.minor if answer.amount is not None else 0


def _given_back(answer: Answer) -> int:
    return answer.refunded.minor if answer.refunded is not None else 0
