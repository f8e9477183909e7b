"""The main job: every contract of a file imported, then lived day by day under faults.

`python -m bench month`: BENCH_MONTHS says for how long (1), BENCH_CONTRACTS names the file (7,000
made-up contracts otherwise), and BENCH_KILLS=1 sends SIGKILL to one process a day, each kind in its
turn. The gateway answers after 100 ms, declines some, loses some answers and doubles some webhooks;
afterwards the invariants and the log must hold, and each month has its run report.

The clock goes to the next midnight as soon as nothing is left of a day. While only uncertain
charges wait for their next look, it goes on by a minute: they have as many looks, in less time.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from bench.installation import Installation, installed, write_contracts
from opsapp.cli import environment
from opsapp.cli.application import running
from opsapp.insights.queries import list_left
from opsapp.kernel import clock
from opsapp.kernel.db import transaction

R = TypeVar("R")

DAYS_A_MONTH = 365 / 12
DAY_LIMIT_S = 120
POLL_S = 0.05
AWAY_S = 1.0  # a database that was killed comes back
MADE_UP = 7000
OUTCOMES = ("paid", "uncertain", "awaiting_deposit", "retrying", "failed", "cancelled")
KINDS = ("worker", "relay", "scheduler", "web", "redis", "postgres", "sandbox")
FAULTS: dict[str, Any] = {
    "seed": 11,
    "declines": {"REJECT_CARD_PAYMENT": 0.03, "REJECT_ACCOUNT_PAYMENT": 0.02},
    "lost_before": 0.01,
    "lost_after": 0.02,
    "late": {"share": 0.005, "after_s": 1},
    "errors_500": 0.01,
    "inquiry_failures": 0.03,
    "latency_ms": {"fixed": 100},
    "webhooks": {"doubled": 0.1},
    "deposits": {"share": 0.9, "after_s": 0.3},
}


def run() -> dict[str, Any]:
    with_kills = os.environ.get("BENCH_KILLS") == "1"
    days = round(int(os.environ.get("BENCH_MONTHS", "1")) * DAYS_A_MONTH)
    with installed() as house:
        started, curve = time.monotonic(), []
        house.opsapp("import", "subscriptions", str(_contracts(house)))
        house.faults(**FAULTS)
        with _inside(house):
            first_day = _today()
            for day in range(days):
                _go_to_midnight()
                if with_kills:
                    _kill(house, KINDS[day % len(KINDS)], random.Random(day))
                _wait_until_idle()
                curve.append([day, round(time.monotonic() - started, 1)])
            reports = _reports(house, first_day, _today())
        house.opsapp("idle", "--timeout", "120")  # as anybody else would ask
        violations = _check(house)
        house.opsapp("audit", "verify")  # a broken log ends the bench
        [(paid,)] = house.query("SELECT count(*) FROM payments WHERE captured_minor > 0")
        standing = house.query("SELECT status, count(*) FROM subscriptions GROUP BY 1 ORDER BY 1")
    kills = days if with_kills else 0
    _show(reports)
    return {
        "name": "month",
        "work": f"{paid} payments in {days} days, {kills} kills, violations: {violations}",
        "figure": curve[-1][1],
        "unit": "s",
        "baselines": {},
        "cpu_ms_per_unit": {},
        "curve": curve,
        "months": reports,
        "subscriptions": dict(standing),
    }


@contextlib.contextmanager
def _inside(house: Installation) -> Iterator[None]:
    """In this process, so that a day does not cost the start of two commands."""
    environment.load(house.folder / "data")
    with running():
        yield


def _check(house: Installation) -> int:
    """Raises RuntimeError with the rows that do not hold, or with why they could not be read."""
    try:
        return int(json.loads(house.opsapp("check", "--json"))["violations"])
    except subprocess.CalledProcessError as broken:
        if not broken.stdout:
            raise RuntimeError(f"the check ended without an answer: {broken.stderr}") from broken
        rows = [row for row in json.loads(broken.stdout)["rows"] if row["violations"]]
        raise RuntimeError(f"invariants are violated: {rows}") from broken


def _today() -> date:
    with transaction():
        return clock.seoul_date(clock.now())


def _go_to_midnight() -> None:
    _patiently(lambda: clock.set_to(clock.seoul_midnight(_day_of_clock() + timedelta(days=1))))


def _day_of_clock() -> date:
    return clock.seoul_date(clock.now())


def _wait_until_idle() -> None:
    """Raises RuntimeError with what is left of a day that does not end."""
    give_up_at = time.monotonic() + DAY_LIMIT_S
    while left := _patiently(list_left):
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"a day did not end: {left}")
        if _patiently(lambda: list_left(soon=timedelta(0))):
            time.sleep(POLL_S)
        else:
            _patiently(lambda: clock.advance(timedelta(minutes=1)))


def _patiently(step: Callable[[], R]) -> R:
    """In a transaction; again while the database that was just killed comes back."""
    give_up_at = time.monotonic() + DAY_LIMIT_S
    while True:
        try:
            with transaction():
                return step()
        except DBAPIError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(AWAY_S)


def _reports(house: Installation, first: date, last: date) -> list[dict[str, Any]]:
    """The run report of each month, as finance reads it."""
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    named = [f"{month // 12}-{month % 12 + 1:02}" for month in months]
    found = [json.loads(house.opsapp("runs", "--month", name, "--json")) for name in named]
    return [{"month": each["month"], **each["total"], "runs": len(each["runs"])} for each in found]


def _show(reports: list[dict[str, Any]]) -> None:
    table = Table("month", "runs", "made", *OUTCOMES, title="Run reports: payments")
    for report in reports:
        counts = [str(report.get(name, {}).get("count", 0)) for name in OUTCOMES]
        table.add_row(report["month"], str(report["runs"]), str(report["made"]["count"]), *counts)
    Console().print(table)


def _contracts(house: Installation) -> Path:
    if named := os.environ.get("BENCH_CONTRACTS"):
        return Path(named)
    file = house.folder / "contracts.csv"
    write_contracts(file, MADE_UP, anchor_day=28, started_on="2026-01-28")
    return file


def _kill(house: Installation, kind: str, dice: random.Random) -> None:
    """The ready file is written anew after each restart: ask it for today's pids."""
    found = json.loads((house.folder / "ready.json").read_text())["pids"][kind]
    time.sleep(dice.uniform(0.2, 1.2))
    with contextlib.suppress(ProcessLookupError):
        os.kill(dice.choice(found if isinstance(found, list) else [found]), signal.SIGKILL)
