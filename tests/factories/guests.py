"""A customer who is signed in to their own pages: a browser without a screen."""

from datetime import timedelta

from flask import Flask

from opsapp.checkout.placing import NewCart, place_cart
from opsapp.customers import linking, signing_in
from opsapp.customers.queries import get_customer
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.orders.placing import LineWish
from opsapp.points import earning
from tests.factories import carts
from tests.factories.members import WORKER, Member

HOME = "/my/"


class Guest(Member):
    """`act` presses a button on a page of theirs."""

    def __init__(self, house: Flask, **more: object) -> None:
        super().__init__(house, **more)
        self.sign_in()

    def my_link(self) -> str:
        wish = linking.LinkWish(
            self.customer_id,
            signing_in.PURPOSE,
            signing_in.SUBJECT,
            self.customer_id,
            timedelta(minutes=15),
        )
        with self.house.app_context(), transaction():
            [token] = linking.issue_links([wish], by=WORKER)
        return f"/my/sign-in/{token}"

    def sign_in(self, browser=None):
        """By a link of its own; the answer of the button."""
        self.browser = browser or self.browser
        return self.send(self.my_link())

    def press(self, path: str, *, page: str, **form: str):
        return self.send(path, form, page=page)

    @property
    def customer(self):
        with self.house.app_context(), transaction():
            found = get_customer(self.customer_id)
            db.session.expunge(found)
            return found

    @property
    def subscription_page(self) -> str:
        return f"/my/subscriptions/{self.subscription.ref}/"

    @property
    def method_page(self) -> str:
        return f"/my/methods/{self.methods[0].ref}/"


def buy(guest: Guest, *lines: LineWish, points: int = 0, **way: object) -> int:
    """An order of theirs, charged to their card or as `way` says; its id."""
    way = way or {"payment_method_id": guest.method_id}
    with guest.house.app_context():
        with transaction():
            if points:
                ref = new_ref("req")
                earning.earn(guest.customer_id, points, request_id=ref, because="적립", by=WORKER)
            cart = NewCart(
                new_ref("order"), guest.customer_id, "장바구니", lines, points=points, **way
            )
            order_id = place_cart(cart, by=WORKER)
        carts.charge(order_id)
    return order_id
