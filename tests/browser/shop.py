"""A whole installation for journeys: real processes, and people whose charges fail or fall due."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bench.installation import Installation, contract, installed, write_rows
from opsapp import create_app
from opsapp.cli.environment import settings_of
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.tickets.opening import NewTicket, open_tickets
from tests.waiting import until

T = TypeVar("T")

MANY = 500  # of each of two kinds
PRICES = {"MANY": 9_900, "MORE": 29_000, "RENEW": 15_000, "PAUSE": 12_000, "BUYER": 19_000}
DEAR = 390_000  # more than customer service may give back alone
BY = Actor("cli", "tests")


class Shop:
    """What is asked of the installation, by its own ways in."""

    def __init__(self, house: Installation) -> None:
        self.house = house
        self.url: str = house.ready["url"]
        self._count = 0

    def live(self, step: str) -> None:
        self.house.opsapp("clock", "advance", step)
        self.rest()

    def rest(self) -> None:
        self.house.opsapp("idle", "--timeout", "120")

    def query(self, statement: str, *values: object) -> list[Any]:
        return self.house.query(statement, *values)

    def one(self, statement: str, *values: object) -> Any:
        [(found,)] = self.query(statement, *values)
        return found

    def wait(self, statement: str, *values: object, to_be: object) -> None:
        until(lambda: self.one(statement, *values) == to_be)

    def account(self, role: str) -> Mapping[str, str]:
        [found] = [each for each in self.house.ready["accounts"] if each["role"] == role]
        return dict(found)

    def buy(self, customer: str, title: str, won: int, *, points: int = 0) -> int:
        """An order by the customer's card, as the shop's server sends it; its id once paid."""
        if points:
            self._post(f"/customers/{customer}/points", {"points": points, "because": "적립"})
        found = self._call("GET", f"/payment-methods?customer={customer}")
        ref = new_ref("order")
        line = {"kind": "one_off", "title": title, "unit_price": won}
        self._post("/orders", {
            "id": ref, "customer": customer, "title": title, "lines": [line], "points": points,
            "payment_method": found["data"][0]["id"],
        })  # fmt: skip
        self.wait(
            "SELECT count(*) FROM orders o JOIN order_legs l ON l.order_id = o.id"
            " WHERE o.order_ref = %s AND l.status = 'paid'", ref, to_be=1,
        )  # fmt: skip
        return int(self.one("SELECT id FROM orders WHERE order_ref = %s", ref))

    def open_ticket(self, customer: str, summary: str) -> int:
        customer_id = self.one("SELECT id FROM customers WHERE customer_ref = %s", customer)
        [subscription] = self.query(
            "SELECT id FROM subscriptions WHERE customer_id = %s", customer_id
        )
        wish = NewTicket("subscription", subscription[0], customer_id, "repeated_failure", summary)
        self._inside(lambda: open_tickets([wish], by=BY))
        of_customer = "SELECT max(id) FROM tickets WHERE customer_id = %s"
        return int(self.one(of_customer, customer_id))

    def _inside(self, step: Callable[[], T]) -> T:
        application = create_app(settings_of(os.environ | self.house.environment))
        with application.app_context():
            with transaction():
                done = step()
            db.session.remove()
            db.engine.dispose()
        return done

    def _post(self, path: str, body: object) -> Any:
        return self._call("POST", path, json.dumps(body).encode())

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        self._count += 1
        headers = {
            "Authorization": f"Bearer {self.house.ready['api_key']}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"journey-{self._count}-{new_ref('k')}",
        }
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", body, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


@contextmanager
def opened() -> Iterator[Shop]:
    """One failed day behind it: twice MANY renewals declined, and those of people with names."""
    with _alone(), installed() as house:
        shop = Shop(house)
        day = datetime.now(UTC).date() + timedelta(days=1)
        # From noon on: whenever the suite runs, no journey crosses a midnight by itself.
        house.opsapp("clock", "set", f"{day}T03:00:00+00:00")
        file = house.folder / "contracts.csv"
        write_rows(file, _contracts(shop))
        house.opsapp("import", "subscriptions", str(file))
        shop.rest()
        house.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
        shop.live("1d")
        house.faults()
        yield shop


def _contracts(shop: Shop) -> list[dict[str, Any]]:
    """Due tomorrow; PAUSE and BUYER are due later and fail nothing."""
    due = [(f"{kind}{n}", f"손님{n}", 1) for kind in ("MANY", "MORE") for n in range(MANY)]
    due += [(f"RENEW{n}", "김래원", 1) for n in (0, 1)]
    due += [(f"PAUSE{n}", "이서연", 9) for n in (0, 1)]
    due += [(f"BUYER{n}", "박하늘", 9) for n in (0, 1)]
    return [_contract(shop, *each) for each in due]


def _contract(shop: Shop, ref: str, name: str, in_days: int) -> dict[str, Any]:
    day = shop.one("SELECT (ops_now() AT TIME ZONE 'Asia/Seoul')::date + %s::int", in_days)
    terms = contract(ref, anchor_day=day.day, started_on=day.isoformat())
    kind = ref.rstrip("0123456789")
    return terms | {"name": name, "plan_code": kind, "amount": PRICES[kind]}


@contextmanager
def _alone() -> Iterator[None]:
    """What the run of the tests was given is not this installation's."""
    given = {
        name: os.environ.pop(name) for name in ("DATABASE_URL", "REDIS_URL") if name in os.environ
    }
    try:
        yield
    finally:
        os.environ.update(given)
