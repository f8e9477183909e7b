"""Reads of bulk jobs and their rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select

from opsapp.approvals import rules
from opsapp.approvals.models import Approval
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.states import OPEN, BulkStatus, RowStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.kernel.turns import is_claimable


def get_job(job_id: int) -> BulkJob:
    """Raises NotFound."""
    job = db.session.get(BulkJob, job_id)
    if job is None:
        raise NotFound(noun="bulk job", id=job_id)
    return job


def find_by_request(request_id: str) -> int | None:
    job = select(BulkJob.id).where(BulkJob.request_id == request_id)
    return db.session.scalars(job).one_or_none()


def get_by_request(request_id: str) -> int:
    return db.session.scalars(select(BulkJob.id).where(BulkJob.request_id == request_id)).one()


def lock_orders_of(by: Actor) -> None:
    """One job of a person is ordered at a time: each sees the sum of those before it."""
    number = func.hashtextextended(f"{BulkJob.__tablename__}.{by}", 0)
    db.session.execute(select(func.pg_advisory_xact_lock(number)))


def sum_ordered_alone(by: Actor, *, since: datetime) -> int:
    """Won that this person's jobs give back without a second person, since that moment."""
    agreed = exists().where(
        Approval.subject_type == "bulk_job",
        Approval.subject_id == BulkJob.id,
        Approval.is_bypass.is_(False),
    )
    won = BulkJob.sums[rules.CURRENCY].as_integer()
    total = select(func.coalesce(func.sum(won), 0)).where(
        BulkJob.requested_by == str(by),
        BulkJob.requested_at >= since,
        BulkJob.status != BulkStatus.CANCELLED.value,
        ~agreed,
    )
    return int(db.session.scalars(total).one())


def list_jobs(*, cursor: str | None = None, size: int = 30) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    jobs = select(*BulkJob.__table__.c)
    return page_of(jobs, keys=(BulkJob.id,), cursor=cursor, size=size)


def count_rows(job_id: int) -> dict[str, int]:
    """By status."""
    rows = db.session.execute(
        select(BulkRow.status, func.count())
        .where(BulkRow.job_id == job_id)
        .group_by(BulkRow.status)
    )
    return dict(rows.all())


def list_rows(
    job_id: int, *, status: RowStatus | None = None, cursor: str | None = None, size: int = 50
) -> Page[Any]:
    """Raises BadCursor."""
    rows = select(*BulkRow.__table__.c).where(BulkRow.job_id == job_id)
    if status is not None:
        rows = rows.where(BulkRow.status == status.value)
    return page_of(rows, keys=(BulkRow.id,), cursor=cursor, size=size)


def lock_job(job_id: int) -> BulkJob:
    """Raises NotFound."""
    job = db.session.scalars(locked(select(BulkJob).where(BulkJob.id == job_id))).one_or_none()
    if job is None:
        raise NotFound(noun="bulk job", id=job_id)
    return job


def lock_jobs(job_ids: Sequence[int]) -> list[BulkJob]:
    jobs = select(BulkJob).where(BulkJob.id.in_(job_ids)).order_by(BulkJob.id)
    return list(db.session.scalars(locked(jobs)))


def lock_claimable(job_ids: Sequence[int]) -> list[Any]:
    """Id, status, fence and the database's own now of those that nobody holds."""
    open_ = [status.value for status in OPEN]
    jobs = (
        select(
            BulkJob.id,
            BulkJob.status,
            BulkJob.fence,
            BulkJob.turns,
            func.clock_timestamp().label("now"),
        )
        .where(BulkJob.id.in_(job_ids), BulkJob.status.in_(open_), is_claimable(BulkJob))
        .order_by(BulkJob.id)
    )
    return list(db.session.execute(locked(jobs, skip=True)))


def lock_held(job_id: int, fence: int) -> BulkJob | None:
    """The job, if it is still in the hand that claimed it under this fence."""
    held = select(BulkJob).where(
        BulkJob.id == job_id,
        BulkJob.fence == fence,
        BulkJob.status == BulkStatus.RUNNING.value,
    )
    return db.session.scalars(locked(held)).one_or_none()


def lock_next_row(job_id: int) -> Any:
    """The next one without a result, or None."""
    row = (
        select(BulkRow.id, BulkRow.subject_id, BulkRow.amount_minor, BulkRow.status)
        .where(BulkRow.job_id == job_id, BulkRow.status == RowStatus.WAITING.value)
        .order_by(BulkRow.id)
        .limit(1)
    )
    return db.session.execute(locked(row)).one_or_none()


def lock_waiting_rows(job_ids: Sequence[int]) -> list[Any]:
    rows = select(BulkRow.id, BulkRow.status).where(
        BulkRow.job_id.in_(job_ids), BulkRow.status == RowStatus.WAITING.value
    )
    return list(db.session.execute(locked(rows.order_by(BulkRow.id))))
