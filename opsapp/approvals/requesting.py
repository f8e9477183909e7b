"""Requesting: an act is too much for one person, so a second one is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from opsapp.approvals.models import Approval
from opsapp.approvals.rules import Terms
from opsapp.approvals.states import APPROVAL
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record


@dataclass(frozen=True, slots=True)
class NewApproval:
    """`sums`: minor units by currency of what would go back; `why`: a code of rules."""

    subject_type: str
    subject_id: int
    act: str
    rows: int
    sums: Mapping[str, int]
    why: str
    because: str


@within_transaction
def request_approval(wish: NewApproval, terms: Terms, *, by: Actor) -> int:
    """In the transaction that makes the subject wait. Returns the request's id."""
    now = clock.now()
    row = {
        "subject_type": wish.subject_type,
        "subject_id": wish.subject_id,
        "act": wish.act,
        "rows": wish.rows,
        "sums": dict(wish.sums),
        "why": wish.why,
        "because": wish.because,
        "status": APPROVAL.start.value,
        "requested_by": str(by),
        "requested_at": now,
        "answer_due_at": now + timedelta(hours=terms.answer_hours),
        "expires_at": now + timedelta(hours=terms.expire_hours),
    }
    [written] = bulk_insert(Approval, [row], returning=("id",))
    entry = Entry(
        "approval.requested",
        "approval",
        written.id,
        because=wish.because,
        to_state=APPROVAL.start.value,
        detail={
            "subject_type": wish.subject_type,
            "subject_id": wish.subject_id,
            "why": wish.why,
            "rows": wish.rows,
        },
    )
    record(entry, by=by)
    return int(written.id)
