"""What machines ask: is the process alive, can it do its work, how much waits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

import structlog
from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from opsapp import reactions
from opsapp.console.access import public
from opsapp.insights import counting_codes, showing_uncertain, watching
from opsapp.kernel import clock, jobs, leadership, schema, turns
from opsapp.routing import queries as routing
from opsapp.routing.queries import Picture
from opsapp.routing.states import CircuitStatus
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
    for row in turns.list_backlog(reactions.WORK):
        lines.append(f'opsapp_due_rows{{table="{row.name}"}} {row.due}')
        late_s = (now - row.oldest_due_at).total_seconds() if row.oldest_due_at else 0
        lines.append(f'opsapp_oldest_due_seconds{{table="{row.name}"}} {max(late_s, 0):.0f}')
    for queue in watching.list_queues(reactions.WORK, redis_answers=jobs.redis_answers()):
        lines.append(f'opsapp_outbox_jobs{{queue="{queue.name}"}} {queue.undelivered}')
        if queue.in_redis is not None:
            lines.append(f'opsapp_redis_jobs{{queue="{queue.name}"}} {queue.in_redis}')
    lines += [line for gateway in routing.list_pictures() for line in _gateway_lines(gateway)]
    for each in counting_codes.measure_coverage():
        label = f'{{gateway="{each.gateway_name}"}}'
        lines.append(f"opsapp_failures_with_code{label} {each.failures}")
        lines.append(f"opsapp_failures_with_known_code{label} {each.mapped}")
    uncertain_s = showing_uncertain.oldest_uncertain_s()
    lines.append(f"opsapp_oldest_uncertain_seconds {uncertain_s:.0f}")
    silent_s = _leader_silent_s()
    lines.append(f"opsapp_scheduler_leading {int(silent_s is not None)}")
    lines += [f"{counter} {count}" for counter, count in jobs.read_counters().items()]
    return Response("\n".join(lines) + "\n", mimetype="text/plain; version=0.0.4")


def _gateway_lines(gateway: Picture) -> Iterator[str]:
    """The window's figures stand for the minute since its first trouble: 0 while all is well."""
    circuit, label = gateway.circuit, f'gateway="{gateway.name}"'
    for status in CircuitStatus:
        is_it = int(circuit.status == status)
        yield f'opsapp_gateway_circuit{{{label},state="{status}"}} {is_it}'
    yield f"opsapp_gateway_window_calls{{{label}}} {circuit.calls}"
    yield f"opsapp_gateway_window_failures{{{label}}} {circuit.failures}"
    yield f"opsapp_gateway_window_slow{{{label}}} {circuit.slow}"


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
