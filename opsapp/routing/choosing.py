"""Choosing: which gateway takes a payment, by the routes, by what it promises and how it is."""

from collections.abc import Collection, Sequence

from opsapp.gateways.values import METHOD_KINDS
from opsapp.kernel.money import Money
from opsapp.routing import queries, rules
from opsapp.routing.errors import NoRoute
from opsapp.routing.queries import Circuits
from opsapp.routing.rules import Route


def choose_gateway(
    method_kind: str, amount: Money, *, not_these: Collection[str] = frozenset()
) -> str:
    """The first that can, for a payment without a registered method. Raises NoRoute."""
    routes = queries.list_routes_for([method_kind], amount.currency).get(method_kind, [])
    found, reasons = _choose(method_kind, amount, routes, queries.read_circuits(), not_these)
    if found is None:
        told = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
        raise NoRoute(reasons=told or "none is set up for it")
    return found


def least_taken(method_kind: str, currency: str, *, gateway_name: str | None = None) -> int:
    """The least amount in minor units that this gateway takes, or any that takes the kind."""
    if gateway_name is not None:
        names = [gateway_name]
    else:
        routes = queries.list_routes_for([method_kind], currency).get(method_kind, [])
        names = [route.gateway_name for route in routes] or queries.list_gateway_names()
    promises = [queries.get_capabilities(name) for name in names]
    taking = [each for each in promises if rules.takes_kind(each, method_kind)] or promises
    return min(each.minimum_minor.get((method_kind, currency), 0) for each in taking)


def list_offers(amount: Money) -> list[str]:
    """The kinds of method that somebody takes for this amount at the moment."""
    circuits = queries.read_circuits()
    routes = queries.list_routes_for(METHOD_KINDS, amount.currency)
    return [
        kind
        for kind in METHOD_KINDS
        if _choose(kind, amount, routes.get(kind, []), circuits, ())[0] is not None
    ]


def _choose(
    method_kind: str,
    amount: Money,
    routes: Sequence[Route],
    circuits: Circuits,
    not_these: Collection[str],
) -> tuple[str | None, dict[str, str]]:
    configured = queries.list_gateway_names()
    reasons = {}
    for name in rules.candidates(routes, configured, amount, not_these=not_these):
        capabilities, circuit = queries.get_capabilities(name), circuits.of(name)
        reasons[name] = rules.why_not(capabilities, circuit, method_kind, amount, circuits.now)
        if not reasons[name]:
            return name, {}
    return None, reasons
