"""Resting: a gateway that fails, is slow or was stopped is not asked, but for a few probes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.routing import keeping, queries, rules
from opsapp.routing.queries import Circuits
from opsapp.routing.rules import Circuit
from opsapp.routing.states import CircuitStatus

_BY = Actor("worker", "routing.resting")

# What this process last saw: good answers of a gateway that is well cost no statement.
_calm: dict[str, bool] = {}


class Asks(Protocol):
    """A row that wants to ask its gateway."""

    @property
    def id(self) -> int: ...
    @property
    def gateway_name(self) -> str: ...


R = TypeVar("R", bound=Asks)


@dataclass(frozen=True, slots=True)
class Parted(Generic[R]):
    """Rows that may go, and the ids of the others by how long they are to wait."""

    going: list[R]
    waiting: dict[timedelta, list[int]]


@within_transaction
def part(rows: Sequence[R]) -> Parted[R]:
    """Which of the rows may ask their gateway now. One statement while all gateways are well.

    Called with the rows already locked: circuits come after them in the order of locks. What a
    probing gateway grants is used up by this.
    """
    if not rows:
        return Parted([], {})
    seen = queries.read_circuits()
    wanted = Counter(row.gateway_name for row in rows)
    for name in wanted:
        believe(seen.of(name), seen.now)
    loud = [name for name in wanted if seen.of(name).status != CircuitStatus.CLOSED]
    if not loud:
        return Parted(list(rows), {})
    allowed, rests = _grant({name: wanted[name] for name in loud}, seen)
    left = Counter(wanted | allowed)
    parted: Parted[R] = Parted([], {})
    for row in rows:
        if left[row.gateway_name] > 0:
            left[row.gateway_name] -= 1
            parted.going.append(row)
        else:
            parted.waiting.setdefault(rests[row.gateway_name], []).append(row.id)
    return parted


def count_askable() -> dict[str, int]:
    """How many rows are worth waking, for each gateway that is not well; 0 for most of them."""
    seen = queries.read_circuits()
    return {
        name: rules.grant(circuit, rules.PROBES, seen.now)[0]
        for name, circuit in seen.by_name.items()
        if circuit.status != CircuitStatus.CLOSED
    }


def believe(circuit: Circuit, now: datetime) -> None:
    _calm[circuit.gateway_name] = rules.is_calm(circuit, now)


def is_believed_calm(gateway_name: str) -> bool:
    return _calm.get(gateway_name, False)


def _grant(wanted: dict[str, int], seen: Circuits) -> tuple[dict[str, int], dict[str, timedelta]]:
    """Calls allowed for each gateway and the wait of the others; locks only where any may go."""
    hopeful = [n for n, count in wanted.items() if rules.grant(seen.of(n), count, seen.now)[0]]
    if hopeful:
        taken = keeping.take(hopeful)
        granted = {n: rules.grant(taken.of(n), wanted[n], taken.now) for n in hopeful}
        keeping.keep(taken, [circuit for _, circuit in granted.values()], by=_BY)
    else:
        granted = {}
    after = {n: granted[n][1] if n in granted else seen.of(n) for n in wanted}
    allowed = {n: granted[n][0] if n in granted else 0 for n in wanted}
    return allowed, {n: rules.held_for(circuit, seen.now) for n, circuit in after.items()}
