"""The fault campaign: `python -m bench.chaos [--seed 1] [--contracts 150] [--limit-s 120]`.

A whole installation of its own is started, contracts are imported, and the clock is walked
through a month while the gateway declines, loses, delays, breaks off and doubles, and processes
are killed or frozen in turn. Afterwards our books and the gateway's must agree: nothing doubled,
nothing lost, nothing open in silence. A naive control under the same faults must not agree.
Writes build/chaos/summary.json; leaves with 1 when anything is wrong.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from bench.breaking import Saboteur
from bench.naive import CAPTURED, NaiveShop, Outcome
from opsapp.kernel.embedded import free_port

ROOT = Path(__file__).parents[1]
DAYS = 31
START_LIMIT_S = 90.0
IDLE_LIMIT_S = 60.0
TIMEOUT_S = 2.0  # of a call to the gateway, here; 70 s in production
CONTROL_CHARGES = 50
METHODS = ("card", "easy_pay", "transfer")

# The times of production (reliability: leases, re-delivery), scaled down together.
SCALED = {
    "OPSAPP_GATEWAY_TIMEOUT_S": str(TIMEOUT_S),
    "OPSAPP_GATEWAY_INQUIRY_TIMEOUT_S": "1",
    "OPSAPP_LEASE_MARGIN_S": "1",
    "OPSAPP_REHINT_AFTER_S": "2",
    "OPSAPP_CHUNK_SIZE": "10",
    "OPSAPP_CHUNK_BUDGET_S": "10",
}
FAULTS: dict[str, Any] = {
    "declines": {"REJECT_CARD_PAYMENT": 0.07, "INVALID_STOPPED_CARD": 0.02},
    "lost_before": 0.04,
    "lost_after": 0.10,
    "late": {"share": 0.06, "after_s": 2 * TIMEOUT_S},
    "resets": 0.05,
    "errors_500": 0.05,
    "hang_s": 1.5 * TIMEOUT_S,
    "inquiry_failures": 0.08,
    "latency_ms": {"min": 50, "max": 300},
    "webhooks": {"doubled": 0.5, "reordered": 0.3, "delayed_s": 0.5},
}


@dataclass(slots=True)
class Summary:
    """`doubled` and `lost` are payments; `open` are attempts that nothing has settled."""

    seed: int
    charges: int = 0
    attempts: int = 0
    faults: int = 0
    faults_by_kind: dict[str, int] = field(default_factory=dict)
    gateway_faults: dict[str, int] = field(default_factory=dict)
    doubled: int = 0
    lost: int = 0
    open: int = 0
    violations: int | None = None
    violated: list[Any] = field(default_factory=list)
    drain_s: float | None = None  # the longest wait until nothing due was left
    drains_s: list[float | None] = field(default_factory=list)
    took_s: float = 0.0
    control: dict[str, int] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        ours = self.doubled == self.lost == self.open == self.violations == 0
        sees = self.control.get("doubled", 0) + self.control.get("unrecorded", 0) > 0
        return ours and sees and self.drain_s is not None and self.charges > 0


def main() -> None:
    options = _options()
    summary = run(options)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(asdict(summary), indent=1, ensure_ascii=False) + "\n")
    for name, value in asdict(summary).items():
        print(f"{name:15} {value}")
    sys.exit(0 if summary.is_good else 1)


def run(options: argparse.Namespace) -> Summary:
    started = time.monotonic()
    summary = Summary(seed=options.seed)
    with _installation(options.keep) as house:
        house.import_contracts(options.contracts)
        house.sandbox("PUT", "/_sandbox/faults", {"seed": options.seed} | FAULTS)
        saboteur = Saboteur(house.ready_file, random.Random(options.seed))
        with ThreadPoolExecutor(1) as beside:
            control = beside.submit(_control, house)
            _walk_a_month(house, saboteur, until=started + options.limit_s * 0.6)
        summary.gateway_faults = house.sandbox("GET", "/_sandbox/counts")
        house.sandbox("DELETE", "/_sandbox/faults")
        saboteur.thaw(all_of_them=True)
        summary.drains_s = house.drain()
        ended = [wait for wait in summary.drains_s if wait is not None]
        summary.drain_s = max(ended) if len(ended) == len(summary.drains_s) else None
        _compare(house, summary)
        summary.faults = saboteur.done.total()
        summary.faults_by_kind = dict(saboteur.done)
        summary.control = asdict(control.result())
        checked = house.check()
        summary.violations = checked["violations"]
        summary.violated = [row for row in checked["rows"] if row["violations"]]
    summary.took_s = round(time.monotonic() - started, 1)
    return summary


class House:
    """An installation that is up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ready_file = folder / "ready.json"
        self._ready: dict[str, Any] = json.loads(self.ready_file.read_text())

    def import_contracts(self, count: int) -> None:
        file = self.folder / "contracts.csv"
        _write_contracts(file, count)
        self.command("import", "subscriptions", str(file))
        self.command("idle", "--timeout", str(IDLE_LIMIT_S))

    def advance(self, step: timedelta) -> None:
        """A statement instead of a command: a command takes a second to start."""
        with psycopg.connect(self._ready["database_url"], connect_timeout=2) as connection:
            connection.execute(
                "INSERT INTO test_clock VALUES (1, %s) ON CONFLICT (id) DO UPDATE "
                "SET shift = test_clock.shift + excluded.shift",
                [step],
            )

    def drain(self) -> list[float | None]:
        """Seconds until nothing was left that is due, each time; None: something still was.

        Looks at uncertain attempts are hours apart, so the clock moves on between two waits.
        """
        waits: list[float | None] = []
        for step in (timedelta(0), timedelta(hours=2), timedelta(hours=12)):
            self.advance(step)
            begun = time.monotonic()
            done = self.command("idle", "--timeout", str(IDLE_LIMIT_S))
            waits.append(None if done.returncode else round(time.monotonic() - begun, 1))
        return waits

    def check(self) -> dict[str, Any]:
        done = self.command("check", "--json")
        try:
            found: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise SystemExit(f"opsapp check said nothing readable:\n{done.stderr}") from None
        return found

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._ready["database_url"]) as connection:
            return connection.execute(statement).fetchall()

    def held(self) -> list[dict[str, Any]]:
        """The gateway's own books."""
        found: list[dict[str, Any]] = self.sandbox("GET", "/_sandbox/payments")
        return found

    @property
    def sandbox_url(self) -> str:
        return str(self._ready["sandbox_url"])

    def sandbox(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.sandbox_url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "opsapp.cli", "--data-dir", str(self.folder), *words],
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def _installation(keep: bool) -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="opsapp-chaos-"))
    ready_file = folder / "ready.json"
    words = ("up", "--no-demo", "--port", str(free_port()), "--ready-file", str(ready_file))
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "opsapp.cli", "--data-dir", str(folder), *words],
            cwd=ROOT,
            env=_environment() | SCALED,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        give_up_at = time.monotonic() + START_LIMIT_S
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise SystemExit((folder / "up.log").read_text())
            time.sleep(0.1)
        yield House(folder)
    finally:
        process.terminate()
        process.wait(60)
        if keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _walk_a_month(house: House, saboteur: Saboteur, *, until: float) -> None:
    """A fault on most days; a day is as short as the time that is left allows."""
    for day in range(DAYS):
        begun = time.monotonic()
        left_s = max(until - begun, 0.0)
        while True:
            try:
                house.advance(timedelta(days=1))
                break
            except psycopg.OperationalError:  # it was just killed
                time.sleep(0.2)
        saboteur.strike()
        time.sleep(max(0.0, min(2.0, left_s / (DAYS - day)) - (time.monotonic() - begun)))
        saboteur.thaw()


def _control(house: House) -> Outcome:
    shop = NaiveShop(house.sandbox_url, timeout_s=TIMEOUT_S)
    shop.charge_all(CONTROL_CHARGES)
    time.sleep(FAULTS["late"]["after_s"])  # the last late effect is in the gateway's books
    return shop.compare(house.held(), charges=CONTROL_CHARGES)


def _compare(house: House, summary: Summary) -> None:
    """Our attempts against the gateway's books, order number by order number."""
    attempts = house.rows("SELECT gateway_order_id, payment_id, status FROM attempts")
    payment_of = {order: payment for order, payment, _ in attempts}
    succeeded = {order for order, _, status in attempts if status == "succeeded"}
    captured = Counter(
        each["orderId"]
        for each in house.held()
        if each["status"] in CAPTURED and not each["orderId"].startswith("naive-")
    )
    times: Counter[Any] = Counter()
    for order, count in captured.items():
        times[payment_of.get(order, order)] += count
    summary.charges = len(times)
    summary.attempts = len(attempts)
    summary.doubled = sum(1 for count in times.values() if count > 1)
    summary.lost = len(captured.keys() ^ succeeded)
    summary.open = sum(1 for _, _, status in attempts if status in ("inflight", "unknown"))


def _write_contracts(file: Path, count: int) -> None:
    """Their next periods fall due one after the other in the coming month."""
    today = datetime.now(ZoneInfo("Asia/Seoul")).date()
    with file.open("w", newline="", encoding="utf-8") as output:
        writer = csv.DictWriter(output, fieldnames=list(_contract(0, today)))
        writer.writeheader()
        writer.writerows(_contract(number, today) for number in range(count))


def _contract(number: int, today: date) -> dict[str, Any]:
    started_on = today.replace(day=1) - timedelta(days=31 - number % 28)
    return {
        "customer_ref": f"C-{number:05}",
        "email": f"c{number:05}@example.com",
        "phone": f"010-0000-{number % 10_000:04}",
        "locale": "ko",
        "plan_code": "chaos-9900",
        "plan_name": "Chaos",
        "interval": "month",
        "interval_count": 1,
        "amount": 9900,
        "currency": "KRW",
        "method": METHODS[number % len(METHODS)],
        "method_expires": "",
        "anchor_day": started_on.day,
        "started_on": started_on.isoformat(),
        "contract": "month_to_month",
        "terms_version": "2020-10",
        "consented_on": started_on.isoformat(),
        "status": "active",
        "cancelled_on": "",
    }


def _environment() -> dict[str, str]:
    """Ours, without anything that would point at another installation."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL") and not name.startswith("OPSAPP_")
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contracts", type=int, default=150)
    parser.add_argument("--limit-s", type=float, default=120.0, help="about what it may take")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "chaos" / "summary.json")
    parser.add_argument("--keep", action="store_true", help="leave the installation's folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
