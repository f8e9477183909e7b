"""A whole simulated life: so many subscriptions, so many months, one seed."""

import base64
import gc
import logging
import secrets
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr

from opsapp import create_app
from opsapp.channels import registry as channels
from opsapp.gateways import registry as gateways
from opsapp.insights.probing import Row, run_probes
from opsapp.kernel import jobs, loops, scratch, turns
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.db import db
from opsapp.settings import Settings
from opsapp.simulation import judging
from opsapp.simulation.judging import Finding
from opsapp.simulation.luck import PROFILES, Luck
from opsapp.simulation.people import People
from opsapp.simulation.world import World

FIRST_DAY = date(2026, 12, 20)  # a leap year's February lies in the second winter
# The clock stands at midnight, if something is due, and in the morning, when people act: each stop
# costs its statements, however few are due at it.
MIDNIGHT, MORNING = time(0), time(10)
TIMETABLE_EVERY = 3  # days: what is done daily makes up for days that were missed
CALM_DAYS = 6  # at the end, so that whatever is uncertain is settled


@dataclass(frozen=True, slots=True)
class Wish:
    subscriptions: int
    months: int
    seed: int
    faults: str = "all"

    @property
    def days(self) -> int:
        return round(self.months * 30.4375)


@dataclass(slots=True)
class Outcome:
    wish: Wish
    hash: str
    finding: Finding
    probes: list[Row]
    figures: dict[str, dict[str, int]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Of the invariants, of the sums, of promises; and whatever broke on the way."""
        probed = sum(row.violations for row in self.probes)
        return probed + len(self.finding.violations) + len(self.troubles)


def live(wish: Wish, *, server_url: str) -> Outcome:
    """Live through it on a scratch database of that server, which is dropped in the end."""
    starts_at = _at(FIRST_DAY, MIDNIGHT)
    with (
        tempfile.TemporaryDirectory(prefix="opsapp-anchors-") as anchors,
        scratch.scratch_database(server_url, starts_at=starts_at) as url,
        _application(url, Path(anchors)),
        _eager_turns(),
        _troubles() as troubles,
    ):
        luck = Luck(wish.seed)
        world = World(luck, PROFILES[wish.faults], now=starts_at)
        gateways.connect([world.gateway])
        channels.connect([world.channel])
        jobs.carry_by(world.queue.push)
        people = People(world, luck)
        _live(wish, world, people)
        return _judge(wish, world, people, troubles)


def _live(wish: Wish, world: World, people: People) -> None:
    people.expect(wish.subscriptions, first_day=FIRST_DAY, days=wish.days)
    due = world.work()
    for number in range(wish.days + CALM_DAYS):
        day = FIRST_DAY + timedelta(days=number)
        if number == wish.days:
            world.calm_down()
        if number and due is not None and due <= (midnight := _at(day, MIDNIGHT)):
            world.go_to(midnight)
            world.work()
        world.go_to(_at(day, MORNING))
        if number < wish.days:
            people.live(day)
        if number % TIMETABLE_EVERY == 0:
            world.keep_timetable()
        due = world.work()
        if day.weekday() == 0:
            world.look_into_books()
            if not world.luck.hits(world.faults.seals_late, "seals", day):
                world.seal()
        if day.day == 1:
            scratch.plan_anew()


def _judge(wish: Wish, world: World, people: People, troubles: list[str]) -> Outcome:
    world.seal()
    last_day = FIRST_DAY + timedelta(days=wish.days - 1)
    finding = judging.judge(world, people, until=last_day)
    figures = {
        "wishes": dict(people.wished),
        "refusals": dict(people.refused),
        "hints": dict(world.queue.fates),
        "jobs": dict(world.done),
        "gateway": {"calls": world.gateway.calls, "orders": len(world.gateway.books.by_order)},
        "messages": {"carried": len(world.channel.carried)},
    }
    return Outcome(wish, finding.hash, finding, run_probes(), figures, troubles)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, SEOUL).astimezone(UTC)


@contextmanager
def _application(database_url: str, anchors: Path) -> Iterator[None]:
    """Settings of its own: nothing of the environment's secrets is used, nothing goes out."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    settings = Settings(
        mode="production",
        database_url=database_url,
        redis_url="redis://127.0.0.1:1/0",  # never connected to
        secret_key=SecretStr(key),
        encryption_keys=SecretStr(f"k1:{key}"),
        blind_index_key=SecretStr(key),
        seal_key=SecretStr(key),
        anchors_dir=str(anchors),
        lease_margin_s=600,  # a machine that is slow in real time is no fault of this world
        chunk_budget_s=600,
    )
    app = create_app(settings, pool=scratch.POOL)
    with app.app_context(), _rare_collections():
        scratch.keep_plans(db.engine)
        loops.keep_loop()
        try:
            yield
        finally:
            loops.end_loop()
            db.session.remove()
            db.engine.dispose()


@contextmanager
def _rare_collections() -> Iterator[None]:
    """What lives as long as the world is not looked through again and again."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _eager_turns() -> Iterator[None]:
    """Nobody's answer is waited for in real time."""
    linger_s, turns.LINGER_S = turns.LINGER_S, 0.0
    try:
        yield
    finally:
        turns.LINGER_S = linger_s


@contextmanager
def _troubles() -> Iterator[list[str]]:
    """What the product itself calls an error, except workers that were killed on purpose."""
    found: list[str] = []

    def keep(_logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        if method in ("error", "exception", "critical") and event["event"] != "turns.call_failed":
            found.append(str(event))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.format_exc_info, keep])
    loops = logging.getLogger("asyncio")  # tells of every call that a killed worker left behind
    was_disabled, loops.disabled = loops.disabled, True
    try:
        yield found
    finally:
        loops.disabled = was_disabled
        structlog.configure(**before)
