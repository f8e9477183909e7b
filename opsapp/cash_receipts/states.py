"""The life of a cash receipt at the tax office, reached through the gateway."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class ReceiptStatus(StrEnum):
    WANTED = "wanted"
    REQUESTED = "requested"
    IN_PROGRESS = "in_progress"
    ISSUED = "issued"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    NEEDS_HUMAN = "needs_human"


S = ReceiptStatus
OPEN = (S.REQUESTED, S.IN_PROGRESS, S.CANCELLING)
# Another one may be asked for beside these.
ENDED = (S.CANCELLED, S.FAILED, S.WITHDRAWN)

RECEIPT = StateMachine(
    "cash_receipt",
    start=S.WANTED,
    other_starts=(S.REQUESTED,),
    moves=[
        Move(S.WANTED, S.REQUESTED, "its payment was collected"),
        Move(S.WANTED, S.WITHDRAWN, "paid in a way that has none, or not wanted any more"),
        Move(S.REQUESTED, S.REQUESTED, "claimed, or no certain answer: the same request again"),
        Move(S.REQUESTED, S.WITHDRAWN, "all of it was refunded before anything was sent"),
        Move(S.REQUESTED, S.IN_PROGRESS, "registered; the tax office has not answered yet"),
        Move(S.REQUESTED, S.ISSUED, "the tax office has issued it"),
        Move(S.REQUESTED, S.FAILED, "refused"),
        Move(S.REQUESTED, S.NEEDS_HUMAN, "no certain answer in many turns"),
        Move(S.IN_PROGRESS, S.IN_PROGRESS, "claimed, or not answered yet"),
        Move(S.IN_PROGRESS, S.ISSUED, "the tax office has issued it"),
        Move(S.IN_PROGRESS, S.FAILED, "the tax office has refused it"),
        Move(S.IN_PROGRESS, S.NEEDS_HUMAN, "no answer for many days"),
        Move(S.ISSUED, S.CANCELLING, "money was given back, or staff want it cancelled"),
        Move(S.CANCELLING, S.CANCELLING, "claimed, or no certain answer yet"),
        Move(S.CANCELLING, S.CANCELLED, "all of it was cancelled"),
        Move(S.CANCELLING, S.ISSUED, "part of it was cancelled"),
        Move(S.CANCELLING, S.NEEDS_HUMAN, "the cancel was refused, or stays without an answer"),
        Move(S.FAILED, S.REQUESTED, "staff ask for it again"),
        Move(S.NEEDS_HUMAN, S.REQUESTED, "staff ask for it again"),
        Move(S.NEEDS_HUMAN, S.IN_PROGRESS, "staff ask what became of it"),
        Move(S.NEEDS_HUMAN, S.CANCELLING, "staff ask for the cancel again"),
    ],
)
