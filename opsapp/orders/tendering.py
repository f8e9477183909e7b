"""Tendering: points pay first, and what is left must be enough for the other way of paying."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from opsapp.customers.errors import MethodNotUsable, MethodOfAnother
from opsapp.customers.states import MethodStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money
from opsapp.orders import queries
from opsapp.orders.errors import BelowMinimum, NotInWon
from opsapp.orders.queries import Method
from opsapp.points import reserving
from opsapp.routing.choosing import least_taken


class Owed(Protocol):
    """What points and money pay together, an order's or a leg's: `money` is the rest."""

    @property
    def currency(self) -> str: ...
    @property
    def points(self) -> int: ...
    @property
    def money(self) -> Money: ...


class Tendered(Owed, Protocol):
    """What is asked of an order here: how its one-off lines are to be paid."""

    @property
    def customer_id(self) -> int: ...
    @property
    def payment_method_id(self) -> int | None: ...
    @property
    def method_kind(self) -> str | None: ...


@within_transaction
def require_payable(wishes: Sequence[Tendered]) -> None:
    """Before anything moves. Raises NotFound, MethodOfAnother, MethodNotUsable, BelowMinimum and
    NotInWon.
    """
    named = {w.payment_method_id for w in wishes if w.payment_method_id is not None}
    methods = queries.list_methods(sorted(named)) if named else {}
    for wish in wishes:
        method = None
        if wish.payment_method_id is not None:
            method = _require_own(methods, wish.customer_id, wish.payment_method_id)
        kind = method.kind if method is not None else wish.method_kind
        gateway_name = method.gateway_name if method is not None else None
        require_enough_left(wish, kind, gateway_name)


def find_own_method(customer_id: int, method_id: int) -> Method:
    """Raises NotFound, MethodOfAnother, MethodNotUsable."""
    return _require_own(queries.list_methods([method_id]), customer_id, method_id)


def require_enough_left(wish: Owed, method_kind: str | None, gateway_name: str | None) -> None:
    """What points leave is nothing, or at least what the gateway takes. Raises BelowMinimum."""
    if not wish.points:
        return
    if wish.currency != "KRW":
        raise NotInWon(field="points")
    if not wish.money.minor or method_kind is None:
        return
    least = least_taken(method_kind, wish.currency, gateway_name=gateway_name)
    if wish.money.minor < least:
        raise BelowMinimum(
            field="points",
            minimum=Money(least, wish.currency),
            left=wish.money,
            most_points=max(wish.money.minor + wish.points - least, 0),
        )


@within_transaction
def reserve(orders: Sequence[tuple[int, Tendered]], *, by: Actor) -> dict[int, int]:
    """Reservations by order. One by one: each locks the account of its customer, in their order.

    Raises NotEnoughPoints.
    """
    with_points = sorted(
        ((id_, wish) for id_, wish in orders if wish.points),
        key=lambda each: (each[1].customer_id, each[0]),
    )
    return {
        order_id: reserving.reserve(
            wish.customer_id,
            wish.points,
            subject_type=queries.SUBJECT,
            subject_id=order_id,
            by=by,
        )
        for order_id, wish in with_points
    }


@within_transaction
def post_whole(legs: Sequence[dict[str, Any]], *, by: Actor) -> None:
    """Points paid all of these: nothing is waited for."""
    ids = [leg["reservation_id"] for leg in legs if leg["reservation_id"] is not None]
    if ids:
        reserving.post_reservations(ids, by=by)


def _require_own(methods: Mapping[int, Method], customer_id: int, method_id: int) -> Method:
    if (method := methods.get(method_id)) is None:
        raise NotFound(noun="payment method", id=method_id)
    if method.customer_id != customer_id:
        raise MethodOfAnother(field="payment_method")
    if method.status != MethodStatus.ACTIVE:
        raise MethodNotUsable(field="payment_method", status=method.status)
    return method
