"""Planning: staff put the next automatic try on another day."""

from datetime import datetime

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.recovery import queries
from opsapp.recovery.errors import NothingToRecover
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import Next
from opsapp.recovery.states import COLLECTED, RECOVERY, RecoveryStatus


@within_transaction
def put_off(recovery_id: int, *, due_at: datetime, by: Actor) -> None:
    """Whoever calls it has planned the attempt. Raises NotFound, NothingToRecover."""
    row = queries.lock_recovery(recovery_id)
    if row.status in COLLECTED:
        raise NothingToRecover
    also = {"next_at": due_at, "next_step": Next.RETRY.value, "closed_at": None}
    if row.next_step == Next.FINAL:
        also["failures"] = 0  # it begins anew, as any series that is taken up after its last step
    detail = {"from": row.next_at.isoformat() if row.next_at else None, "to": due_at.isoformat()}
    because = "put on another day by staff"
    move = RowMove(row.id, row.status, RecoveryStatus.SCHEDULED, because, also=also, detail=detail)
    RECOVERY.move_many(Recovery, [move], by=by)
