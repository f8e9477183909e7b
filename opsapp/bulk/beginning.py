"""Beginning: a job that waited for a second person, or for its time to be undone, goes on."""

from opsapp.approvals import queries as approvals
from opsapp.approvals.events import ApprovalsEnded, ApprovalsGranted
from opsapp.bulk import queries
from opsapp.bulk.errors import JobHasBegun
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.states import BULK, ROW, BulkStatus, RowStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.kernel.states import RowMove

SUBJECT = "bulk_job"


@within_transaction
def begin_now(job_id: int, *, by: Actor) -> None:
    """The rest of the time to undo it is given up. Raises NotFound, JobHasBegun."""
    job = queries.lock_job(job_id)
    if job.status != BulkStatus.QUEUED:
        raise JobHasBegun(status=job.status)
    job.due_at, job.hinted_at = clock.now(), None
    entry = Entry("bulk_job.hurried", SUBJECT, job.id, because="begun at once")
    record(entry, by=by)


@within_transaction
def on_granted(event: ApprovalsGranted) -> None:
    jobs = {fact.subject_id: fact for fact in event.facts if fact.subject_type == SUBJECT}
    if not jobs:
        return
    due_at = clock.now() + approvals.get_policy().terms.bulk_undo
    also = {"due_at": due_at, "hinted_at": None}
    moves = [
        RowMove(
            job.id,
            job.status,
            BulkStatus.QUEUED,
            f"a second person agreed: {jobs[job.id].because}",
            also=also,
        )
        for job in queries.lock_jobs(list(jobs))
        if job.status == BulkStatus.AWAITING_APPROVAL
    ]
    BULK.move_many(BulkJob, moves, by=event.facts[0].by)


@within_transaction
def on_ended(event: ApprovalsEnded) -> None:
    """Sent back, withdrawn or too old: every row is left as it is."""
    jobs = {fact.subject_id: fact for fact in event.facts if fact.subject_type == SUBJECT}
    waiting = [
        job
        for job in (queries.lock_jobs(list(jobs)) if jobs else [])
        if job.status == BulkStatus.AWAITING_APPROVAL
    ]
    if not waiting:
        return
    by, also = event.facts[0].by, {"ended_at": clock.now()}
    moves = [
        RowMove(job.id, job.status, BulkStatus.CANCELLED, jobs[job.id].because, also=also)
        for job in waiting
    ]
    BULK.move_many(BulkJob, moves, by=by)
    rows = queries.lock_waiting_rows([job.id for job in waiting])
    left = [
        RowMove(row.id, row.status, RowStatus.CANCELLED, "no second person agreed") for row in rows
    ]
    ROW.move_many(BulkRow, left, by=by)
