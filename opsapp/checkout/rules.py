"""How far a payment link has come, as its shopper has to understand it."""

from enum import StrEnum

from opsapp.checkout.states import CheckoutStatus
from opsapp.payments.states import AttemptStatus, PaymentStatus


class Stage(StrEnum):
    CHOOSE = "choose"  # nothing chosen yet
    AT_WINDOW = "at_window"  # the gateway's page is open, or was left
    CHECKING = "checking"  # nobody may pay again before the answer is certain
    CONTACT = "contact"  # the same, and a person has to find out
    DEPOSIT = "deposit"  # an account waits for the money
    FAILED = "failed"  # no money moved; another way may be chosen
    PAID = "paid"
    REFUNDED = "refunded"
    OVER = "over"  # nothing can be paid by this link any more


# In these the shopper may choose how to pay, for the first time or again.
OPEN_STAGES = (Stage.CHOOSE, Stage.AT_WINDOW, Stage.FAILED)
# In these the truth is on its way by itself.
MOVING_STAGES = (Stage.AT_WINDOW, Stage.CHECKING, Stage.CONTACT, Stage.DEPOSIT)

_OF_PAYMENT = {
    PaymentStatus.PAID: Stage.PAID,
    PaymentStatus.PARTLY_REFUNDED: Stage.PAID,
    PaymentStatus.REFUNDED: Stage.REFUNDED,
    PaymentStatus.CANCELLED: Stage.OVER,
}
_OF_ATTEMPT = {
    AttemptStatus.AT_WINDOW: Stage.AT_WINDOW,
    AttemptStatus.NEEDS_HUMAN: Stage.CONTACT,
    AttemptStatus.WAITING: Stage.DEPOSIT,
}


def stage_of(
    status: str, *, is_over: bool, payment_status: str | None, attempt_status: str | None
) -> Stage:
    """`is_over` by the clock. What is under way at a gateway outlives the link."""
    is_over = is_over or status in (CheckoutStatus.EXPIRED, CheckoutStatus.CANCELLED)
    if payment_status is None:
        return Stage.OVER if is_over else Stage.CHOOSE
    payment = PaymentStatus(payment_status)
    if payment in _OF_PAYMENT:
        return _OF_PAYMENT[payment]
    if payment is PaymentStatus.FAILED:
        return Stage.OVER if is_over else Stage.FAILED
    if attempt_status is None:
        return Stage.CHECKING
    return _OF_ATTEMPT.get(AttemptStatus(attempt_status), Stage.CHECKING)
