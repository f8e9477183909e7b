"""The life of a subscription."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class SubscriptionStatus(StrEnum):
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


S = SubscriptionStatus
CHARGEABLE = (S.ACTIVE, S.PAST_DUE)

SUBSCRIPTION = StateMachine(
    "subscription",
    start=S.ACTIVE,
    moves=[
        Move(S.ACTIVE, S.PAST_DUE, "a renewal failed"),
        Move(S.PAST_DUE, S.ACTIVE, "the missing period was paid"),
        Move(S.PAST_DUE, S.SUSPENDED, "the last retry failed"),
        Move(S.ACTIVE, S.SUSPENDED, "the method can never work again"),
        Move(S.SUSPENDED, S.ACTIVE, "the missing period was paid, or staff lifted it"),
        Move(S.ACTIVE, S.PAUSED, "paused by staff or customer"),
        Move(S.PAST_DUE, S.PAUSED, "paused by staff or customer"),
        Move(S.PAUSED, S.ACTIVE, "resumed"),
        *(
            Move(source, S.CANCELLED, "cancelled by staff or customer")
            for source in (S.ACTIVE, S.PAST_DUE, S.PAUSED, S.SUSPENDED)
        ),
    ],
)
