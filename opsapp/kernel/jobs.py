"""Jobs leave the building through an outbox row written in the caller's own transaction.

A job in Redis is a wake-up hint and nothing else: it may be lost, doubled or late. What is left
to do stands in claimable rows (kernel.turns), and the relay gives the hint again. The outbox is
also the job history that the console shows; no money decision reads it.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import structlog
from redis import Redis, RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import (
    Executable,
    Index,
    Select,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import (
    Base,
    after_commit,
    as_array,
    db,
    execute_plain,
    is_among,
    owns_transactions,
    transaction,
)
from opsapp.kernel.errors import OpsError
from opsapp.kernel.log import AuditEntry, Entry, record

log = structlog.get_logger(__name__)

RUN_JOB = "workers.runtime.run_job"  # the only function a worker agrees to run
EPOCH = "opsapp:epoch"
_COUNTERS = "opsapp:counters"
DELIVER_MAX = 200
HISTORY_KEPT = timedelta(days=30)
FORGED_NAME_MAX = 100

_FORGED = "job"

# None of them is waited for by a person for longer than this.
_REDIS_TIMEOUT_S = 2

_redis: Redis | None = None
_carry: list[Callable[[Any], None]] = []


class RedisAway(OpsError):
    code = "redis_away"
    http_status = 503
    message = "Redis does not answer ({reason})."
    remedy = "Check REDIS_URL and that the server runs."


class OutboxJob(Base):
    __tablename__ = "outbox_jobs"
    __table_args__ = (
        Index("outbox_undelivered", "queue", "id", postgresql_where=text("delivered_at IS NULL")),
        Index("outbox_failed", "id", postgresql_where=text("error IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    queue: Mapped[str]
    timeout_s: Mapped[int]
    arguments: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    delivered_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None]  # the exception's class; its text may hold personal data


@dataclass(frozen=True, slots=True)
class Job:
    """An order for work: `payments.execute_attempts` is done by workers/jobs/payments.py."""

    name: str
    queue: str
    timeout_s: int

    def enqueue(self, *, lane: str = "", **arguments: int | str | Sequence[int]) -> None:
        """Order the work with the caller's commit. Arguments are ids and plain values."""
        row = OutboxJob(
            name=self.name,
            queue=self.queue_of(lane),
            timeout_s=self.timeout_s,
            arguments=arguments,
        )
        db.session.add(row)
        after_commit(_nudge)

    def queue_of(self, lane: str) -> str:
        """A lane is a queue with workers of its own: what holds one up never holds another."""
        return f"{self.queue}.{lane}" if lane else self.queue


def connect(url: str) -> None:
    """Called once, by create_app; nothing is opened before the first use."""
    global _redis  # noqa: PLW0603 - one connection pool per process
    _carry.clear()
    _redis = Redis.from_url(
        url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S
    )


def carry_by(push: Callable[[Any], None]) -> None:
    """Hand every outbox row to `push` instead of Redis: a simulated world has its own queue."""
    _carry[:] = [push]


def queue_named(name: str) -> Queue:
    return Queue(name, connection=_connection(), serializer=JSONSerializer)


def count_waiting(queue: str) -> int:
    """Jobs waiting in Redis, read without RQ's clean-up side effects. Raises RedisError."""
    length: int = _connection().llen(f"rq:queue:{queue}")
    return length


def find_waiting(queue: str) -> int | None:
    """The same for a screen: None while Redis does not answer."""
    try:
        return count_waiting(queue)
    except RedisError:
        return None


def redis_answers() -> bool:
    try:
        return bool(_connection().ping())
    except RedisError:
        return False


def read_everything() -> Iterator[tuple[str, str]]:
    """Every key of Redis and what stands under it as text, for a look at what leaked there.

    Raises RedisAway.
    """
    readers: dict[object, Callable[[Redis, bytes], Any]] = {
        b"string": lambda redis, key: [redis.get(key)],
        b"list": lambda redis, key: redis.lrange(key, 0, -1),
        b"set": lambda redis, key: redis.smembers(key),
        b"zset": lambda redis, key: redis.zrange(key, 0, -1),
        b"hash": lambda redis, key: redis.hvals(key),
    }
    if _carry:
        return
    redis = _connection()
    try:
        for key in redis.scan_iter(count=1000):
            read = readers.get(redis.type(key))
            for value in read(redis, key) if read else ():
                yield key.decode(errors="replace"), _as_text(value)
    except RedisError as error:
        raise RedisAway(reason=type(error).__name__) from error


def redis_was_emptied() -> bool:
    """True once after every loss of Redis's contents: the caller must repeat all hints."""
    try:
        return bool(_connection().set(EPOCH, "1", nx=True))
    except RedisError:
        return False


def count_up(counter: str, **labels: str) -> None:
    """Add one to a counter that all processes share. It is as durable as Redis, no more."""
    named = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    try:
        _connection().hincrby(_COUNTERS, f"{counter}{{{named}}}", 1)
    except RedisError:
        log.warning("jobs.not_counted", counter=counter)


def count_within(name: str, *, seconds: int) -> int | None:
    """How often `name` was counted in the running window, this time included; None without Redis.

    A brake built on it lets everybody through while Redis is away.
    """
    key = f"opsapp:within:{name}:{int(time.time()) // seconds}"
    try:
        pipeline = _connection().pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, 2 * seconds)
        return int(pipeline.execute()[0])
    except RedisError:
        log.warning("jobs.not_counted", counter="within")
        return None


def read_counters() -> dict[str, int]:
    """By name and labels as /metrics writes them; empty while Redis does not answer."""
    try:
        found: dict[Any, Any] = _connection().hgetall(_COUNTERS)
    except RedisError:
        return {}
    return {_as_text(name): int(value) for name, value in sorted(found.items())}


@owns_transactions
def count_queued(queues: Sequence[str]) -> dict[str, int]:
    """How many jobs wait in each queue, counting those still in the outbox. Raises RedisError."""
    with transaction():
        undelivered = dict(db.session.execute(_undelivered()).all())
    pipeline = _connection().pipeline(transaction=False)
    for queue in queues:
        pipeline.llen(f"rq:queue:{queue}")
    waiting = pipeline.execute()
    return {q: undelivered.get(q, 0) + n for q, n in zip(queues, waiting, strict=True)}


@owns_transactions
def deliver(*, limit: int = DELIVER_MAX) -> int:
    """Hand waiting rows to RQ; returns how many. Raises RedisError.

    A crash between push and mark, or after it, hands one out twice, which harms nobody.
    """
    with transaction():
        rows = execute_plain(_waiting(), {"most": limit}).all()
    push = _carry[0] if _carry else _push
    for row in rows:
        push(row)
    if rows:
        with transaction(durable=False):
            execute_plain(_delivered(), {"ids": as_array([row.id for row in rows])})
    return len(rows)


@owns_transactions
def note_started(outbox_id: int) -> None:
    with transaction(durable=False):
        db.session.execute(_history(outbox_id).values(started_at=func.clock_timestamp()))


@owns_transactions
def note_ended(outbox_id: int, *, error: str | None) -> None:
    with transaction(durable=False):
        db.session.execute(_history(outbox_id).values(ended_at=func.clock_timestamp(), error=error))


@owns_transactions
def purge_history() -> None:
    """Forget delivered jobs older than 30 days."""
    old = func.clock_timestamp() - HISTORY_KEPT
    with transaction():
        db.session.execute(delete(OutboxJob).where(OutboxJob.delivered_at < old))


@owns_transactions
def note_forged(function: str, *, by: Actor) -> None:
    """Somebody who can write to Redis asked a worker for code: an alarm, kept in the log."""
    entry = Entry(
        "job.forged",
        _FORGED,
        0,
        because="Redis held a job that is not ours; it was refused",
        succeeded=False,
        detail={"function": function[:FORGED_NAME_MAX]},
    )
    with transaction():
        record(entry, by=by)


def count_forged() -> int:
    """How many jobs were ever refused: the counter behind the alarm."""
    forged = select(func.count()).where(
        AuditEntry.subject_type == _FORGED, AuditEntry.subject_id == 0
    )
    return db.session.scalars(forged).one()


@cache
def _waiting() -> Select[*tuple[Any, ...]]:
    """In the order in which they were written."""
    waiting = select(OutboxJob.__table__).where(OutboxJob.delivered_at.is_(None))
    return waiting.order_by(OutboxJob.id).limit(bindparam("most"))


@cache
def _delivered() -> Executable:
    delivered = update(OutboxJob).where(is_among(OutboxJob.id, "ids"))
    return delivered.values(delivered_at=func.clock_timestamp())


@cache
def _undelivered() -> Select[str, int]:
    counts = select(OutboxJob.queue, func.count()).where(OutboxJob.delivered_at.is_(None))
    return counts.group_by(OutboxJob.queue)


def _as_text(value: bytes | None) -> str:
    """RQ compresses what it keeps of a job."""
    try:
        return zlib.decompress(value or b"").decode(errors="replace")
    except zlib.error:
        return (value or b"").decode(errors="replace")


def _history(outbox_id: int) -> Any:
    return update(OutboxJob).where(OutboxJob.id == outbox_id)


def _nudge() -> None:
    """Try now; if Redis is away the rows stay, and the relay delivers them later."""
    try:
        deliver()
    except (RedisError, DBAPIError):
        # The caller's work is committed: nothing here may make it look failed.
        log.warning("jobs.nudge_failed", exc_info=True)


def _push(row: Any) -> None:
    queue_named(row.queue).enqueue_call(
        RUN_JOB,
        kwargs={"name": row.name, "arguments": row.arguments, "outbox_id": row.id},
        timeout=row.timeout_s,
        job_id=f"outbox-{row.id}",
        description=row.name,
        result_ttl=0,
        failure_ttl=86_400,
    )


def _connection() -> Redis:
    if _redis is None:
        raise RuntimeError("create_app() has not run")
    return _redis
