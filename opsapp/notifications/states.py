"""The life of a notice, and what became of each try at a channel.

A notice goes out at least once; the provider is given our id. It is sent once a channel took it;
whether it arrived stands in its deliveries.
"""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class NoticeStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    REVOKED = "revoked"


class DeliveryStatus(StrEnum):
    """`away`: nobody knows whether the channel took it."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    AWAY = "away"
    DELIVERED = "delivered"
    FAILED = "failed"


N = NoticeStatus
D = DeliveryStatus
OPEN = (N.QUEUED, N.SENDING)
ENDED = (N.SENT, N.FAILED, N.REVOKED)

NOTICE = StateMachine(
    "notice",
    start=N.QUEUED,
    moves=[
        Move(N.QUEUED, N.SENDING, "claimed, to be sent"),
        Move(N.SENDING, N.SENDING, "the lease ran out; sent again"),
        Move(N.SENDING, N.SENT, "the channel took it"),
        Move(N.SENDING, N.QUEUED, "the channel did not answer, or another one is left"),
        Move(N.SENDING, N.FAILED, "the last channel refused, or was tried too often"),
        Move(N.SENDING, N.REVOKED, "its reason went while it was under way"),
        Move(N.QUEUED, N.REVOKED, "its reason is gone"),
        Move(N.SENT, N.QUEUED, "not delivered, or asked for again"),
        Move(N.SENT, N.FAILED, "not delivered, and no channel is left"),
        Move(N.QUEUED, N.SENT, "delivered after all"),
        *(Move(n, N.QUEUED, "asked for again") for n in (N.FAILED, N.REVOKED)),
    ],
)

DELIVERY = StateMachine(
    "notice_delivery",
    start=D.ACCEPTED,
    other_starts=(D.REFUSED, D.AWAY),
    moves=[
        Move(D.ACCEPTED, D.DELIVERED, "the provider reports that it arrived"),
        Move(D.ACCEPTED, D.FAILED, "the provider reports that it did not arrive"),
        Move(D.FAILED, D.DELIVERED, "it arrived after all; reports come in any order"),
    ],
)
