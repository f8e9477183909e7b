"""The life of a leg: what of an order is charged together."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine

# Kinds of lines and legs.
ONE_OFF = "one_off"
SUBSCRIPTION = "subscription"
KINDS = (ONE_OFF, SUBSCRIPTION)
# What becomes of a leg whose charge failed: see following.
ON_FAILURE = ("hold", "retry", "release")


class LegStatus(StrEnum):
    OPEN = "open"
    PAID = "paid"
    RELEASED = "released"


L = LegStatus

LEG = StateMachine(
    "order_leg",
    start=L.OPEN,
    # Nothing is left to pay: points, or a trial. Released: given up before there were legs.
    other_starts=(L.PAID, L.RELEASED),
    moves=[
        Move(L.OPEN, L.PAID, "its money was collected"),
        Move(L.OPEN, L.RELEASED, "nobody pays it any more"),
        Move(L.PAID, L.OPEN, "its money was taken back"),
    ],
)
