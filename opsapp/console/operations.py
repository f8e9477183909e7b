"""What machines ask: is the process alive, can it do its work, how much waits."""

from datetime import UTC, datetime
from functools import lru_cache

import structlog
from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from opsapp import reactions
from opsapp.console.access import public
from opsapp.insights import watching
from opsapp.kernel import clock, jobs, leadership, schema
from opsapp.settings import current

routes = Blueprint("operations", __name__)
log = structlog.get_logger(__name__)

LEADER_SILENT_S_MAX = 30


@routes.get("/healthz")
@public
def is_alive() -> tuple[Response, int]:
    return jsonify(status="ok"), 200


@routes.get("/readyz")
@public
def is_ready() -> tuple[Response, int]:
    """200 when everything answers, otherwise 503 and which part does not."""
    parts = {"database": False, "redis": jobs.redis_answers(), "scheduler": False}
    try:
        parts["migrations"] = _is_current(current().database_url)
        parts["scheduler"] = _leader_silent_s() is not None
        parts["database"] = True
    except SQLAlchemyError:
        log.warning("operations.not_ready", exc_info=True)
    ready = all(parts.values()) and parts.get("migrations", False)
    return jsonify(ready=ready, **parts), 200 if ready else 503


@routes.get("/metrics")
@public
def show_metrics() -> Response:
    """Prometheus text: counts and ages only."""
    now = clock.now()  # due times are business time
    lines = []
    for row in watching.list_backlog(reactions.WORK):
        lines.append(f'opsapp_due_rows{{table="{row.table}"}} {row.due}')
        late_s = (now - row.oldest_due_at).total_seconds() if row.oldest_due_at else 0
        lines.append(f'opsapp_oldest_due_seconds{{table="{row.table}"}} {max(late_s, 0):.0f}')
    for queue in watching.list_queues(redis_answers=jobs.redis_answers()):
        lines.append(f'opsapp_outbox_jobs{{queue="{queue.name}"}} {queue.undelivered}')
        if queue.in_redis is not None:
            lines.append(f'opsapp_redis_jobs{{queue="{queue.name}"}} {queue.in_redis}')
    silent_s = _leader_silent_s()
    lines.append(f"opsapp_scheduler_leading {int(silent_s is not None)}")
    return Response("\n".join(lines) + "\n", mimetype="text/plain; version=0.0.4")


def _leader_silent_s() -> float | None:
    """None when no scheduler has led for a while."""
    seen_at = leadership.leader_seen_at()
    if seen_at is None:
        return None
    silent_s = (datetime.now(UTC) - seen_at).total_seconds()
    return silent_s if silent_s <= LEADER_SILENT_S_MAX else None


@lru_cache(maxsize=1)
def _is_known_current(database_url: str) -> bool:
    if not schema.is_current(database_url):
        raise LookupError
    return True


def _is_current(database_url: str) -> bool:
    """A database that was current once stays so for this program: only "no" is asked again."""
    try:
        return _is_known_current(database_url)
    except LookupError:
        return False
