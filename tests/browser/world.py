"""One installation in which every screen has something to show."""

from datetime import timedelta

import psycopg
from flask import Flask
from sqlalchemy import select

from opsapp.bulk import ordering, running
from opsapp.bulk.ordering import BulkWish
from opsapp.customers import linking, signing_in
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.payments.models import Payment
from opsapp.programs import issuing as api_keys
from tests.browser import desk
from tests.factories import shop_events, subscriptions
from tests.factories.bad_days import have_a_bad_day
from tests.factories.carts import goods, make_seller, tea
from tests.factories.guests import Guest, buy
from tests.factories.members import raise_price
from tests.factories.scenes import Scene, furnish
from tests.gateway_controls import GatewayControls

BY = Actor("staff", "1")
WORKER = Actor("worker", "test")
OPEN_CHECKOUTS = (
    "UPDATE checkouts SET expires_at = expires_at + interval '31 days' WHERE expires_at > ops_now()"
)
OPEN_LINKS = OPEN_CHECKOUTS.replace("checkouts", "one_time_links")


class World:
    """`values` fill the places of the addresses in screens.py; `guest` opens a shopper's pages."""

    def __init__(self, house: Flask, gateway: GatewayControls, owner: psycopg.Connection) -> None:
        self.house, self.gateway, self.owner = house, gateway, owner
        self.values: dict[str, object] = {}
        with house.app_context():
            self.scene = furnish(gateway)
        day = have_a_bad_day(house, gateway, self.scene)
        self._make_guest()
        self._make_what_staff_order()
        self.values |= desk.work(house, self.scene, self._accounts())
        self.values["approval"] = self._ask_a_second_person()
        self.values |= _of_scene(self.scene) | {
            "order": self.guest.order_id,
            "guest_subscription": self.guest.subscription.ref,
            "guest_method": self.guest.methods[0].ref,
            "guest_payment": self._first_payment(),
        }
        self.values |= {f"pay_{stage}": _token(link) for stage, link in day.links.items()}
        self.values |= {f"case_{reason}": case for reason, case in day.cases.items()}
        self.values |= {
            "refund_account": _token(day.refund_account),
            "awaited": day.awaited,
            "deposited": day.deposited,
            "transferred": day.transferred,
            "stuck": day.stuck,
            "event": day.events[0],
            "failure_code": day.failure_code,
            "unmapped": day.unmapped,
            "shopper": day.customer,
            "checkout": day.checkout,
        }
        self.window = day.window
        self._link_guest()

    def speak(self, locale: str) -> None:
        """To customers and to staff, whoever they are."""
        self.owner.execute("UPDATE customers SET locale = %s", (locale,))
        self.owner.execute("UPDATE staff_accounts SET locale = %s", (locale,))

    def let_guest_in(self) -> str:
        """The address of a page whose button signs the guest in."""
        return self.guest.my_link()

    def _make_guest(self) -> None:
        self.guest = found = Guest(self.house)
        for prolong in (OPEN_CHECKOUTS, OPEN_LINKS):  # while a month passes
            self.owner.execute(prolong)
        found.pass_time(timedelta(days=31))
        self.gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
        found.renew()
        self.gateway.clear()
        with self.house.app_context():
            seller = make_seller("farm", 1000)
        found.order_id = buy(found, goods("햇사과 5kg", 20_000, seller), points=3_000)
        buy(found, goods("통밀가루", 12_000), method_kind="virtual_account", bank="04")
        self.owner.execute("UPDATE payment_methods SET expires_on = ops_now()::date + 20")
        self.owner.execute("UPDATE attempts SET deposit_due_at = ops_now() + interval '2 days'")
        self.values["seller"] = seller

    def _make_what_staff_order(self) -> None:
        with self.house.app_context():
            ids = [subscriptions.make_subscription() for _ in range(2)]
            with transaction():
                api_keys.make("주문 서버", ["payments:read"], by=BY)
            endpoint, _ = shop_events.add_endpoint("https://shop.example/hooks")
            wish = BulkWish(new_ref("form"), "pause", "행사 종료", "활성", len(ids))
            with transaction():
                job = ordering.order(wish, ids, by=BY)
            running.run_jobs([job], by=WORKER)
            tea()
        self.values |= {"bulk_job": job, "endpoint": endpoint}

    def _ask_a_second_person(self) -> int:
        """For a refund that is more than one person may make alone."""
        with self.house.app_context():
            desk.order_dear_thing(self.scene, Actor("staff", str(self._accounts()["cs"])))
        [(approval,)] = self.owner.execute("SELECT max(id) FROM approvals")
        return int(approval)

    def _accounts(self) -> dict[str, int]:
        rows = self.owner.execute("SELECT role, min(id) FROM staff_accounts GROUP BY role")
        return dict(rows.fetchall())

    def _link_guest(self) -> None:
        raise_price(self.guest)
        for purpose in ("subscription", "payment_method", "consent"):
            self.values[f"link_{purpose}"] = _token(self.guest.link(purpose))
        self.values["link_sign_in"] = _token(self._sign_in_link(self.scene.customers[0]))

    def _sign_in_link(self, customer_id: int) -> str:
        """Another person's: a later link of the same one ends it."""
        wish = linking.LinkWish(
            customer_id, signing_in.PURPOSE, signing_in.SUBJECT, customer_id, timedelta(minutes=15)
        )
        with self.house.app_context(), transaction():
            [token] = linking.issue_links([wish], by=WORKER)
        return f"/my/sign-in/{token}"

    def _first_payment(self) -> str:
        own = select(Payment.ref).where(Payment.customer_id == self.guest.customer_id)
        with self.house.app_context(), transaction():
            return db.session.scalars(own.order_by(Payment.id)).first()


def _of_scene(scene: Scene) -> dict[str, object]:
    return {
        "paid": scene.paid,
        "partly": scene.partly_refunded,
        "failed": scene.failed,
        "uncertain": scene.uncertain,
        "awaiting": scene.awaiting,
        "subscription": scene.subscription,
        "paused": scene.paused,
        "ticket": scene.ticket,
        "customer": scene.customers[0],
        "agreed": scene.customers[4],
    }


def _token(address: str) -> str:
    return address.rpartition("/")[2]
