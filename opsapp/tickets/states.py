"""The life of a ticket."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class TicketStatus(StrEnum):
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING_CUSTOMER = "waiting_customer"
    RESOLVED = "resolved"


T = TicketStatus

TICKET = StateMachine(
    "ticket",
    start=T.OPEN,
    moves=[
        Move(T.OPEN, T.IN_PROGRESS, "somebody took it"),
        Move(T.OPEN, T.WAITING_CUSTOMER, "the customer was asked something"),
        Move(T.OPEN, T.RESOLVED, "settled before anybody took it"),
        Move(T.IN_PROGRESS, T.OPEN, "whoever had it put it back"),
        Move(T.IN_PROGRESS, T.WAITING_CUSTOMER, "the customer was asked something"),
        Move(T.IN_PROGRESS, T.RESOLVED, "settled"),
        Move(T.WAITING_CUSTOMER, T.IN_PROGRESS, "the customer answered, or nobody waits any more"),
        Move(T.WAITING_CUSTOMER, T.RESOLVED, "settled while the customer was waited for"),
        Move(T.RESOLVED, T.OPEN, "it came back"),
    ],
)
