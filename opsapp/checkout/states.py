"""The life of a payment link."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class CheckoutStatus(StrEnum):
    OPEN = "open"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


C = CheckoutStatus

CHECKOUT = StateMachine(
    "checkout",
    start=C.OPEN,
    moves=[
        Move(C.OPEN, C.PAID, "its payment was collected"),
        Move(C.OPEN, C.EXPIRED, "nobody paid in time"),
        Move(C.OPEN, C.CANCELLED, "withdrawn by staff"),
        # A deposit may arrive on the last evening, and an answer later than the link's end.
        Move(C.EXPIRED, C.PAID, "its payment was collected after all"),
        Move(C.CANCELLED, C.PAID, "its payment was collected after all"),
    ],
)
