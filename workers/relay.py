"""The relay: hands outbox rows to Redis and wakes what is due. Two at once do no harm."""

import time

import structlog
from flask import Flask
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from opsapp import create_app, reactions
from opsapp.kernel import jobs, turns
from opsapp.kernel.db import transaction
from opsapp.kernel.diagnostics import name_process
from opsapp.kernel.turns import Work
from opsapp.routing.resting import count_askable
from opsapp.settings import current
from workers.queues import lanes_of
from workers.stopping import StopWish

log = structlog.get_logger(__name__)

IDLE_S = 0.25
BUSY_S = 0.05  # where there was something, its consequences are near
RESTS_FOR = 20  # times as long as it took to look for what is due
REST_MAX_S = 0.5
AWAY_FIRST_S = 0.25
AWAY_MAX_S = 2.0


def run() -> None:
    """Round after round until SIGTERM; a database or a Redis that is away is waited for."""
    name_process("relay")
    app, wish = create_app(), StopWish()
    away_s, rest = 0.0, Rest()
    while not wish.is_there:
        pause_s = _round(app, rest)
        is_away = pause_s is None
        away_s = min(max(away_s * 2, AWAY_FIRST_S), AWAY_MAX_S) if is_away else 0.0
        wish.pause(pause_s or away_s)


class Rest:
    """The dearer the question what is due, the rarer it is asked.

    While thousands are in hand it reads past all of them; who is in a hurry needs no such round.
    """

    def __init__(self) -> None:
        self._until = float("-inf")

    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def after(self, spent_s: float) -> None:
        self._until = time.monotonic() + min(spent_s * RESTS_FOR, REST_MAX_S)


def tick(rest: Rest | None = None) -> int:
    """One round; returns how many hints went out. Raises RedisError, DBAPIError."""
    if jobs.redis_was_emptied():
        log.warning("relay.redis_was_emptied")
        with transaction():
            for work in reactions.WORK:
                turns.forget_hints(work)
    moved = delivered = jobs.deliver()
    while delivered == jobs.DELIVER_MAX:
        delivered = jobs.deliver()
        moved += delivered
    if rest is None:
        return moved + _wake_due()
    if rest.is_over():
        began = time.monotonic()
        moved += _wake_due()
        rest.after(time.monotonic() - began)
    return moved


def _wake_due() -> int:
    places = [(work, lane) for work in reactions.WORK for lane in lanes_of(work)]
    queued = jobs.count_queued([work.job.queue_of(lane) for work, lane in places])
    with transaction():
        askable = count_askable()
        wanting = turns.find_wanting(
            tuple(
                (work, lane)
                for work, lane in places
                # A job waits for every worker: what falls due gathers into a larger one.
                if queued[work.job.queue_of(lane)] < current().bulk_worker_count
                and askable.get(lane) != 0
            )
        )
    woken = 0
    for work, lane in wanting:
        queue = work.job.queue_of(lane)
        count = _wake(work, lane, queued[queue], askable.get(lane))
        queued[queue] += -(-count // current().chunk_size)  # several kinds of work may share it
        woken += count
    return woken


def _wake(work: Work, lane: str, queued: int, askable: int | None) -> int:
    """`askable`: rows that a gateway in trouble may be asked about; None for one that is well."""
    rows = max(0, current().queue_length_max - queued) * current().chunk_size
    rows_max = rows if askable is None else min(rows, askable)
    with transaction():
        return turns.wake(work, lane=lane, rows_max=rows_max)


def _round(app: Flask, rest: Rest) -> float | None:
    """The pause until the next round, or None when the database or Redis is away."""
    try:
        with app.app_context():
            return BUSY_S if tick(rest) else IDLE_S
    except (RedisError, DBAPIError) as error:
        log.warning("relay.away", error=type(error).__name__)
        return None
