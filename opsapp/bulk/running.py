"""Running: each row in a transaction of its own, with the act and its result together.

A worker that dies leaves rows waiting, never half done: the next one goes on after the lease.
"""

from collections.abc import Sequence
from time import monotonic

import structlog
from sqlalchemy import func
from sqlalchemy.exc import DBAPIError

from opsapp.bulk import acting, queries, rules
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.states import BULK, ROW, BulkStatus, RowStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import owns_transactions, transaction, within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.states import IllegalMove, RowMove
from opsapp.settings import current

log = structlog.get_logger(__name__)


@owns_transactions
def run_jobs(job_ids: Sequence[int], *, by: Actor) -> None:
    """Go on with each job that nobody holds, until it is done or the budget is used up."""
    stop_at = monotonic() + current().chunk_budget_s
    with transaction():
        held = _claim(job_ids, by=by)
    for job_id, fence in held:
        _run(job_id, fence, stop_at, by=by)


@within_transaction
def _claim(job_ids: Sequence[int], *, by: Actor) -> list[tuple[int, int]]:
    rows = queries.lock_claimable(job_ids)
    moves = [
        RowMove(
            row.id,
            row.status,
            BulkStatus.RUNNING,
            "a worker began" if row.status == BulkStatus.QUEUED else "another worker went on",
            fence=row.fence,
            also={
                "fence": row.fence + 1,
                "turns": row.turns + 1,
                "leased_until": row.now + rules.LEASE,
            },
        )
        for row in rows
    ]
    moved = BULK.move_many(BulkJob, moves, by=by)
    return [(row.id, row.fence + 1) for row in rows if row.id in moved]


def _run(job_id: int, fence: int, stop_at: float, *, by: Actor) -> None:
    while True:
        is_over = monotonic() >= stop_at
        refusal: Exception | None = None
        try:
            with transaction():
                if is_over:
                    _let_go(job_id, fence)
                    return
                if not _do_next(job_id, fence, by=by):
                    return
        except DBAPIError:
            raise
        except Exception as error:  # one row that breaks its verb must not starve the rest
            if not isinstance(error, (OpsError, IllegalMove)):
                log.exception("bulk.row_failed", bulk_id=job_id)
            refusal = error
        if refusal is not None:
            with transaction():
                _refuse_next(job_id, fence, refusal, by=by)


@within_transaction
def _do_next(job_id: int, fence: int, *, by: Actor) -> bool:
    """Whether there is more. The job's row is locked first: stopping it waits for this row."""
    job = queries.lock_held(job_id, fence)
    if job is None:
        return False
    row = queries.lock_next_row(job_id)
    if row is None:
        job.leased_until, job.ended_at = None, clock.now()
        BULK.move(job, BulkStatus.DONE, because="every row has its result", by=by)
        return False
    job.leased_until = func.clock_timestamp() + rules.LEASE
    kind, _, name = job.requested_by.partition(":")
    target = acting.Target(row.subject_id, row.amount_minor, f"{job.ref}-{row.subject_id}")
    acting.act_on(job.act, target, because=job.because, by=Actor(kind, name))
    ROW.move_many(BulkRow, [RowMove(row.id, row.status, RowStatus.DONE, job.act)], by=by)
    return True


@within_transaction
def _refuse_next(job_id: int, fence: int, refusal: Exception, *, by: Actor) -> None:
    """The act was rolled back with its row; this is the same row again, now with its result."""
    if queries.lock_held(job_id, fence) is None:
        return
    row = queries.lock_next_row(job_id)
    if row is None:
        return
    because = _code_of(refusal)
    also = {"because": because}
    move = RowMove(row.id, row.status, RowStatus.REFUSED, because, also=also)
    ROW.move_many(BulkRow, [move], by=by)


def _code_of(refusal: Exception) -> str:
    if isinstance(refusal, OpsError):
        return refusal.code
    return "other_state" if isinstance(refusal, IllegalMove) else "fault"


@within_transaction
def _let_go(job_id: int, fence: int) -> None:
    """The budget of this turn is used up: whoever is free goes on."""
    if (job := queries.lock_held(job_id, fence)) is not None:
        job.leased_until = job.hinted_at = None
