"""Pausing: staff stop a gateway, let it go on, or try it before its rest is over."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.events import announce
from opsapp.routing import keeping, queries, rules
from opsapp.routing.errors import CircuitElsewhere
from opsapp.routing.events import CircuitFact, GatewayResumed
from opsapp.routing.rules import Circuit
from opsapp.routing.states import CIRCUIT, CircuitStatus

REASON_LENGTH_MAX = 200


@within_transaction
def pause(gateway_name: str, *, because: str, by: Actor) -> None:
    """Ask it nothing more until staff say so; what is on its way is still recorded.

    Raises Invalid, NotFound, CircuitElsewhere.
    """

    def held(circuit: Circuit, _now: datetime) -> Circuit:
        return replace(
            circuit, status=CircuitStatus.PAUSED.value, retry_at=None, probes_left=0, probes_ok=0
        )

    _change(gateway_name, held, because=because, by=by)


@within_transaction
def resume(gateway_name: str, *, because: str, by: Actor) -> None:
    """After a pause: a few calls go through, and the rest once they went well.

    Raises Invalid, NotFound, CircuitElsewhere.
    """
    resumed = _change(gateway_name, _probe, because=because, by=by, only_from=CircuitStatus.PAUSED)
    announce(GatewayResumed(CircuitFact(resumed.id, resumed.gateway_name, resumed.because)))


@within_transaction
def try_now(gateway_name: str, *, because: str, by: Actor) -> None:
    """Do not wait for the end of the rest. Raises Invalid, NotFound, CircuitElsewhere."""
    _change(gateway_name, _probe, because=because, by=by, only_from=CircuitStatus.OPEN)


def _probe(circuit: Circuit, now: datetime) -> Circuit:
    return rules.probing(circuit, now, "")


def _change(
    gateway_name: str,
    change: Callable[[Circuit, datetime], Circuit],
    *,
    because: str,
    by: Actor,
    only_from: CircuitStatus | None = None,
) -> Circuit:
    reason = because.strip()
    if not reason or len(reason) > REASON_LENGTH_MAX:
        raise Invalid(field="because", reason="Say why, in at most 200 characters.")
    if gateway_name not in queries.list_gateway_names():
        raise NotFound(noun="gateway", id=gateway_name)
    taken = keeping.take([gateway_name])
    before = taken.of(gateway_name)
    after = replace(change(before, taken.now), because=reason)
    is_other = only_from is not None and before.status != only_from
    if is_other or not CIRCUIT.allows(before.status, CircuitStatus(after.status)):
        raise CircuitElsewhere
    keeping.keep(taken, [after], by=by)
    return after
