import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from opsapp.audit import sealing
from opsapp.kernel import leadership, timetable
from opsapp.kernel.db import transaction
from opsapp.kernel.timetable import Every
from opsapp.subscriptions import renewing
from tests.waiting import until
from tests.workers.conftest import Start
from workers import schedule, scheduler
from workers.schedule import Entry

FROZEN_IN_A_TRANSACTION = """
import os, signal
from opsapp import create_app
from opsapp.kernel import leadership
from opsapp.kernel.db import transaction
with create_app(sole_connection=True).app_context():
    lead = leadership.Leadership()
    assert lead.hold()
    try:
        with transaction():
            leadership.note_tick("zombie", is_leader=True)
            print("frozen", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
            leadership.note_tick("zombie again", is_leader=True)
    except Exception as error:
        print("refused", type(error).__name__, flush=True)
    try:
        with transaction():
            leadership.note_tick("zombie anew", is_leader=True)
    except leadership.Deposed:
        print("deposed", flush=True)
"""


def leader(owner: psycopg.Connection) -> str | None:
    """The name of the scheduler whose connection holds the lock."""
    row = owner.execute(
        "SELECT h.name FROM scheduler_heartbeats h WHERE h.is_leader "
        "AND h.seen_at > clock_timestamp() - interval '2 s' ORDER BY h.seen_at DESC LIMIT 1"
    ).fetchone()
    return row[0] if row else None


def holds_lock(owner: psycopg.Connection) -> int | None:
    row = owner.execute(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [leadership.LOCK],
    ).fetchone()
    return row[0] if row else None


def led_by(owner: psycopg.Connection, pid: int) -> bool:
    name = leader(owner)
    return name is not None and name.endswith(f":{pid}")


@pytest.fixture
def pair(start: Start, owner: psycopg.Connection, app: Flask) -> Any:
    """A leading scheduler and one that stands by."""
    first = start("scheduler")
    until(lambda: led_by(owner, first.pid))
    second = start("scheduler")
    until(lambda: owner.execute("SELECT count(*) FROM scheduler_heartbeats").fetchone() == (2,))
    return first, second


def test_a_killed_leader_is_replaced_within_a_second(pair: Any, owner: psycopg.Connection) -> None:
    first, second = pair
    killed_at = time.monotonic()
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: led_by(owner, second.pid))
    assert time.monotonic() - killed_at < 1


def test_a_frozen_leader_is_replaced_within_ten_seconds_and_stands_by_when_it_wakes(
    pair: Any, owner: psycopg.Connection, logs: Callable[[int], str]
) -> None:
    first, second = pair
    frozen_at = time.monotonic()
    os.kill(first.pid, signal.SIGSTOP)
    until(lambda: led_by(owner, second.pid))
    assert time.monotonic() - frozen_at < 10
    os.kill(first.pid, signal.SIGCONT)
    until(lambda: "scheduler.deposed_or_away" in logs(0))
    until(lambda: "scheduler.stands_by" in logs(0))
    assert led_by(owner, second.pid)


def test_a_leader_frozen_inside_a_transaction_is_replaced_and_cannot_write_when_it_wakes(
    start: Start, owner: psycopg.Connection, app: Flask, logs: Callable[[int], str]
) -> None:
    zombie = start("-c", FROZEN_IN_A_TRANSACTION)
    until(lambda: "frozen" in logs(0))
    frozen_at = time.monotonic()
    second = start("scheduler")
    until(lambda: led_by(owner, second.pid))
    assert time.monotonic() - frozen_at < 10
    os.kill(zombie.pid, signal.SIGCONT)
    zombie.wait(10)
    assert "refused" in logs(0)
    assert "deposed" in logs(0)
    names = {row[0] for row in owner.execute("SELECT name FROM scheduler_heartbeats")}
    assert not {"zombie", "zombie again", "zombie anew"} & names


def test_a_leader_whose_connection_is_cut_gives_way_and_may_lead_again(
    start: Start, owner: psycopg.Connection, app: Flask, logs: Callable[[int], str]
) -> None:
    only = start("scheduler")
    until(lambda: led_by(owner, only.pid))
    before = holds_lock(owner)
    owner.execute("SELECT pg_terminate_backend(%s)", [before])
    until(lambda: holds_lock(owner) not in (None, before))
    assert "scheduler.deposed_or_away" in logs(0)
    assert only.poll() is None


def test_a_scheduler_stops_when_asked(pair: Any) -> None:
    for process in pair:
        os.kill(process.pid, signal.SIGTERM)
    assert [process.wait(5) for process in pair] == [0, 0]


def test_two_leaders_fire_a_slot_once(app: Flask) -> None:
    slot = datetime(2026, 11, 22, tzinfo=UTC)
    with transaction():
        assert timetable.take_slot("audit.anchor", slot)
    with transaction():
        assert not timetable.take_slot("audit.anchor", slot)


def test_a_step_that_fails_gives_its_slot_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []

    def fail_first() -> None:
        ran.append(True)
        if len(ran) == 1:
            raise LookupError

    entry = Entry("test", Every(timedelta(minutes=1)), step=fail_first)
    slot = entry.when.latest_slot(datetime.now(UTC))
    with pytest.raises(LookupError):
        scheduler._fire(entry, slot)
    for _ in range(2):
        scheduler._fire(entry, slot)
    assert len(ran) == 2


def test_a_fault_in_renewing_keeps_neither_seals_nor_anchors_from_being_made(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def fail(**_: Any) -> int:
        raise LookupError

    monkeypatch.setattr(renewing, "renew_due", fail)
    monkeypatch.setattr(sealing, "seal", lambda: made.append("seal"))
    anchored = Entry("anchor", Every(timedelta(days=365)), procedure=lambda: made.append("anchor"))
    monkeypatch.setattr(scheduler, "TIMETABLE", (anchored,))
    for _ in range(2):
        assert scheduler.Scheduler().tick()
    assert made == ["seal", "anchor", "seal"]


def test_every_entry_of_the_timetable_has_a_name_of_its_own_and_one_thing_to_do() -> None:
    assert len({entry.name for entry in schedule.TIMETABLE}) == len(schedule.TIMETABLE)
    for entry in schedule.TIMETABLE:
        assert (entry.step is None) != (entry.procedure is None)


def test_the_command_names_its_kinds(start: Start, logs: Callable[[int], str]) -> None:
    assert start("nonsense").wait(20) != 0
    assert "relay|scheduler" in logs(0)
