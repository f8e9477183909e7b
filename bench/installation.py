"""A whole installation of its own for one benchmark: `opsapp up` in a temporary folder."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from opsapp.kernel.embedded import free_port

START_LIMIT_S = 90
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Installation:
    folder: Path
    ready: dict[str, Any]

    def opsapp(self, *words: str, limit_s: float = 600) -> str:
        command = [sys.executable, "-m", "opsapp.cli", *words]
        environment = os.environ | {"OPSAPP_DATA_DIR": str(self.folder / "data")}
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=limit_s
        ).stdout

    @property
    def environment(self) -> dict[str, str]:
        """What its own processes were started with."""
        shared: dict[str, str] = json.loads((self.folder / "data" / "env.json").read_text())
        return os.environ | shared

    def faults(self, **profile: Any) -> None:
        request = urllib.request.Request(
            f"{self.ready['sandbox_url']}/_sandbox/faults",
            data=json.dumps(profile).encode(),
            method="PUT",
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()

    def query(self, sql: Any, *values: Any) -> list[Any]:
        with psycopg.connect(self.ready["database_url"], autocommit=True) as connection:
            return connection.execute(sql, values or None).fetchall()

    def cpu_s(self) -> dict[str, float]:
        """CPU spent so far by each kind of process of the ready file, children included.

        Workers are told apart by their queue: "worker charges_bulk.toss".
        """
        found: dict[str, float] = {}
        for name, pids in self.ready["pids"].items():
            for pid in pids if isinstance(pids, list) else [pids]:
                kind = f"worker {_last_word(pid)}" if name == "worker" else name
                found[kind] = found.get(kind, 0.0) + tree_cpu_s(pid)
        return found


@contextmanager
def installed(*, workers: int = 2, **settings: str) -> Iterator[Installation]:
    """Started without demo data on a free port; everything is stopped and deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="opsapp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ready_file = folder / "ready.json"
        up = [sys.executable, "-m", "opsapp.cli", "up", "--no-demo"]
        up += ["--port", str(free_port())]
        up += ["--data-dir", str(folder / "data"), "--workers", str(workers)]
        environment = os.environ | settings
        process = subprocess.Popen(
            [*up, "--ready-file", str(ready_file)], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            give_up_at = time.monotonic() + START_LIMIT_S
            while not ready_file.exists():
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise RuntimeError("the installation did not start")
                time.sleep(0.1)
            yield Installation(folder, json.loads(ready_file.read_text()))
        finally:
            process.terminate()
            process.wait(60)


def write_contracts(file: Path, count: int, *, anchor_day: int, started_on: str) -> None:
    """Card subscriptions that all fall due on the same day of the month."""
    write_rows(
        file,
        [
            contract(f"B{number:06d}", number, anchor_day=anchor_day, started_on=started_on)
            for number in range(count)
        ],
    )


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def contract(ref: str, number: int = 0, *, anchor_day: int, started_on: str) -> dict[str, Any]:
    """The columns of `opsapp import subscriptions`."""
    return {
        "customer_ref": ref,
        "email": f"{ref.lower()}@example.com",
        "phone": "010-0000-1234",
        "locale": "ko",
        "plan_code": f"plan-{number % 20}",
        "plan_name": "구독",
        "interval": "month",
        "interval_count": 1,
        "amount": 9900 + number % 20,
        "currency": "KRW",
        "method": "card",
        "method_expires": "2031-12",
        "anchor_day": anchor_day,
        "started_on": started_on,
        "contract": "month_to_month",
        "terms_version": "2020-10",
        "consented_on": started_on,
        "status": "active",
        "cancelled_on": "",
    }


def _last_word(pid: int) -> str:
    """Of its command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").rpartition("\0")[2]
    except OSError:
        return "that has ended"


def tree_cpu_s(pid: int) -> float:
    """A process, what it has reaped, and its living descendants."""
    total = _own_cpu_s(pid)
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return total
    return total + sum(tree_cpu_s(int(child)) for child in children)


def _own_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICKS_PER_S
