"""Editing: which gateway takes which payments, as administrators arrange it."""

from dataclasses import asdict, dataclass
from typing import Any

from opsapp.gateways.values import METHOD_KINDS
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record
from opsapp.kernel.money import BIGINT_MAX
from opsapp.routing import queries
from opsapp.routing.models import GatewayRoute


@dataclass(frozen=True, slots=True)
class NewRoute:
    """Amounts in minor units, both ends included; no upper end: any amount above."""

    method_kind: str
    currency: str
    gateway_name: str
    amount_from_minor: int = 0
    amount_to_minor: int | None = None


@within_transaction
def add_route(wish: NewRoute, *, by: Actor) -> int:
    """Behind the others of its kind and currency; returns its id. Raises Invalid."""
    _require_sensible(wish)
    position = queries.next_position(wish.method_kind, wish.currency)
    route = GatewayRoute(**asdict(wish), position=position, is_active=True)
    db.session.add(route)
    db.session.flush()
    _note("added", route, by, asdict(wish))
    return route.id


@within_transaction
def move_up(route_id: int, *, by: Actor) -> None:
    """One place ahead of its neighbour; the first one stays where it is. Raises NotFound."""
    beside = list(queries.lock_routes_beside(queries.get_route(route_id)))
    place = [route.id for route in beside].index(route_id)
    if place == 0:
        return
    beside[place - 1 : place + 1] = beside[place], beside[place - 1]
    rows = [{"id": route.id, "position": n} for n, route in enumerate(beside, start=1)]
    bulk_update(GatewayRoute, rows)
    _note("moved", beside[place - 1], by, {"position": place})


@within_transaction
def set_active(route_id: int, is_active: bool, *, by: Actor) -> None:
    """A route that is not active is kept and not looked at. Raises NotFound."""
    route = queries.get_route(route_id)
    if route.is_active == is_active:
        return
    route.is_active = is_active
    _note("activated" if is_active else "deactivated", route, by, {})


def _require_sensible(wish: NewRoute) -> None:
    if wish.gateway_name not in queries.list_gateway_names():
        raise Invalid(field="gateway_name", reason="Choose a gateway of this installation.")
    if wish.method_kind not in METHOD_KINDS:
        raise Invalid(field="method_kind", reason="Choose a way to pay.")
    capabilities = queries.get_capabilities(wish.gateway_name)
    if wish.currency not in capabilities.currencies:
        raise Invalid(field="currency", reason="This gateway does not take the currency.")
    offered = capabilities.window_methods | (
        {"virtual_account"} if capabilities.issues_accounts else frozenset()
    )
    if wish.method_kind not in offered:
        raise Invalid(field="method_kind", reason="This gateway does not offer it.")
    upper = BIGINT_MAX if wish.amount_to_minor is None else wish.amount_to_minor
    if not 0 <= wish.amount_from_minor <= upper <= BIGINT_MAX:
        raise Invalid(field="amount_to_minor", reason="The upper end lies below the lower one.")


def _note(what: str, route: GatewayRoute, by: Actor, detail: dict[str, Any]) -> None:
    said = {"gateway": route.gateway_name, "method_kind": route.method_kind} | detail
    record(Entry(f"gateway_route.{what}", "gateway_route", route.id, detail=said), by=by)
