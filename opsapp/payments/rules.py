"""What an attempt or a refund may ask next, and what an answer means. Values in, decision out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from opsapp.gateways.values import Answer, FailureClass, Flow, Outcome
from opsapp.kernel.money import Money
from opsapp.payments.states import AttemptStatus as A, PaymentStatus as P, RefundStatus as R

# Looks at an uncertain row, then a person. The first ones are quick: most lost answers were
# given, so the first inquiry settles them; a request that never arrived takes two turns more.
LOOKS = (
    timedelta(seconds=2),
    timedelta(seconds=2),
    timedelta(seconds=4),
    timedelta(seconds=8),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(days=1),
    timedelta(days=1),
)
TURNS_MAX = len(LOOKS) + 1
MISSED_LOOK_MAX = timedelta(minutes=5)  # at a gateway that cannot be reached
# Toss Payments: a window lives 30 minutes, and what was agreed in it is confirmed within 10.
WINDOW_LIFE = timedelta(minutes=45)
WINDOW_LEFT = Answer(
    Outcome.DECLINED,
    "the customer did not come back from the window",
    code="WINDOW_CLOSED",  # our own: no gateway has one
    failure_class=FailureClass.CUSTOMER_CANCELLED,
    retry_mode="after_fix",
)
DEPOSIT_LOOK = timedelta(hours=6)  # at an open virtual account, in case its webhook was lost

CUSTOMER_CLASSES = frozenset(
    {
        FailureClass.AUTHENTICATION,
        FailureClass.EXPIRED,
        FailureClass.FRAUD,
        FailureClass.CUSTOMER_CANCELLED,
    }
)
# Another gateway may be asked: this one has certainly not charged, and its fault was its own.
OUR_CLASSES = frozenset({FailureClass.GATEWAY, FailureClass.CONFIGURATION})


class Ask(StrEnum):
    SEND = "send"
    INQUIRE = "inquire"
    CLOSE = "close"  # a virtual account shall take no money any more
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Question:
    """What the claim knew, so that the answer can be judged by it.

    `is_resend`: an earlier request of the same row may have been executed.
    `may_replay`: the row's key may be sent again: the gateway honours it, its window is open, and
    nobody has stopped the charge meanwhile.
    """

    ask: Ask
    previous: str
    is_resend: bool
    may_replay: bool
    expected: Money
    turns: int
    misses: int = 0
    is_contradicted: bool = False  # the gateway has said that the refund cannot be
    is_given_up: bool = False  # nobody wants the deposit any more
    is_window_over: bool = False  # the customer cannot come back any more
    confirms_on_return: bool = True  # and without our confirm no money moves


@dataclass(frozen=True, slots=True)
class Verdict:
    """`took_no_turn`: nothing reached the gateway, so the turn is given back.

    `instead`: what the answer amounts to, where that is not what the gateway said.
    """

    status: A
    because: str
    wait: timedelta = timedelta(0)
    took_no_turn: bool = False
    instead: Answer | None = None


@dataclass(frozen=True, slots=True)
class RefundVerdict:
    status: R
    because: str
    wait: timedelta = timedelta(0)
    took_no_turn: bool = False


def next_ask(
    status: str,
    *,
    turns: int,
    first_sent_at: datetime | None,
    may_replay: bool,
    closes: bool = False,
) -> Ask:
    """Only a ready row is sent. Whatever may be out already is inquired first."""
    if turns >= TURNS_MAX:
        return Ask.STAFF
    if status == A.WAITING and closes:
        return Ask.CLOSE
    if status == A.READY and (first_sent_at is None or may_replay):
        return Ask.SEND
    return Ask.INQUIRE


def previous_of(status: str, flow: str, first_sent_at: datetime | None) -> str:
    """A window of which nothing was sent is still one when a worker has died looking at it."""
    is_window = flow == Flow.WINDOW and first_sent_at is None
    return A.AT_WINDOW if is_window and status in (A.INFLIGHT, A.UNKNOWN) else status


def may_replay(first_sent_at: datetime | None, now: datetime, window: timedelta | None) -> bool:
    """Whether the gateway still answers a repeated key with the first answer."""
    return window is not None and (first_sent_at is None or now - first_sent_at < window)


def judge(answer: Answer, question: Question) -> Verdict:
    """The next state of an attempt. "Not found" alone is never a decline."""
    wait = _wait(question)
    match answer.outcome:
        case Outcome.APPROVED:
            return _judge_approval(answer, question)
        case Outcome.PENDING:
            return Verdict(A.WAITING, answer.because, DEPOSIT_LOOK)
        case Outcome.PREPARED if answer.gateway_key is not None:
            return Verdict(A.READY, answer.because, took_no_turn=True)
        case Outcome.DECLINED | Outcome.MISCONFIGURED if _is_about_this_request(answer, question):
            return Verdict(A.DECLINED, f"{answer.because} ({answer.code})")
        case _ if question.previous == A.AT_WINDOW:
            return _judge_window(answer, question, wait)
        case _ if question.previous == A.WAITING:
            missed = answer.outcome is Outcome.NOT_SENT
            return Verdict(A.WAITING, answer.because, wait, took_no_turn=missed)
        case Outcome.NOT_SENT if question.ask is Ask.SEND and not question.is_resend:
            return Verdict(A.READY, answer.because, wait, took_no_turn=True)
        case Outcome.NOT_SENT:
            return Verdict(A.UNKNOWN, answer.because, wait, took_no_turn=True)
        case Outcome.NOT_FOUND if question.ask is Ask.INQUIRE:
            return _judge_not_found(question, wait)
        case Outcome.IN_PROGRESS if question.ask is Ask.INQUIRE and question.may_replay:
            because = f"{answer.because}: the same key may be sent again"
            return Verdict(A.READY, because, wait)
        case Outcome.CONFLICT if question.ask is Ask.SEND:
            return Verdict(A.UNKNOWN, f"{answer.because} ({answer.code}): inquired at once")
        case _:
            return Verdict(A.UNKNOWN, answer.because or "no certain answer", wait)


def judge_refund(answer: Answer, question: Question, *, refunded_before: Money) -> RefundVerdict:
    """The next state of a refund; `refunded_before` is what we know to have been given back."""
    wait = _wait(question)
    if question.ask is Ask.INQUIRE:
        return _judge_refund_inquiry(answer, question, refunded_before, wait)
    match answer.outcome:
        case Outcome.APPROVED if answer.amount != question.expected:
            return RefundVerdict(
                R.NEEDS_HUMAN, f"refunded {answer.amount}, not {question.expected}"
            )
        case Outcome.APPROVED:
            return RefundVerdict(R.SUCCEEDED, answer.because)
        case Outcome.DECLINED | Outcome.MISCONFIGURED if not question.is_resend:
            return RefundVerdict(R.REFUSED, f"{answer.because} ({answer.code})")
        case Outcome.NOT_SENT if not question.is_resend:
            return RefundVerdict(R.REQUESTED, answer.because, wait, took_no_turn=True)
        case Outcome.NOT_SENT:
            return RefundVerdict(R.UNKNOWN, answer.because, wait, took_no_turn=True)
        case Outcome.CONFLICT:
            return RefundVerdict(R.UNKNOWN, f"{answer.because} ({answer.code}): inquired at once")
        case _:
            return RefundVerdict(R.UNKNOWN, answer.because or "no certain answer", wait)


def next_refund_ask(
    *, turns: int, first_sent_at: datetime | None, is_contradicted: bool, may_replay: bool
) -> Ask:
    """A refund is sent again under its own key; after a contradiction the gateway is asked.

    Asked also every second time: a stored answer that settles nothing is replayed for ever.
    """
    if turns >= TURNS_MAX:
        return Ask.STAFF
    if first_sent_at is None:
        return Ask.SEND
    return Ask.INQUIRE if is_contradicted or not may_replay or turns % 2 == 0 else Ask.SEND


def look_after(turns: int) -> timedelta:
    """How long to wait after the given number of turns (1 = the first has just been taken)."""
    return LOOKS[min(max(turns, 1), len(LOOKS)) - 1]


def _wait(question: Question) -> timedelta:
    """Turns that reached nobody wait longer each time too, but never miss the return by much."""
    if question.misses:
        return min(look_after(question.turns + question.misses), MISSED_LOOK_MAX)
    return look_after(question.turns)


def is_by_staff(requested_by: str) -> bool:
    """Of an attempt, by the actor who ordered it: a person, the customer too, and not the plan."""
    return requested_by.startswith(("staff:", "customer:"))


def status_after_refund(*, captured_minor: int, refunded_minor: int) -> P:
    """Fully refunded is a balance of 0, not a number of refunds."""
    return P.REFUNDED if refunded_minor == captured_minor else P.PARTLY_REFUNDED


def _is_about_this_request(answer: Answer, question: Question) -> bool:
    """A refusal ends the attempt only if it speaks about the request that may be out.

    An inquiry does. The first request does. A repeated one does only as a stored answer of the
    same key: a customer's decline, while the window is open. A repeated request that meets a
    wrong API key says nothing about the first one, which may have charged.
    """
    if question.ask is Ask.INQUIRE:
        return answer.outcome is Outcome.DECLINED
    if not question.is_resend:
        return True
    return question.may_replay and answer.failure_class in CUSTOMER_CLASSES


def _judge_approval(answer: Answer, question: Question) -> Verdict:
    if answer.amount != question.expected:
        return Verdict(A.NEEDS_HUMAN, f"approved {answer.amount}, not {question.expected}")
    if answer.refunded and answer.refunded.minor:
        return Verdict(A.NEEDS_HUMAN, "approved, and already cancelled at the gateway")
    return Verdict(A.SUCCEEDED, answer.because)


def _judge_window(answer: Answer, question: Question, wait: timedelta) -> Verdict:
    """Nobody came back. Where money moves in the window itself, only an answer ends it."""
    is_certain = question.confirms_on_return or answer.outcome in (
        Outcome.NOT_FOUND,
        Outcome.IN_PROGRESS,
    )
    if question.is_window_over and is_certain:
        return Verdict(A.DECLINED, WINDOW_LEFT.because, instead=WINDOW_LEFT)
    missed = answer.outcome is Outcome.NOT_SENT
    return Verdict(A.AT_WINDOW, answer.because, wait, took_no_turn=missed)


def _judge_not_found(question: Question, wait: timedelta) -> Verdict:
    if question.may_replay:
        return Verdict(A.READY, "not found: the same key may be sent again")
    if question.turns + 1 >= TURNS_MAX:
        return Verdict(A.NEEDS_HUMAN, "not found, and its key is no longer honoured")
    return Verdict(A.UNKNOWN, "not found yet", wait)


def _judge_refund_inquiry(
    answer: Answer, question: Question, refunded_before: Money, wait: timedelta
) -> RefundVerdict:
    if answer.outcome is not Outcome.APPROVED or answer.refunded is None:
        return RefundVerdict(R.UNKNOWN, answer.because or "no certain answer", wait)
    if answer.refunded == refunded_before + question.expected:
        return RefundVerdict(R.SUCCEEDED, "found given back at the gateway")
    if answer.refunded == refunded_before and question.is_contradicted:
        return RefundVerdict(R.REFUSED, "the gateway refused; no money moved")
    if answer.refunded == refunded_before:
        return RefundVerdict(R.UNKNOWN, "not given back yet", wait)
    return RefundVerdict(R.NEEDS_HUMAN, f"the gateway has given back {answer.refunded}")
