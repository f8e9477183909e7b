"""The life of an export. One that is handed over at once is born delivered."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class ExportStatus(StrEnum):
    DELIVERED = "delivered"
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


E = ExportStatus
OPEN = (E.QUEUED, E.RUNNING)

EXPORT = StateMachine(
    "export",
    start=E.QUEUED,
    other_starts=(E.DELIVERED,),
    moves=[
        Move(E.QUEUED, E.RUNNING, "a worker began"),
        Move(E.RUNNING, E.RUNNING, "another worker began again"),
        Move(E.RUNNING, E.READY, "the file is kept"),
        Move(E.RUNNING, E.FAILED, "it cannot be written"),
        Move(E.QUEUED, E.CANCELLED, "cancelled before it began"),
        Move(E.RUNNING, E.CANCELLED, "cancelled while it was written"),
        Move(E.READY, E.EXPIRED, "its time is over and the file is deleted"),
    ],
)
