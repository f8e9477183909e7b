"""A shopper with a payment link: a browser without a screen, at our pages and the gateway's."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx2
from flask import Flask
from flask.testing import FlaskClient

from opsapp.checkout import opening, showing
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.money import Money
from opsapp.payments import charging
from opsapp.payments.models import Payment
from tests.factories import payments as make

BY = Actor("staff", "1")
WORKER = Actor("worker", "test")
WON = Money(60_000, "KRW")
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
HIDDEN = re.compile(r'<input type=hidden name="([^"]*)" value="([^"]*)">')


class Shopper:
    """`browser` keeps cookies; a second tab is the same shopper."""

    def __init__(self, house: Flask, *, amount: Money = WON, **more) -> None:
        self.house = house
        self.browser: FlaskClient = house.test_client()
        with house.app_context():
            customer_id = make.make_customer()
            with transaction():
                wish = opening.NewCheckout(customer_id, "햇사과 5kg", amount, **more)
                self.checkout_id, self.token = opening.open_checkout(wish, by=BY)
        self.home = f"/pay/{self.token}"

    def look(self, path: str = ""):
        return self.browser.get(self.home + path)

    def choose(self, kind: str, **more):
        page = self.look()
        form = {"method": kind, "csrf_token": CSRF.search(page.text)[1]} | more
        return self.browser.post(self.home, data=form)

    def go_to_window(self, kind: str, **more) -> str:
        """The address of the gateway's page."""
        answer = self.choose(kind, **more)
        assert answer.status_code == 303, answer.text
        return answer.location

    def decide(self, window: str, decision: str = "approve", **wish) -> str:
        """At the gateway's page; the address of ours that it sends the shopper back to."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(window))
        with httpx2.Client(headers={"Origin": origin}) as client:
            page = client.get(window)
            form = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
            answer = client.post(
                f"{origin}/_sandbox/window", data=form | {"decision": decision} | wish
            )
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

    def work(self) -> None:
        with self.house.app_context():
            charging.execute_attempts(make.attempt_ids([self.payment_id]), by=WORKER)

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
