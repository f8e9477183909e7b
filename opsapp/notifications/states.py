"""The life of a notice. It goes out at least once; the provider is given our id."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class NoticeStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    REVOKED = "revoked"


N = NoticeStatus
OPEN = (N.QUEUED, N.SENDING)

NOTICE = StateMachine(
    "notice",
    start=N.QUEUED,
    moves=[
        Move(N.QUEUED, N.SENDING, "claimed, to be sent"),
        Move(N.SENDING, N.SENDING, "the lease ran out; sent again"),
        Move(N.SENDING, N.SENT, "the channel took it"),
        Move(N.SENDING, N.QUEUED, "the channel did not answer; tried again later"),
        Move(N.SENDING, N.FAILED, "the channel refused, or tried too often"),
        Move(N.QUEUED, N.REVOKED, "its reason is gone"),
        *(Move(n, N.QUEUED, "asked for again") for n in (N.SENT, N.FAILED, N.REVOKED)),
    ],
)
