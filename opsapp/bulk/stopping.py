"""Stopping: what has its result keeps it, the rest is left alone."""

from opsapp.bulk import queries
from opsapp.bulk.errors import JobIsOver
from opsapp.bulk.models import BulkRow
from opsapp.bulk.states import BULK, OPEN, ROW, BulkStatus, RowStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove


@within_transaction
def stop(job_id: int, *, by: Actor) -> int:
    """Returns how many rows were left alone. Raises NotFound, JobIsOver."""
    job = queries.lock_job(job_id)
    if job.status not in OPEN:
        raise JobIsOver(status=job.status)
    because = "stopped by staff"
    BULK.move(job, BulkStatus.CANCELLED, because=because, by=by)
    job.leased_until, job.ended_at = None, clock.now()
    moves = [
        RowMove(row.id, row.status, RowStatus.CANCELLED, because)
        for row in queries.lock_waiting_rows(job_id)
    ]
    return len(ROW.move_many(BulkRow, moves, by=by))
