"""The life of a ticket."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class TicketStatus(StrEnum):
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"


T = TicketStatus

TICKET = StateMachine(
    "ticket",
    start=T.OPEN,
    moves=[
        Move(T.OPEN, T.IN_PROGRESS, "somebody took it"),
        Move(T.OPEN, T.RESOLVED, "settled before anybody took it"),
        Move(T.IN_PROGRESS, T.RESOLVED, "settled"),
        Move(T.RESOLVED, T.OPEN, "it came back"),
    ],
)
