"""Expiring: nobody decided in time, so nothing is done and what was reserved is free again."""

from opsapp.approvals import queries
from opsapp.approvals.events import ApprovalFact, ApprovalsEnded
from opsapp.approvals.models import Approval
from opsapp.approvals.states import APPROVAL, ApprovalStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove

BY = Actor("timetable", "approvals.expire")
BATCH = 200


@within_transaction
def expire() -> int:
    """Returns how many."""
    now, because = clock.now(), "nobody decided in time"
    rows = queries.lock_overdue(now, limit=BATCH)
    also = {"decided_by": str(BY), "decided_at": now}
    moves = [
        RowMove(row.id, row.status, ApprovalStatus.EXPIRED, because, also=also) for row in rows
    ]
    moved = APPROVAL.move_many(Approval, moves, by=BY)
    facts = tuple(ApprovalFact.of(row, because=because, by=BY) for row in rows if row.id in moved)
    if facts:
        announce(ApprovalsEnded(facts))
    return len(facts)
