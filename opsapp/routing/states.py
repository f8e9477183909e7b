"""The life of a gateway's circuit: whether it may be asked at present."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class CircuitStatus(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    PAUSED = "paused"


C = CircuitStatus

CIRCUIT = StateMachine(
    "gateway_circuit",
    start=C.CLOSED,
    moves=[
        Move(C.CLOSED, C.OPEN, "most calls failed or were slow"),
        Move(C.OPEN, C.PROBING, "the rest is over: a few calls go through"),
        Move(C.PROBING, C.CLOSED, "they went well"),
        Move(C.PROBING, C.OPEN, "one of them did not"),
        Move(C.CLOSED, C.PAUSED, "our settings are refused, or staff hold it"),
        Move(C.OPEN, C.PAUSED, "staff hold it"),
        Move(C.PROBING, C.PAUSED, "our settings are refused, or staff hold it"),
        Move(C.PAUSED, C.PROBING, "staff let it go on"),
    ],
)
