"""Facts about decisions, told in batches: who waits for them goes on in the same transaction."""

from dataclasses import dataclass
from typing import Any

from opsapp.kernel.actors import Actor


@dataclass(frozen=True, slots=True)
class ApprovalFact:
    approval_id: int
    subject_type: str
    subject_id: int
    because: str
    by: Actor

    @classmethod
    def of(cls, row: Any, *, because: str, by: Actor) -> "ApprovalFact":
        return cls(row.id, row.subject_type, row.subject_id, because, by)


@dataclass(frozen=True, slots=True)
class ApprovalsGranted:
    facts: tuple[ApprovalFact, ...]


@dataclass(frozen=True, slots=True)
class ApprovalsEnded:
    """Sent back, withdrawn or too old: nothing is done."""

    facts: tuple[ApprovalFact, ...]


@dataclass(frozen=True, slots=True)
class ApprovalBypassed:
    """Somebody declared an emergency and decided alone. Told besides ApprovalsGranted."""

    fact: ApprovalFact
    requested_by: str
