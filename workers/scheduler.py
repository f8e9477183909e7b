"""The scheduler: several run, one leads. A round is short, or PostgreSQL takes the lead away."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from opsapp import create_app
from opsapp.audit import sealing
from opsapp.kernel import clock, leadership, timetable
from opsapp.kernel.db import transaction
from opsapp.kernel.diagnostics import name_process
from opsapp.kernel.leadership import Deposed, Leadership
from opsapp.recovery import following
from opsapp.shop_events import gathering
from opsapp.subscriptions import announcing, ending, expiring, renewing, repricing, running
from workers.schedule import TIMETABLE, Entry
from workers.stopping import StopWish

log = structlog.get_logger(__name__)

TICK_S = 0.25
RENEW_SLICE = 500  # subscriptions in one transaction
ANNOUNCE_SLICE = 500
END_SLICE = 200
RENEW_BUDGET_S = 1.0  # per tick, far below leadership.SILENCE_MS
ANNOUNCE_BUDGET_S = 0.5
END_BUDGET_S = 0.5
LOOK_ROUND_EVERY_S = 1.0
GATHER_EVERY_S = 0.5
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
        self._looked_round_at = float("-inf")
        self._gathered_at = float("-inf")
        self._expiring_told_on: date | None = None
        self._fired: dict[str, datetime] = {}

    def tick(self) -> bool:
        """One round; returns whether this process leads. Raises Deposed, DBAPIError."""
        leads = self.leadership.hold()
        self._note(leads=leads)
        if leads:
            for part in (*_SWEEPS, self._look_round, _seal, self._gather, self._keep_timetable):
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

    def _look_round(self) -> None:
        """What needs no more than a look a second: runs that are done, retries whose time has come,
        and a new day's methods.
        """
        if time.monotonic() < self._looked_round_at + LOOK_ROUND_EVERY_S:
            return
        with transaction():
            running.close_runs()
            following.take_up_due()
            today = clock.seoul_date(clock.now())
        if self._expiring_told_on != today:
            tell_of_expiring()
            self._expiring_told_on = today
        self._looked_round_at = time.monotonic()

    def _gather(self) -> None:
        """What was sealed just now, told to the shop."""
        if time.monotonic() < self._gathered_at + GATHER_EVERY_S:
            return
        with transaction():
            gathering.gather()
        self._gathered_at = time.monotonic()

    def _keep_timetable(self) -> None:
        now = datetime.now(UTC)
        for entry in TIMETABLE:
            slot = entry.when.latest_slot(now)
            if self._fired.get(entry.name) != slot:
                with _isolated(entry.name):
                    _fire(entry, slot)
                self._fired[entry.name] = slot


def end_due() -> int:
    """End what its last day is over, and let go on what stood still until today; how many."""
    give_way_at = time.monotonic() + END_BUDGET_S
    total, slice_size = 0, END_SLICE
    while slice_size >= END_SLICE and time.monotonic() < give_way_at:
        with transaction():
            slice_size = ending.end_due(limit=END_SLICE)
        total += slice_size
    if total:
        log.info("scheduler.ended", subscriptions=total)
    return total


def renew_due() -> int:
    """Make the payments of all periods that are due, a slice at a time; returns how many.

    None while staff hold a run, and no more than the settings let wait for workers.
    """
    give_way_at = time.monotonic() + RENEW_BUDGET_S
    with transaction():
        room = renewing.room_left()
    total, slice_size = 0, RENEW_SLICE
    while slice_size == RENEW_SLICE and total < room and time.monotonic() < give_way_at:
        with transaction():
            slice_size = renewing.renew_due(limit=RENEW_SLICE)
        total += slice_size
    if total:
        log.info("scheduler.renewed", subscriptions=total)
    return total


def announce_due() -> int:
    """Tell of other prices and of the charges that come, a slice at a time; returns how many were
    looked at.
    """
    give_way_at = time.monotonic() + ANNOUNCE_BUDGET_S
    slice_size = ANNOUNCE_SLICE
    while slice_size == ANNOUNCE_SLICE and time.monotonic() < give_way_at:
        with transaction():
            slice_size, _told = repricing.tell_slice(limit=ANNOUNCE_SLICE)
    total, slice_size = 0, ANNOUNCE_SLICE
    while slice_size == ANNOUNCE_SLICE and time.monotonic() < give_way_at:
        with transaction():
            slice_size = announcing.announce_due(limit=ANNOUNCE_SLICE)
        total += slice_size
    if total:
        log.info("scheduler.announced", subscriptions=total)
    return total


def tell_of_expiring() -> int:
    """Ask for other methods in place of those that end, a slice at a time; returns how many."""
    total, slice_size = 0, ANNOUNCE_SLICE
    while slice_size == ANNOUNCE_SLICE:
        with transaction():
            slice_size = expiring.tell_of_expiring(limit=ANNOUNCE_SLICE)
        total += slice_size
    if total:
        log.info("scheduler.told_of_expiring", methods=total)
    return total


_SWEEPS = (end_due, renew_due, announce_due)


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
