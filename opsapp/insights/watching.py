"""Is the machinery alive? All from PostgreSQL; what Redis adds is marked as Redis's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from opsapp.kernel import jobs
from opsapp.kernel.db import db
from opsapp.kernel.jobs import OutboxJob
from opsapp.kernel.turns import Work
from opsapp.routing.queries import list_gateway_names

JOBS_SHOWN_MAX = 30


@dataclass(frozen=True, slots=True)
class QueueRow:
    """`in_redis` is None while Redis does not answer."""

    name: str
    undelivered: int
    oldest_at: datetime | None
    in_redis: int | None


def list_queues(tables: Sequence[Work], *, redis_answers: bool) -> list[QueueRow]:
    """Every queue that these tables and people's own wishes send work to."""
    rows = db.session.execute(
        select(
            OutboxJob.queue,
            func.count().label("undelivered"),
            func.min(OutboxJob.created_at).label("oldest_at"),
        )
        .where(OutboxJob.delivered_at.is_(None))
        .group_by(OutboxJob.queue)
    )
    waiting = {row.queue: row for row in rows}
    return [
        QueueRow(
            name,
            undelivered=waiting[name].undelivered if name in waiting else 0,
            oldest_at=waiting[name].oldest_at if name in waiting else None,
            in_redis=jobs.find_waiting(name) if redis_answers else None,
        )
        for name in _queue_names(tables)
    ]


def _queue_names(tables: Sequence[Work]) -> list[str]:
    """With a queue per gateway where there are lanes."""
    lanes = list_gateway_names()
    names = {work.job.queue_of(lane) for work in tables for lane in (lanes if work.lane else [""])}
    return sorted(names)


def list_failed_jobs() -> list[Any]:
    """Failed jobs by job and exception, the most frequent first."""
    return list(
        db.session.execute(
            select(
                OutboxJob.name,
                OutboxJob.error,
                func.count().label("count"),
                func.max(OutboxJob.ended_at).label("last_at"),
                func.max(OutboxJob.id).label("last_id"),
            )
            .where(OutboxJob.error.is_not(None))
            .group_by(OutboxJob.name, OutboxJob.error)
            .order_by(func.count().desc())
            .limit(JOBS_SHOWN_MAX)
        )
    )


def list_recent_jobs() -> list[OutboxJob]:
    wanted = select(OutboxJob).order_by(OutboxJob.id.desc()).limit(JOBS_SHOWN_MAX)
    return list(db.session.scalars(wanted))
