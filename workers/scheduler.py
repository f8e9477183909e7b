"""The scheduler: several run, one leads. A round is short, or PostgreSQL takes the lead away."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from opsapp import create_app
from opsapp.audit import sealing
from opsapp.kernel import leadership, timetable
from opsapp.kernel.db import transaction
from opsapp.kernel.diagnostics import name_process
from opsapp.kernel.leadership import Deposed, Leadership
from opsapp.subscriptions import renewing
from workers.schedule import TIMETABLE, Entry
from workers.stopping import StopWish

log = structlog.get_logger(__name__)

TICK_S = 0.25
RENEW_SLICE = 200  # subscriptions in one transaction
RENEW_BUDGET_S = 1.0  # per tick, far below leadership.SILENCE_MS
HEARTBEAT_S = 1.0
AWAY_S = 0.5


def run() -> None:
    """Lead, or stand by to lead, until SIGTERM."""
    name_process("scheduler")
    app = create_app(sole_connection=True)
    wish = StopWish()
    with app.app_context():
        scheduler = Scheduler()
    while not wish.is_there:
        wish.pause(_round(app, scheduler))
    with app.app_context():
        scheduler.leadership.step_down()


class Scheduler:
    """One process's rounds. Needs an application context."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.leadership = Leadership()
        self._noted_at = float("-inf")
        self._noted_as: bool | None = None
        self._fired: dict[str, datetime] = {}

    def tick(self) -> bool:
        """One round; returns whether this process leads. Raises Deposed, DBAPIError."""
        leads = self.leadership.hold()
        self._note(leads=leads)
        if leads:
            for part in (renew_due, _seal, self._keep_timetable):
                with _isolated(part.__name__):
                    part()
        return leads

    def _note(self, *, leads: bool) -> None:
        is_fresh = time.monotonic() < self._noted_at + HEARTBEAT_S
        if is_fresh and self._noted_as == leads:
            return
        with transaction():
            leadership.note_tick(self.name, is_leader=leads)
        if self._noted_as != leads:
            log.info("scheduler.leads" if leads else "scheduler.stands_by", name=self.name)
        self._noted_at, self._noted_as = time.monotonic(), leads

    def _keep_timetable(self) -> None:
        now = datetime.now(UTC)
        for entry in TIMETABLE:
            slot = entry.when.latest_slot(now)
            if self._fired.get(entry.name) != slot:
                with _isolated(entry.name):
                    _fire(entry, slot)
                self._fired[entry.name] = slot


def renew_due() -> int:
    """Make the payments of all periods that are due, a slice at a time; returns how many."""
    give_way_at = time.monotonic() + RENEW_BUDGET_S
    total, slice_size = 0, RENEW_SLICE
    while slice_size == RENEW_SLICE and time.monotonic() < give_way_at:
        with transaction():
            slice_size = renewing.renew_due(limit=RENEW_SLICE)
        total += slice_size
    if total:
        log.info("scheduler.renewed", subscriptions=total)
    return total


def _seal() -> None:
    with transaction():
        sealing.seal()


def _fire(entry: Entry, slot: datetime) -> None:
    with transaction():
        is_ours = timetable.take_slot(entry.name, slot)
        if is_ours and entry.step is not None:
            entry.step()
    if is_ours and entry.procedure is not None:
        entry.procedure()


@contextmanager
def _isolated(part: str) -> Iterator[None]:
    """A fault in one part must not keep the others from running; a lost connection ends all."""
    try:
        yield
    except Deposed:
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        log.exception("scheduler.part_failed", part=part)
    except Exception:
        log.exception("scheduler.part_failed", part=part)


def _round(app: Flask, scheduler: Scheduler) -> float:
    """One round of whatever comes; returns the pause after it."""
    with app.app_context():
        try:
            scheduler.tick()
        except (Deposed, DBAPIError) as error:
            log.warning("scheduler.deposed_or_away", error=type(error).__name__)
            scheduler.leadership.step_down()
            return AWAY_S
    return TICK_S
