"""The lives of a recovery and of a version of the policy."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class RecoveryStatus(StrEnum):
    MONITORING = "monitoring"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    RECOVERED = "recovered"
    PARTLY_RECOVERED = "partly_recovered"
    EXHAUSTED = "exhausted"
    ENDED = "ended"


R = RecoveryStatus
OPEN = (R.MONITORING, R.SCHEDULED, R.PROCESSING)
COLLECTED = (R.RECOVERED, R.PARTLY_RECOVERED)
# What may be collected yet, by staff or with another method.
UNCOLLECTED = (*OPEN, R.EXHAUSTED, R.ENDED)

RECOVERY = StateMachine(
    "recovery",
    start=R.MONITORING,
    other_starts=(R.SCHEDULED, R.EXHAUSTED),
    moves=[
        *(Move(source, R.SCHEDULED, "another try is planned") for source in UNCOLLECTED),
        *(
            Move(source, R.MONITORING, "it waits for another method, or for a person")
            for source in UNCOLLECTED
        ),
        *(Move(source, R.PROCESSING, "another try is under way") for source in UNCOLLECTED),
        *(
            Move(source, R.RECOVERED, "it was paid, and nothing else is owed")
            for source in (*UNCOLLECTED, R.PARTLY_RECOVERED)
        ),
        *(
            Move(source, R.PARTLY_RECOVERED, "it was paid, and another period is owed still")
            for source in UNCOLLECTED
        ),
        *(
            Move(source, R.EXHAUSTED, "the last step of the policy was taken")
            for source in UNCOLLECTED
        ),
        *(
            Move(source, R.ENDED, "nobody collects it any more")
            for source in (*OPEN, R.EXHAUSTED)
        ),
        *(
            Move(source, target, "the money was not there after all")
            for source in COLLECTED
            for target in (R.MONITORING, R.SCHEDULED, R.EXHAUSTED)
        ),
    ],
)  # fmt: skip


class PolicyStatus(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


P = PolicyStatus

POLICY = StateMachine(
    "recovery_policy",
    start=P.DRAFT,
    other_starts=(P.ACTIVE,),
    moves=[
        Move(P.DRAFT, P.ACTIVE, "it decides about failures from now on"),
        Move(P.DRAFT, P.RETIRED, "nobody wants it"),
        Move(P.ACTIVE, P.RETIRED, "another version took its place"),
    ],
)
