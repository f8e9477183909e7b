"""Orders, payment links and subscriptions by each of their names, for their lists' search boxes."""

from typing import Any

from sqlalchemy import Select, select, union

from opsapp.checkout.models import Checkout
from opsapp.insights.finding_people import PEOPLE_MAX, Typed, people_arms, read_typed
from opsapp.orders.models import Order
from opsapp.subscriptions.models import Subscription

ORDER_PART_LENGTH_MIN = 4


def orders_like(search: str) -> Select[Any]:
    """Ids, by order number or a part of it, or by the customer."""
    typed = read_typed(search)
    return _ids([*order_arms(typed, limit=PEOPLE_MAX), _of_people(typed, Order)])


def links_like(search: str) -> Select[Any]:
    """Ids, by the link's own number, the order's, or by the customer."""
    typed = read_typed(search)
    arms = [
        select(Checkout.id).where(Checkout.ref == typed.text),
        select(Checkout.id).where(Checkout.order_ref == typed.text),
    ]
    return _ids([*arms, _of_people(typed, Checkout)])


def subscriptions_like(search: str) -> Select[Any]:
    """Ids, by the subscription's number or by the customer."""
    typed = read_typed(search)
    by_ref = select(Subscription.id).where(Subscription.ref == typed.text)
    return _ids([by_ref, _of_people(typed, Subscription)])


def order_arms(typed: Typed, *, limit: int) -> list[Select[Any]]:
    """The order of this very number; those that hold it only if there is none.

    What many numbers have in common takes a while to be looked for.
    """
    exact = select(Order.id).where(Order.order_ref == typed.text)
    if not typed.is_word or len(typed.text) < ORDER_PART_LENGTH_MIN:
        return [exact]
    inside = Order.order_ref.contains(typed.text, autoescape=True)
    return [exact, select(Order.id).where(~exact.exists(), inside).limit(limit)]


def _of_people(typed: Typed, row: Any) -> Select[Any]:
    people = union(*people_arms(typed, limit=PEOPLE_MAX)).subquery()
    return select(row.id).where(row.customer_id.in_(select(people.c[0])))


def _ids(arms: list[Select[Any]]) -> Select[Any]:
    """One union, not conditions joined by OR: PostgreSQL then starts from these few rows."""
    found = union(*arms).subquery()
    return select(found.c[0])
