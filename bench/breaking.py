"""Breaking processes of a running `opsapp up`: the pids are read from its ready file each time."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FROZEN_S = 6.0  # longer than a lease of the campaign, and than a silent leader is kept
BUSY_WITHIN_S = 2.0


@dataclass(slots=True)
class Saboteur:
    """One fault after the other, each kind of process in turn."""

    ready_file: Path
    random: random.Random
    done: Counter[str] = field(default_factory=Counter)
    _frozen: list[tuple[float, int]] = field(default_factory=list)
    _turn: int = 0

    def strike(self) -> None:
        """The next fault; one whose victim is just being started anew is skipped."""
        name, act = self._acts()[self._turn % len(self._acts())]
        self._turn += 1
        if act():
            self.done[name] += 1

    def thaw(self, *, all_of_them: bool = False) -> None:
        """Wake those that were frozen long enough."""
        now = time.monotonic()
        woken = [each for each in self._frozen if all_of_them or each[0] <= now]
        for entry in woken:
            self._frozen.remove(entry)
            _signal(entry[1], signal.SIGCONT)

    def _acts(self) -> list[tuple[str, Callable[[], bool]]]:
        return [
            ("kill worker", lambda: self._kill("worker")),
            ("kill job", self._kill_job),
            ("kill relay", lambda: self._kill("relay")),
            ("freeze worker", lambda: self._freeze("worker")),
            ("kill scheduler", lambda: self._kill("scheduler")),
            ("freeze job", self._freeze_job),
            ("kill redis", lambda: self._kill("redis")),
            ("freeze scheduler", lambda: self._freeze("scheduler")),
            ("kill job", self._kill_job),
            ("kill web", lambda: self._kill("web")),
            ("freeze job", self._freeze_job),
            ("freeze relay", lambda: self._freeze("relay")),
            ("kill postgres", lambda: self._kill("postgres")),
        ]

    def _pids(self, group: str) -> list[int]:
        with suppress(OSError, ValueError):
            found: Any = json.loads(self.ready_file.read_text())["pids"].get(group)
            pids = found if isinstance(found, list) else [found]
            return [pid for pid in pids if pid]
        return []

    def _kill(self, group: str) -> bool:
        pids = self._pids(group)
        return bool(pids) and _signal(self.random.choice(pids), signal.SIGKILL)

    def _freeze(self, group: str) -> bool:
        pids = self._pids(group)
        return bool(pids) and self._stop(self.random.choice(pids))

    def _kill_job(self) -> bool:
        pid = self._job_pid()
        return pid is not None and _signal(pid, signal.SIGKILL)

    def _freeze_job(self) -> bool:
        pid = self._job_pid()
        return pid is not None and self._stop(pid)

    def _stop(self, pid: int) -> bool:
        if not _signal(pid, signal.SIGSTOP):
            return False
        self._frozen.append((time.monotonic() + FROZEN_S, pid))
        return True

    def _job_pid(self) -> int | None:
        """A worker with a job in hand, if one shows itself soon: it spends time."""
        give_up_at = time.monotonic() + BUSY_WITHIN_S
        while time.monotonic() < give_up_at:
            before = {pid: _ticks(pid) for pid in self._pids("worker")}
            time.sleep(0.05)
            if busy := [pid for pid, spent in before.items() if _ticks(pid) > spent]:
                return self.random.choice(busy)
        return None


def _ticks(pid: int) -> int:
    """CPU that a process has spent so far, in clock ticks; 0 of one that has ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
