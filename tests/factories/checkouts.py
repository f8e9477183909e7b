"""A shopper with a payment link: a browser without a screen, at our pages and the gateway's."""

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx2
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from opsapp.checkout import opening, showing
from opsapp.customers import issuing
from opsapp.customers.models import PaymentMethod
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish
from opsapp.payments import charging
from opsapp.payments.models import Payment
from opsapp.points import earning
from opsapp.points.queries import Balance, find_balance
from tests.factories import payments as make
from tests.factories.carts import goods, make_seller, tea

BY = Actor("staff", "1")
WORKER = Actor("worker", "test")
WON = Money(60_000, "KRW")
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
SEEN = re.compile(r'name="(seen_\w+)" value="(\d+)"')
CONSENT = re.compile(r'name="consent" value="([0-9a-f]{64})"')
HIDDEN = re.compile(r'<input type=hidden name="([^"]*)" value="([^"]*)">')


def mixed() -> tuple[LineWish, ...]:
    """Goods of two sellers for 32,000 won, and a subscription of the first one for 9,900."""
    farm, mill = make_seller("farm", 1000), make_seller("mill", 550)
    return goods("햇사과 5kg", 20_000, farm), goods("통밀가루", 12_000, mill), tea(farm)


def once() -> tuple[LineWish, ...]:
    return (goods("햇사과 5kg", 20_000), goods("통밀가루", 12_000))


class Shopper:
    """`browser` keeps cookies; a second tab is the same shopper.

    `basket` fills the cart; without it a single thing is paid.
    """

    def __init__(
        self,
        house: Flask,
        *,
        amount: Money = WON,
        basket: Callable[[], tuple[LineWish, ...]] | None = None,
        points: int = 0,
        has_card: bool = False,
        locale: str = "ko",
        **more,
    ) -> None:
        self.house = house
        self.browser: FlaskClient = house.test_client()
        with house.app_context():
            self.customer_id = make.make_customer(locale=locale)
            self.card = make.make_method(self.customer_id) if has_card else None
            what = {"lines": basket()} if basket else {"amount": amount}
            with transaction():
                if points:
                    earning.earn(
                        self.customer_id, points, request_id=new_ref("req"), because="적립", by=BY
                    )
                wish = opening.NewCheckout(self.customer_id, "햇사과 5kg", **what, **more)
                self.checkout_id, self.token = opening.open_checkout(wish, by=BY)
        self.home = f"/pay/{self.token}"

    def look(self, path: str = ""):
        return self.browser.get(self.home + path)

    def choose(self, kind: str, **more):
        page = self.look()
        form = {"method": kind} | self.filled_in(page.text) | more
        return self.browser.post(self.home, data=form)

    def agree_and_pay(self, method: str | None = None, **more):
        """Every box ticked by hand, by the registered card if nothing else is said."""
        page = self.look()
        form = self.filled_in(page.text) | {"consent": CONSENT.findall(page.text)} | more
        way = self.card_ref if method is None else method
        return self.browser.post(self.home, data={"method": way} | form)

    @staticmethod
    def filled_in(page: str) -> dict[str, str]:
        """What the form says without a hand on it."""
        return dict(SEEN.findall(page)) | {"csrf_token": CSRF.search(page)[1]}

    def go_to_window(self, kind: str, **more) -> str:
        """The address of the gateway's page."""
        answer = self.choose(kind, **more)
        assert answer.status_code == 303, answer.text
        return answer.location

    def decide(
        self,
        window: str,
        decision: str = "approve",
        *,
        path: str = "/_sandbox/window",
        **wish,
    ) -> str:
        """At the gateway's page; the address of ours that it sends the shopper back to."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(window))
        with httpx2.Client(headers={"Origin": origin}) as client:
            page = client.get(window)
            form = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
            answer = client.post(f"{origin}{path}", data=form | {"decision": decision} | wish)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def come_back(self, address: str, **changes: str):
        parts = urlsplit(address)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
        return self.browser.get(parts.path, query_string=query)

    def pay(self, kind: str, **wish):
        """The whole way, and the worker's turn; the page that the shopper then sees."""
        back = self.come_back(self.decide(self.go_to_window(kind), **wish))
        assert back.status_code == 303, back.text
        self.work()
        return self.look("/result")

    def register(self, decision: str = "approve", **form) -> str:
        """By the payment company's page; the address of ours that it sends the shopper back to."""
        answer = self.choose("new-card", **form)
        assert answer.status_code == 303, answer.text
        return self.decide(answer.location, decision, path="/_sandbox/window/billing")

    def work(self, *payment_ids: int) -> None:
        """A turn of the workers: billing keys, then every charge of the order, or some of them."""
        legs = payment_ids or [leg.payment_id for leg in self.picture().legs if leg.payment_id]
        with self.house.app_context():
            with transaction():
                own = select(PaymentMethod.id).where(PaymentMethod.customer_id == self.customer_id)
                methods = list(db.session.scalars(own))
            issuing.issue_billing_keys(methods, by=WORKER)
            charging.execute_attempts(make.attempt_ids(list(legs)), by=WORKER)

    def make_due(self) -> None:
        with self.house.app_context():
            make.make_everything_due()

    @property
    def payment_id(self) -> int | None:
        return self.picture().payment_id

    @property
    def payment(self) -> Payment:
        with self.house.app_context():
            return make.payment(self.payment_id)

    @property
    def order_id(self) -> str:
        """Of the latest attempt, at the gateway."""
        with self.house.app_context():
            return make.order_ids([self.payment_id])[-1]

    def picture(self) -> showing.Picture:
        with self.house.app_context(), transaction():
            return showing.picture(self.checkout_id)

    @property
    def stage(self) -> str:
        return self.picture().stage.value

    @property
    def legs(self) -> list[str]:
        return [leg.state for leg in self.picture().legs]

    @property
    def points(self) -> Balance:
        with self.house.app_context(), transaction():
            return find_balance(self.customer_id)

    @property
    def methods(self) -> list[PaymentMethod]:
        with self.house.app_context(), transaction():
            own = select(PaymentMethod).where(PaymentMethod.customer_id == self.customer_id)
            rows = list(db.session.scalars(own.order_by(PaymentMethod.id)))
            db.session.expunge_all()
            return rows

    @property
    def card_ref(self) -> str:
        return self.methods[-1].ref
