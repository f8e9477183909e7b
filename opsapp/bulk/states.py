"""The lives of a bulk job and of each of its rows."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class BulkStatus(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


B = BulkStatus
OPEN = (B.QUEUED, B.RUNNING)
STOPPABLE = (B.AWAITING_APPROVAL, *OPEN)

BULK = StateMachine(
    "bulk_job",
    start=B.QUEUED,
    other_starts=(B.AWAITING_APPROVAL,),
    moves=[
        Move(B.AWAITING_APPROVAL, B.QUEUED, "a second person agreed"),
        Move(B.AWAITING_APPROVAL, B.CANCELLED, "no second person agreed, or it was taken back"),
        Move(B.QUEUED, B.RUNNING, "a worker began"),
        Move(B.RUNNING, B.RUNNING, "another worker went on with it"),
        Move(B.RUNNING, B.DONE, "every row has its result"),
        Move(B.QUEUED, B.CANCELLED, "cancelled before it began"),
        Move(B.RUNNING, B.CANCELLED, "stopped: the rows that were left stay as they are"),
    ],
)


class RowStatus(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"


R = RowStatus

ROW = StateMachine(
    "bulk_row",
    start=R.WAITING,
    moves=[
        Move(R.WAITING, R.DONE, "done"),
        Move(R.WAITING, R.REFUSED, "it could not be done to this one"),
        Move(R.WAITING, R.CANCELLED, "the job was stopped before its turn"),
    ],
)
