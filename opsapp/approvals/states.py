"""The life of a request that a second person decides."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class ApprovalStatus(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


A = ApprovalStatus

APPROVAL = StateMachine(
    "approval",
    start=A.REQUESTED,
    moves=[
        Move(A.REQUESTED, A.APPROVED, "a second person agreed, or an emergency was declared"),
        Move(A.REQUESTED, A.RETURNED, "a second person sent it back with a comment"),
        Move(A.REQUESTED, A.WITHDRAWN, "whoever asked took it back"),
        Move(A.REQUESTED, A.EXPIRED, "nobody decided in time"),
    ],
)
