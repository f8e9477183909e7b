"""M7a to M7d as customers and staff live them: real processes, a mail server and a browser.

One installation lives through five days; each journey below looks at one customer's.
"""

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser, Page

from bench.installation import Installation, contract, installed, write_rows
from opsapp import create_app
from opsapp.cli.environment import settings_of
from opsapp.customers.queries import get_charge_keys
from opsapp.kernel.db import db, transaction
from tests.browser.conftest import browser as browser
from tests.servers import free_port

WRONG_DATA, EXPIRED, GATEWAY_DOWN, REPEATED = "M7A", "M7B", "M7C", "M7D"


class Postbox:
    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        letter: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.letters.append(letter)
        return "250 OK"

    def to(self, ref: str) -> list[str]:
        """Subject and text of each letter to one customer, in the order they came."""
        address = f"{ref.lower()}@example.com"
        return [
            f"{letter['Subject']}\n{letter.get_content()}"
            for letter in self.letters
            if address in str(letter["To"])
        ]


class World:
    """The installation, what was mailed, and what stands in its database."""

    def __init__(self, house: Installation, postbox: Postbox) -> None:
        self.house, self.postbox = house, postbox

    def live_to(self, step: str) -> None:
        self.house.opsapp("clock", "advance", step)
        self.house.opsapp("idle", "--timeout", "60")

    def subscription(self, ref: str) -> Any:
        [row] = self.house.query(
            "SELECT s.id, s.status, s.failures_in_row FROM subscriptions s"
            " JOIN customers c ON c.id = s.customer_id WHERE c.customer_ref = %s",
            ref,
        )
        return row

    def tickets(self, ref: str) -> list[tuple[str, str]]:
        return self.house.query(
            "SELECT t.reason, t.status FROM tickets t JOIN customers c ON c.id = t.customer_id"
            " WHERE c.customer_ref = %s ORDER BY t.id",
            ref,
        )

    def recoveries(self, ref: str) -> list[str]:
        rows = self.house.query(
            "SELECT r.status FROM recoveries r JOIN customers c ON c.id = r.customer_id"
            " WHERE c.customer_ref = %s ORDER BY r.id",
            ref,
        )
        return [status for (status,) in rows]

    def set_card(self, ref: str, state: str) -> None:
        url = f"{self.house.ready['sandbox_url']}/_sandbox/cards/{quote(self._billing_key(ref))}"
        body = json.dumps({"state": state}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=5).close()

    def _billing_key(self, ref: str) -> str:
        [(method_id,)] = self.house.query(
            "SELECT m.id FROM payment_methods m JOIN customers c ON c.id = m.customer_id"
            " WHERE c.customer_ref = %s",
            ref,
        )
        child = json.loads((self.house.folder / "data" / "env.json").read_text())
        application = create_app(settings_of(os.environ | child))
        with application.app_context():
            with transaction():
                key = get_charge_keys([method_id])[method_id].billing_key
            db.engine.dispose()
        assert key is not None
        return key


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Five days: three cards that fail from the first, and one whose gateway fails once."""
    with _mail() as (postbox, address), _alone(), installed(OPSAPP_SMTP_URL=address) as house:
        lived = World(house, postbox)
        _sign_up(house)
        lived.set_card(WRONG_DATA, "insufficient_funds")
        lived.set_card(EXPIRED, "stopped")
        lived.set_card(REPEATED, "insufficient_funds")
        lived.live_to("1d")  # first failures
        lived.set_card(WRONG_DATA, "ok")
        lived.live_to("1d")  # first retries
        house.faults(declines={"PROVIDER_ERROR": 1.0})
        lived.live_to("1d")  # the renewal that meets a broken gateway
        house.faults()
        lived.live_to("2h")
        lived.live_to("2d")  # second retries
        yield lived


@pytest.fixture
def console(browser: Browser, world: World) -> Iterator[Page]:
    context = browser.new_context(locale="ko-KR")
    page = context.new_page()
    [account] = [a for a in world.house.ready["accounts"] if a["role"] == "cs"]
    page.goto(f"{world.house.ready['url']}/console/sign-in")
    page.fill("#email", account["email"])
    page.fill("#password", account["password"])
    page.press("#password", "Enter")
    page.wait_for_url("**/console/")
    yield page
    context.close()


def test_m7a_a_card_over_its_limit_is_told_at_once_and_collected_when_it_works(world, console):
    [told, *_] = [letter for letter in world.postbox.to(WRONG_DATA) if "결제" in letter]
    assert re.search(r"http://\S+/my/payment-method/\S+", "\n".join(world.postbox.to(WRONG_DATA)))
    assert "9,9" in told
    assert world.subscription(WRONG_DATA)[1:] == ("active", 0)
    assert world.recoveries(WRONG_DATA) == ["recovered"]
    assert world.tickets(WRONG_DATA) == []
    _open_subscription(console, world, WRONG_DATA)
    assert console.get_by_text("활성").first.is_visible()


def test_m7b_an_expired_card_waits_for_another_one_and_its_owner_gets_a_link(world, console):
    letters = "\n".join(world.postbox.to(EXPIRED))
    assert re.search(r"http://\S+/my/payment-method/\S+", letters)
    assert world.subscription(EXPIRED)[1] == "past_due"
    assert world.recoveries(EXPIRED) == ["monitoring"]
    _open_board(console, world)
    waiting = console.locator("article").filter(has_text="M7B").inner_text()
    assert "만료·정지" in waiting
    assert "결제수단 변경 대기" in waiting


def test_m7c_a_gateway_that_fails_is_tried_again_with_an_apology_and_counts_for_nobody(
    world, console
):
    letters = "\n".join(world.postbox.to(GATEWAY_DOWN))
    assert "죄송" in letters
    assert world.subscription(GATEWAY_DOWN)[1:] == ("active", 0)
    assert world.recoveries(GATEWAY_DOWN) == ["recovered"]


def test_m7d_the_third_failure_suspends_tells_the_customer_and_is_a_case_for_staff(world, console):
    letters = "\n".join(world.postbox.to(REPEATED))
    assert "일시 중지되었습니다" in letters
    assert world.subscription(REPEATED)[1:] == ("suspended", 3)
    assert [reason for reason, _ in world.tickets(REPEATED)] == ["repeated_failure"]
    assert world.recoveries(REPEATED) == ["exhausted"]
    _open_board(console, world)
    suspended = console.locator("article").filter(has_text="M7D")
    assert suspended.is_visible()
    assert "자동 재시도 없음" in suspended.inner_text()
    console.goto(f"{world.house.ready['url']}/console/tickets/")
    assert console.locator("tbody").get_by_text("반복").first.is_visible()


def test_after_it_all_every_invariant_holds(world):
    checked = json.loads(world.house.opsapp("check", "--json"))
    assert checked["violations"] == 0, checked


def _open_subscription(page: Page, world: World, ref: str) -> None:
    page.goto(f"{world.house.ready['url']}/console/subscriptions/{world.subscription(ref)[0]}")


def _open_board(page: Page, world: World) -> None:
    page.goto(f"{world.house.ready['url']}/console/recovery/")


def _sign_up(house: Installation) -> None:
    # From noon on: whenever the suite runs, no journey crosses a midnight by itself.
    house.opsapp("clock", "set", f"{datetime.now(UTC).date() + timedelta(days=1)}T03:00:00+00:00")
    days = {WRONG_DATA: 1, EXPIRED: 1, REPEATED: 1, GATEWAY_DOWN: 3}
    contracts = house.folder / "contracts.csv"
    write_rows(contracts, [_contract(house, ref, in_days) for ref, in_days in days.items()])
    house.opsapp("import", "subscriptions", str(contracts))
    house.opsapp("idle", "--timeout", "60")


def _contract(house: Installation, ref: str, in_days: int) -> dict[str, Any]:
    [(day,)] = house.query("SELECT (ops_now() AT TIME ZONE 'Asia/Seoul')::date + %s::int", in_days)
    return contract(ref, anchor_day=day.day, started_on=day.isoformat())


@contextmanager
def _mail() -> Iterator[tuple[Postbox, str]]:
    postbox, port = Postbox(), free_port()
    controller = Controller(postbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield postbox, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()


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
