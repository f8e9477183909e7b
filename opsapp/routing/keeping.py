"""Keeping: write down what has become of circuits, under their locks."""

from collections.abc import Collection, Iterable
from typing import Any

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.kernel.states import RowMove
from opsapp.routing.models import GatewayCircuit
from opsapp.routing.queries import Circuits, lock_circuits
from opsapp.routing.rules import Circuit
from opsapp.routing.states import CIRCUIT, CircuitStatus

# Written with every change; who changed it and when only with a change of state.
_COUNTED = (
    "window_began_at", "calls", "failures", "slow", "lost_s", "misconfigured", "opened_at",
    "retry_at", "rest_s", "probes_left", "probes_ok",
)  # fmt: skip


@within_transaction
def take(gateway_names: Collection[str]) -> Circuits:
    """Lock the circuits of these gateways; the first trouble of a gateway makes its row."""
    found = lock_circuits(gateway_names)
    missing = sorted(set(gateway_names) - found.by_name.keys())
    if not missing:
        return found
    bulk_insert(
        GatewayCircuit,
        [{"gateway_name": name, "status": CIRCUIT.start.value} for name in missing],
        or_nothing=True,
    )
    return lock_circuits(gateway_names)


@within_transaction
def keep(taken: Circuits, after: Iterable[Circuit], *, by: Actor) -> list[Circuit]:
    """Returns those that have come into another state."""
    changed = [each for each in after if each != taken.of(each.gateway_name)]
    moves = [each for each in changed if each.status != taken.of(each.gateway_name).status]
    bulk_update(
        GatewayCircuit,
        [{"id": each.id} | _counted(each) for each in changed if each not in moves],
    )
    CIRCUIT.move_many(
        GatewayCircuit,
        [
            RowMove(
                each.id,
                taken.of(each.gateway_name).status,
                CircuitStatus(each.status),
                each.because,
                also=_counted(each)
                | {"because": each.because, "changed_by": str(by), "changed_at": taken.now},
                detail=_told(taken.of(each.gateway_name), each),
            )
            for each in moves
        ],
        by=by,
    )
    return moves


def _counted(circuit: Circuit) -> dict[str, Any]:
    return {name: getattr(circuit, name) for name in _COUNTED}


def _told(before: Circuit, after: Circuit) -> dict[str, Any]:
    """Figures of the moment: a closed circuit has forgotten its own."""
    spoken = after if after.calls else before
    return {
        "gateway": after.gateway_name,
        "calls": spoken.calls,
        "failures": spoken.failures,
        "slow": spoken.slow,
        "codes": sorted(set(spoken.misconfigured.values())),
    }
