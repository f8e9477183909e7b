"""A customer with the link of a message: a browser without a screen, at their own pages."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx2
from flask import Flask
from sqlalchemy import select

from opsapp.customers import issuing, linking
from opsapp.customers.models import PaymentMethod
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import bulk_insert, db, transaction
from opsapp.payments import charging
from opsapp.payments.models import Attempt
from opsapp.subscriptions.models import SubscriptionChange
from tests.factories import subscriptions

WORKER = Actor("worker", "test")
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
HIDDEN = re.compile(r'<input type=hidden name="([^"]*)" value="([^"]*)">')
PATHS = {
    "subscription": "/my/subscription/",
    "payment_method": "/my/payment-method/",
    "consent": "/my/consent/",
}


class Member:
    """Of one subscription, charged to a card, whose first period is paid unless said otherwise."""

    def __init__(self, house: Flask, *, subscription_id: int = 0, is_paid: bool = True) -> None:
        self.house = house
        self.browser = house.test_client()
        with house.app_context():
            self.subscription_id = subscription_id or subscriptions.make_subscription()
            row = subscriptions.subscription(self.subscription_id)
            self.customer_id, self.method_id = row.customer_id, row.payment_method_id
        if is_paid and not subscription_id:
            self.renew()

    def link(self, purpose: str, *, subject: tuple[str, int] | None = None, days: int = 30) -> str:
        """The address that a message would carry."""
        kind, number = subject or ("subscription", self.subscription_id)
        wish = linking.LinkWish(self.customer_id, purpose, kind, number, timedelta(days=days))
        with self.house.app_context(), transaction():
            [token] = linking.issue_links([wish], by=WORKER)
        return PATHS[purpose] + token

    def get(self, path: str, **more):
        return self.browser.get(path, **more)

    def send(self, path: str, form: dict[str, str] | None = None, *, page: str = ""):
        """The form of a page, with its token. `page`: where the form stands, if elsewhere."""
        token = CSRF.search(self.browser.get(page or path).text)
        assert token, "no form on the page"
        return self.browser.post(path, data=(form or {}) | {"csrf_token": token[1]})

    def act(self, home: str, what: str, **form: str):
        """A button of the subscription's own page."""
        page = home if what in ("keep", "resume", "method", "agree") else f"{home}/{what}"
        return self.send(f"{home}/{what}", form, page=page)

    def register(self, home: str, kind: str = "card", decision: str = "approve", **wish: str):
        """By the payment company's page; what our page then answers."""
        answer = self.send(home, {"kind": kind})
        assert answer.status_code == 303, answer.text
        return self.come_back(self.decide(answer.location, decision, **wish))

    def decide(self, window: str, decision: str = "approve", **wish: str) -> str:
        """At the gateway's page; the address of ours that it sends the customer back to."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(window))
        with httpx2.Client(headers={"Origin": origin}) as client:
            page = client.get(window)
            form = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
            form |= {"decision": decision} | wish
            answer = client.post(f"{origin}/_sandbox/window/billing", data=form)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def come_back(self, address: str, **changes: str):
        parts = urlsplit(address)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
        return self.browser.get(parts.path, query_string=query)

    def work(self) -> None:
        """A turn of the workers: billing keys, then charges that are due."""
        with self.house.app_context():
            with transaction():
                own = PaymentMethod.customer_id == self.customer_id
                methods = list(db.session.scalars(select(PaymentMethod.id).where(own)))
            issuing.issue_billing_keys(methods, by=WORKER)
            with transaction():
                ready = select(Attempt.id).where(Attempt.status == "ready")
                attempts = list(db.session.scalars(ready))
            charging.execute_attempts(attempts, by=WORKER)

    def renew(self) -> None:
        with self.house.app_context():
            subscriptions.renew()
        self.work()

    @property
    def subscription(self):
        with self.house.app_context():
            return subscriptions.subscription(self.subscription_id)

    @property
    def methods(self) -> list[PaymentMethod]:
        with self.house.app_context(), transaction():
            own = PaymentMethod.customer_id == self.customer_id
            rows = list(
                db.session.scalars(select(PaymentMethod).where(own).order_by(PaymentMethod.id))
            )
            for row in rows:
                db.session.refresh(row)
                db.session.expunge(row)
            return rows

    def pass_time(self, step: timedelta) -> None:
        with self.house.app_context():
            subscriptions.pass_time(step)


def raise_price(member: Member, *, to: int = 12_900, in_days: int = 0) -> int:
    """From the next period on, or from the first one so many days later: the change's id."""
    row = member.subscription
    day = seoul_date(row.next_due_at) + timedelta(days=in_days)
    with member.house.app_context(), transaction():
        wish = {
            "subscription_id": row.id,
            "kind": "price",
            "status": "planned",
            "from_plan_id": row.plan_id,
            "to_plan_id": row.plan_id,
            "to_plan_version": 2,
            "from_quantity": 1,
            "to_quantity": 1,
            "from_amount_minor": row.amount_minor,
            "to_amount_minor": to,
            "from_anchor_day": row.anchor_day,
            "to_anchor_day": row.anchor_day,
            "currency": "KRW",
            "effective_on": day,
            "proration_minor": 0,
            "needs_consent": True,
            "because": "",
            "requested_by": "staff:1",
        }
        [written] = bulk_insert(SubscriptionChange, [wish], returning=("id",))
    return written.id
