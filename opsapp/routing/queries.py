from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.gateways import registry
from opsapp.gateways.values import Capabilities
from opsapp.kernel.db import db, execute_plain, locked
from opsapp.kernel.errors import NotFound
from opsapp.routing.models import GatewayCircuit, GatewayRoute
from opsapp.routing.rules import Circuit, Route
from opsapp.settings import Settings

_COLUMNS = [getattr(GatewayCircuit, each.name) for each in fields(Circuit)]
_READ = (
    select(func.clock_timestamp().label("read_at"), *_COLUMNS)
    .select_from(select(1).subquery())
    .outerjoin(GatewayCircuit, GatewayCircuit.id.is_not(None))
)
_ROUTE_ORDER = (
    GatewayRoute.method_kind, GatewayRoute.currency, GatewayRoute.position, GatewayRoute.id,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Circuits:
    """All that have a row, as they were at `now` on the database's clock."""

    by_name: Mapping[str, Circuit]
    now: datetime

    def of(self, gateway_name: str) -> Circuit:
        return self.by_name.get(gateway_name) or Circuit(gateway_name)


@dataclass(frozen=True, slots=True)
class Picture:
    """A gateway as staff see it. Limits are those of one worker process."""

    name: str
    capabilities: Capabilities
    circuit: Circuit
    timeout_s: float
    inquiry_timeout_s: float
    abreast_max: int
    rate_per_s_max: float


def list_gateway_names() -> list[str]:
    """Those of this installation, the first one being asked by default."""
    return [gateway.name for gateway in registry.all_gateways()]


def list_gateway_names_of(settings: Settings) -> list[str]:
    """The same for a process that has not become the application."""
    return [gateway.name for gateway in registry.gateways_of(settings)]


def get_capabilities(gateway_name: str) -> Capabilities:
    return registry.gateway_named(gateway_name).capabilities


def list_pictures() -> list[Picture]:
    """Every gateway of this installation: what it promises, our limits there, how it is."""
    circuits = read_circuits()
    return [
        Picture(
            name=gateway.name,
            capabilities=gateway.capabilities,
            circuit=circuits.of(gateway.name),
            timeout_s=gateway.timeout_s,
            inquiry_timeout_s=gateway.inquiry_timeout_s,
            abreast_max=gateway.abreast_max,
            rate_per_s_max=gateway.rate_per_s_max,
        )
        for gateway in registry.all_gateways()
    ]


def read_circuits() -> Circuits:
    """One small statement."""
    rows = execute_plain(_READ).all()
    return Circuits({row.gateway_name: _circuit(row) for row in rows if row.id}, rows[0].read_at)


def lock_circuits(gateway_names: Collection[str]) -> Circuits:
    """Last in the house order of locks, right before tickets. A missing row is not made here."""
    rows = db.session.execute(locked(_circuits(gateway_names))).all()
    now = db.session.scalars(select(func.clock_timestamp())).one()
    return Circuits({row.gateway_name: _circuit(row) for row in rows}, now)


def list_routes_for(method_kinds: Collection[str], currency: str) -> dict[str, list[Route]]:
    """The active ones by method kind, each in the order in which they are tried."""
    rows = db.session.scalars(
        select(GatewayRoute)
        .where(
            GatewayRoute.method_kind.in_(method_kinds),
            GatewayRoute.currency == currency,
            GatewayRoute.is_active,
        )
        .order_by(*_ROUTE_ORDER)
    )
    found: dict[str, list[Route]] = {}
    for row in rows:
        route = Route(row.gateway_name, row.amount_from_minor, row.amount_to_minor)
        found.setdefault(row.method_kind, []).append(route)
    return found


def list_routes() -> list[GatewayRoute]:
    return list(db.session.scalars(select(GatewayRoute).order_by(*_ROUTE_ORDER)))


def get_route(route_id: int) -> GatewayRoute:
    """Raises NotFound."""
    found = db.session.get(GatewayRoute, route_id)
    if found is None:
        raise NotFound(noun="route", id=route_id)
    return found


def lock_routes_beside(route: GatewayRoute) -> Sequence[GatewayRoute]:
    """All of the same kind and currency, in their order."""
    beside = select(GatewayRoute).where(
        GatewayRoute.method_kind == route.method_kind, GatewayRoute.currency == route.currency
    )
    return db.session.scalars(locked(beside.order_by(*_ROUTE_ORDER))).all()


def next_position(method_kind: str, currency: str) -> int:
    last = select(func.max(GatewayRoute.position)).where(
        GatewayRoute.method_kind == method_kind, GatewayRoute.currency == currency
    )
    return (db.session.scalars(last).one() or 0) + 1


def _circuits(gateway_names: Collection[str]) -> Select[*tuple[Any, ...]]:
    wanted = select(*_COLUMNS).where(GatewayCircuit.gateway_name.in_(gateway_names))
    return wanted.order_by(GatewayCircuit.id)


def _circuit(row: Any) -> Circuit:
    return Circuit(**{each.name: getattr(row, each.name) for each in fields(Circuit)})
