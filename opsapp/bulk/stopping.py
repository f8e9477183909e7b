"""Stopping: what has its result keeps it, the rest is left alone."""

from opsapp.approvals import deciding, queries as approvals
from opsapp.bulk import queries
from opsapp.bulk.beginning import SUBJECT
from opsapp.bulk.errors import JobIsOver
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.states import BULK, OPEN, ROW, BulkStatus, RowStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove


@within_transaction
def stop(job_id: int, *, by: Actor) -> int:
    """Returns how many rows were left alone. Raises NotFound, JobIsOver.

    One that waits for a second person is taken back by whoever asked: raises NotYourApproval.
    """
    if (waiting := approvals.find_open(SUBJECT, job_id)) is not None:
        left = queries.get_job(job_id).total
        deciding.withdraw(waiting.id, by=by)
        return left
    job = queries.lock_job(job_id)
    if job.status not in OPEN:
        raise JobIsOver(status=job.status)
    return cancel(job, because="stopped by staff", by=by)


@within_transaction
def cancel(job: BulkJob, *, because: str, by: Actor) -> int:
    """Of a locked job."""
    BULK.move(job, BulkStatus.CANCELLED, because=because, by=by)
    job.leased_until, job.ended_at = None, clock.now()
    moves = [
        RowMove(row.id, row.status, RowStatus.CANCELLED, because)
        for row in queries.lock_waiting_rows([job.id])
    ]
    return len(ROW.move_many(BulkRow, moves, by=by))
