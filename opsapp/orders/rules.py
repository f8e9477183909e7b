"""How an order stands, read from its legs. Values in, decision out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from opsapp.orders.states import LegStatus
from opsapp.payments.states import AttemptStatus, PaymentStatus

# A failed leg of an order that is to be tried again by itself: this long after each failure.
RETRIES = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


class LegState(StrEnum):
    PAID = "paid"
    FREE = "free"  # nothing was to pay: a trial
    UNPAID = "unpaid"  # nobody was asked for it yet
    CHECKING = "checking"  # under way, or nobody knows yet
    AT_WINDOW = "at_window"
    AWAITING_DEPOSIT = "awaiting_deposit"
    FAILED = "failed"  # no money moved; another way may be chosen
    CONTACT = "contact"  # a person has to find out
    RELEASED = "released"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


class OrderState(StrEnum):
    UNPAID = "unpaid"
    CHECKING = "checking"
    PARTLY_PAID = "partly_paid"  # the other legs are owed, or were given up
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    RELEASED = "released"


class NextStep(StrEnum):
    """What happens next, and who has to do it."""

    NONE = "none"
    CHOOSE = "choose"  # the shopper, until the order is held no longer
    RETRY = "retry"  # by itself, at a planned time
    WAIT = "wait"  # for a certain answer
    WINDOW = "window"  # the shopper, at the gateway's page
    DEPOSIT = "deposit"  # the shopper, at their bank
    CONTACT = "contact"  # a person of the shop


SETTLED = (LegState.PAID, LegState.FREE, LegState.PARTLY_REFUNDED, LegState.REFUNDED)
_NEXT = {
    LegState.UNPAID: NextStep.CHOOSE,
    LegState.CHECKING: NextStep.WAIT,
    LegState.AT_WINDOW: NextStep.WINDOW,
    LegState.AWAITING_DEPOSIT: NextStep.DEPOSIT,
    LegState.FAILED: NextStep.CHOOSE,
    LegState.CONTACT: NextStep.CONTACT,
}
_OF_PAYMENT = {
    PaymentStatus.FAILED: LegState.FAILED,
    PaymentStatus.AWAITING_DEPOSIT: LegState.AWAITING_DEPOSIT,
    PaymentStatus.CANCELLED: LegState.UNPAID,
}
_OF_ATTEMPT = {
    AttemptStatus.AT_WINDOW: LegState.AT_WINDOW,
    AttemptStatus.NEEDS_HUMAN: LegState.CONTACT,
    AttemptStatus.WAITING: LegState.AWAITING_DEPOSIT,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A leg's row and what its payment and latest attempt say."""

    status: str
    amount_minor: int
    given_back_minor: int = 0  # of its money and of its points
    payment_status: str | None = None
    attempt_status: str | None = None
    is_retry_planned: bool = False  # the latest attempt was never sent and is due later


def leg_state_of(leg: Standing) -> LegState:
    if leg.status == LegStatus.RELEASED:
        return LegState.RELEASED
    if leg.status == LegStatus.PAID:
        return _state_of_paid(leg)
    if leg.payment_status is None:
        return LegState.UNPAID
    of_payment = _OF_PAYMENT.get(PaymentStatus(leg.payment_status))
    if of_payment is not None:
        return of_payment
    if leg.is_retry_planned:
        return LegState.FAILED
    if leg.attempt_status is None:
        return LegState.CHECKING
    return _OF_ATTEMPT.get(AttemptStatus(leg.attempt_status), LegState.CHECKING)


def next_step_of(state: LegState, *, is_retry_planned: bool = False) -> NextStep:
    if state is LegState.FAILED and is_retry_planned:
        return NextStep.RETRY
    return _NEXT.get(state, NextStep.NONE)


def state_of(legs: Sequence[LegState]) -> OrderState:
    """Of the whole order; a leg that was given up is no part of what is paid."""
    standing = [state for state in legs if state is not LegState.RELEASED]
    if not standing:
        return OrderState.RELEASED
    settled = [state for state in standing if state in SETTLED]
    if len(settled) < len(standing):
        if settled:
            return OrderState.PARTLY_PAID
        is_looked_at = {LegState.CHECKING, LegState.CONTACT} & set(standing)
        return OrderState.CHECKING if is_looked_at else OrderState.UNPAID
    with_money = [state for state in settled if state is not LegState.FREE]
    if with_money and all(state is LegState.REFUNDED for state in with_money):
        return OrderState.REFUNDED
    if {LegState.REFUNDED, LegState.PARTLY_REFUNDED} & set(settled):
        return OrderState.PARTLY_REFUNDED
    return OrderState.PAID if len(standing) == len(legs) else OrderState.PARTLY_PAID


def retry_after(failures: int) -> timedelta | None:
    """How long after its n-th failure a leg is tried again; None: not any more."""
    return RETRIES[failures - 1] if 1 <= failures <= len(RETRIES) else None


def _state_of_paid(leg: Standing) -> LegState:
    if not leg.amount_minor:
        return LegState.FREE
    if leg.given_back_minor >= leg.amount_minor:
        return LegState.REFUNDED
    return LegState.PARTLY_REFUNDED if leg.given_back_minor else LegState.PAID
