"""Facts about consents, told in batches."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsentFact:
    consent_id: int
    customer_id: int
    subscription_id: int | None
    kind: str
    subject_type: str
    subject_id: int


@dataclass(frozen=True, slots=True)
class ConsentsGiven:
    """Agreed to here; what was agreed to before an import is no news."""

    consents: tuple[ConsentFact, ...]


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    consent: ConsentFact
    by_kind: str  # of the actor, so that the listener's log names the same one
    by_name: str
