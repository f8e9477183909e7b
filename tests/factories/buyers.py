"""Somebody who buys things of every kind, and how what they ordered stands."""

from opsapp.checkout.placing import NewCart, place_cart
from opsapp.insights import probing_books, probing_orders, probing_points
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish
from opsapp.orders.queries import OrderPicture, get_picture
from opsapp.payments import charging
from opsapp.points import earning
from opsapp.points.queries import find_balance
from tests.factories import payments as make
from tests.factories.subscriptions import make_plan

BY = make.BY


class Buyer:
    """A customer with a card, 5,000 points and a taste for tea."""

    def __init__(self) -> None:
        self.customer_id = make.make_customer()
        self.method_id = make.make_method(self.customer_id)
        self.order_ref = new_ref("o")
        self.plan_id = make_plan(new_ref("plan"))
        with transaction():
            earning.earn(self.customer_id, 5_000, request_id=new_ref("gift"), because="gift", by=BY)

    def lines(self, *, recurs: bool = True) -> tuple[LineWish, ...]:
        once = (
            LineWish("one_off", "햇사과 5kg", 1, Money(20_000, "KRW"), shipping_minor=3_000),
            LineWish("one_off", "동화책", 2, Money(6_000, "KRW"), tax_free_minor=12_000),
        )
        tea = LineWish("subscription", "매달 차", 1, Money(9_900, "KRW"), plan_id=self.plan_id)
        return (*once, tea) if recurs else once

    def cart(self, **changes: object) -> NewCart:
        values = {
            "order_ref": self.order_ref,
            "customer_id": self.customer_id,
            "title": "햇사과 외 2건",
            "lines": self.lines(),
            "points": 3_000,
            "payment_method_id": self.method_id,
            "consents": ("recurring_payment",),
        } | changes
        return NewCart(**values)

    def place(self, **changes: object) -> int:
        with transaction():
            return place_cart(self.cart(**changes), by=BY)

    def balance(self) -> tuple[int, int]:
        with transaction():
            found = find_balance(self.customer_id)
        return found.available, found.reserved


def picture(order_id: int) -> OrderPicture:
    with transaction():
        return get_picture(order_id)


def states(order_id: int) -> tuple[str, dict[str, str]]:
    found = picture(order_id)
    return found.state.value, {leg.leg.kind: leg.state.value for leg in found.legs}


def charge(order_id: int) -> None:
    ids = [leg.leg.payment_id for leg in picture(order_id).legs if leg.leg.payment_id]
    charging.execute_attempts(make.attempt_ids(ids), by=BY)


def violations() -> list[str]:
    """Of legs, points and books."""
    probes = [*probing_orders.legs(), *probing_points.points(), *probing_books.books()]
    with transaction():
        return [row for probe in probes for row in db.session.scalars(probe)]
