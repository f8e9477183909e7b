"""The lives of a reservation and of an adjustment."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class ReservationStatus(StrEnum):
    RESERVED = "reserved"
    POSTED = "posted"
    VOIDED = "voided"


R = ReservationStatus

RESERVATION = StateMachine(
    "point_reservation",
    start=R.RESERVED,
    moves=[
        Move(R.RESERVED, R.POSTED, "what they were reserved for is paid"),
        Move(R.RESERVED, R.VOIDED, "nothing was bought: the points went back"),
    ],
)


class AdjustmentStatus(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


A = AdjustmentStatus

ADJUSTMENT = StateMachine(
    "point_adjustment",
    start=A.REQUESTED,
    moves=[
        Move(A.REQUESTED, A.APPROVED, "a second person agreed: the points were moved"),
        Move(A.REQUESTED, A.REFUSED, "a second person said no"),
        Move(A.REQUESTED, A.WITHDRAWN, "whoever asked takes it back"),
    ],
)
