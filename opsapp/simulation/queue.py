"""A queue in place of Redis and RQ that may lose, double, delay and shuffle any hint."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opsapp.kernel.clock import seoul_date
from opsapp.simulation.luck import Luck, Profile

DELAY_MAX = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Hint:
    job: str
    arguments: dict[str, Any]
    outbox_id: int
    not_before: datetime


class SimulatedQueue:
    def __init__(self, luck: Luck, faults: Profile, *, now: datetime) -> None:
        self.now = now
        self.fates: Counter[str] = Counter()
        self._luck = luck
        self._faults = faults
        self._waiting: list[Hint] = []
        self._numbers: Counter[tuple[str, datetime]] = Counter()

    def calm_down(self) -> None:
        self._faults = Profile()

    def push(self, row: Any) -> None:
        """Takes an outbox row, as Redis would."""
        self._numbers[row.name, self.now] += 1
        name = (row.name, self.now, self._numbers[row.name, self.now])
        if self._luck.hits(self._faults.redis_emptied, "emptied", seoul_date(self.now)):
            self.fates["emptied"] += 1
        elif self._luck.hits(self._faults.hints_dropped, "dropped", *name):
            self.fates["dropped"] += 1
        else:
            is_late = self._luck.hits(self._faults.hints_delayed, "delayed", *name)
            delay = self._luck.draw("delay", *name) * DELAY_MAX if is_late else timedelta()
            hint = Hint(row.name, row.arguments, row.id, self.now + delay)
            is_twice = self._luck.hits(self._faults.hints_doubled, "doubled", *name)
            self._waiting += [hint, hint] if is_twice else [hint]
            self.fates["delayed" if is_late else "doubled" if is_twice else "carried"] += 1

    def run(self, do: Callable[[Hint], None]) -> int:
        """Everything that has arrived, and what its doing brings along; returns how many jobs."""
        done = 0
        while due := [hint for hint in self._waiting if hint.not_before <= self.now]:
            self._waiting = [hint for hint in self._waiting if hint.not_before > self.now]
            if self._faults.hints_shuffled:
                due.sort(key=lambda hint: self._luck.draw("order", self.now, hint.outbox_id))
            for hint in due:
                do(hint)
            done += len(due)
        return done

    def next_at(self) -> datetime | None:
        return min((hint.not_before for hint in self._waiting), default=None)
