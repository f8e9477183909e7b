"""The main job: every contract of a file imported, then a month lived day by day under faults.

`python -m bench month`: BENCH_CONTRACTS names the file (7,000 made-up contracts otherwise), and
BENCH_KILLS=1 sends SIGKILL to one process a day, each kind in its turn. The gateway answers after
100 ms, declines some, loses some answers and doubles some webhooks; afterwards the invariants and
the log must hold.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.installation import Installation, installed, write_contracts

DAYS = 31
MADE_UP = 7000
TRIES = 10
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
    with installed() as house:
        started, curve = time.monotonic(), []
        house.opsapp("import", "subscriptions", str(_contracts(house)))
        house.faults(**FAULTS)
        for day in range(DAYS):
            house.opsapp("clock", "advance", "1d")
            if with_kills:
                _kill(house, KINDS[day % len(KINDS)], random.Random(day))
            _wait_until_idle(house)
            curve.append([day, round(time.monotonic() - started, 1)])
        violations = json.loads(house.opsapp("check", "--json"))["violations"]
        house.opsapp("audit", "verify")  # a broken log ends the bench
        [(paid,)] = house.query("SELECT count(*) FROM payments WHERE captured_minor > 0")
    kills = DAYS if with_kills else 0
    return {
        "name": "month",
        "work": f"{paid} payments in {DAYS} days, {kills} kills, violations: {violations}",
        "figure": curve[-1][1],
        "unit": "s",
        "baselines": {},
        "cpu_ms_per_unit": {},
        "curve": curve,
    }


def _contracts(house: Installation) -> Path:
    if named := os.environ.get("BENCH_CONTRACTS"):
        return Path(named)
    file = house.folder / "contracts.csv"
    write_contracts(file, MADE_UP, anchor_day=28, started_on="2026-01-28")
    return file


def _wait_until_idle(house: Installation) -> None:
    """Asked again while the database that was just killed comes back."""
    for tries_left in reversed(range(TRIES)):
        try:
            house.opsapp("idle", "--timeout", "120")
        except subprocess.CalledProcessError:
            if not tries_left:
                raise
            time.sleep(1)
        else:
            return


def _kill(house: Installation, kind: str, dice: random.Random) -> None:
    """The ready file is written anew after each restart: ask it for today's pids."""
    found = json.loads((house.folder / "ready.json").read_text())["pids"][kind]
    time.sleep(dice.uniform(0.2, 1.2))
    with contextlib.suppress(ProcessLookupError):
        os.kill(dice.choice(found if isinstance(found, list) else [found]), signal.SIGKILL)
