"""The lives of a subscription, of a change that is planned for it and of a billing run."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class SubscriptionStatus(StrEnum):
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


S = SubscriptionStatus
# The next period of these is charged when its day comes.
CHARGEABLE = (S.TRIALING, S.ACTIVE, S.PAST_DUE)
# What failed is tried again in these: whoever leaves at the end of a period still owes it.
RECOVERABLE = (*CHARGEABLE, S.CANCELLING)
ENDED = (S.CANCELLED, S.EXPIRED)
GOING_ON = tuple(status for status in S if status not in ENDED)

SUBSCRIPTION = StateMachine(
    "subscription",
    start=S.ACTIVE,
    other_starts=(S.TRIALING,),
    moves=[
        Move(S.TRIALING, S.ACTIVE, "the trial is over and its first period is charged"),
        Move(S.TRIALING, S.PAST_DUE, "the trial is over and its first period cannot be charged"),
        Move(S.ACTIVE, S.PAST_DUE, "a renewal failed"),
        Move(S.PAST_DUE, S.ACTIVE, "the missing period was paid"),
        *(
            Move(source, S.SUSPENDED, "the recovery policy ended in it")
            for source in (S.TRIALING, S.ACTIVE, S.PAST_DUE, S.CANCELLING, S.PAUSED)
        ),
        Move(S.SUSPENDED, S.ACTIVE, "the missing period was paid, or staff lifted it"),
        Move(S.SUSPENDED, S.PAST_DUE, "the suspension is lifted, and a period is owed still"),
        Move(S.SUSPENDED, S.TRIALING, "the suspension is lifted while its trial lasts"),
        Move(S.SUSPENDED, S.PAUSED, "the suspension is lifted, and it is paused still"),
        Move(S.SUSPENDED, S.CANCELLING, "the suspension is lifted, and it ends soon"),
        *(
            Move(source, S.PAUSED, "paused by staff or customer")
            for source in (S.TRIALING, S.ACTIVE, S.PAST_DUE)
        ),
        Move(S.PAUSED, S.ACTIVE, "resumed"),
        Move(S.PAUSED, S.TRIALING, "resumed while its trial lasts"),
        Move(S.PAUSED, S.PAST_DUE, "resumed, and a period is owed still"),
        *(
            Move(source, S.CANCELLING, "cancelled by staff or customer at the end of the period")
            for source in (S.TRIALING, S.ACTIVE, S.PAST_DUE)
        ),
        Move(S.CANCELLING, S.ACTIVE, "the cancellation was taken back"),
        Move(S.CANCELLING, S.TRIALING, "the cancellation was taken back while its trial lasts"),
        Move(S.CANCELLING, S.PAST_DUE, "the cancellation was taken back, and a period is owed"),
        *(
            Move(source, S.CANCELLED, "cancelled by staff or customer")
            for source in (
                S.TRIALING, S.ACTIVE, S.PAST_DUE, S.PAUSED, S.SUSPENDED, S.CANCELLING,
            )
        ),
        *(
            Move(source, S.EXPIRED, "its fixed term is over")
            for source in (S.TRIALING, S.ACTIVE, S.PAST_DUE, S.PAUSED, S.SUSPENDED)
        ),
    ],
)  # fmt: skip


class ChangeStatus(StrEnum):
    PLANNED = "planned"
    AWAITING_PAYMENT = "awaiting_payment"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"


C = ChangeStatus
CHANGE_OPEN = (C.PLANNED, C.AWAITING_PAYMENT)

CHANGE = StateMachine(
    "subscription_change",
    start=C.PLANNED,
    other_starts=(C.AWAITING_PAYMENT, C.APPLIED),
    moves=[
        Move(C.PLANNED, C.APPLIED, "its day has come"),
        Move(C.AWAITING_PAYMENT, C.APPLIED, "the difference was paid"),
        Move(C.AWAITING_PAYMENT, C.WITHDRAWN, "the difference was not paid"),
        Move(C.PLANNED, C.WITHDRAWN, "nobody wants it any more"),
    ],
)


class RunStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"


N = RunStatus

RUN = StateMachine(
    "billing_run",
    start=N.RUNNING,
    moves=[
        Move(N.RUNNING, N.PAUSED, "held by staff"),
        Move(N.PAUSED, N.RUNNING, "let go on by staff"),
        Move(N.RUNNING, N.DONE, "nothing of the day is left to do"),
        Move(N.DONE, N.RUNNING, "something else fell due on the day"),
    ],
)
