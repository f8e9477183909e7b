"""A cart of goods of two sellers and a subscription, paid with points and a card, on a phone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from opsapp.kernel.db import db, transaction
from opsapp.ledger.rules import POINTS_LIABILITY, POINTS_RESERVED, seller_payable
from opsapp.subscriptions.blocking import list_open_blocks
from opsapp.subscriptions.models import Subscription
from tests.browser.conftest import leave
from tests.browser.test_paying import aside, look_at, page as page, settings as settings
from tests.factories import accounts
from tests.factories.carts import balance
from tests.factories.checkouts import Shopper, mixed
from tests.workers.conftest import start as start

FOLDER = os.environ.get("OPSAPP_SCREENS_DIR")
RESULT = "**/result"
BUDGET = 100_000  # bytes over the wire on the first view
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.data);
    window.shifts.push([entry.value, ...moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def buy(house, gateway):
    """A shopper with 5,000 points, before the mixed cart."""

    def build(**more) -> Shopper:
        more = {"points": 5_000, "has_card": True} | more
        return aside(lambda: Shopper(house, basket=mixed, **more))

    return build


def books(shopper: Shopper) -> dict[str, object]:
    """Everything that has to be right, each time, and nothing that `opsapp check` would name."""

    def read():
        with shopper.house.app_context():
            assert accounts.violations() == {}
            with transaction():
                subscription = db.session.query(Subscription).one_or_none()
                blocks = list_open_blocks(subscription.id) if subscription else []
                held = [(block.cause, block.blocks_service) for block in blocks]
            return {
                "legs": [leg.state for leg in shopper.picture().legs],
                "points": (shopper.points.available, shopper.points.reserved),
                "subscription": subscription and subscription.status,
                "held": held,
                "farm": -balance(seller_payable("farm")),
                "mill": -balance(seller_payable("mill")),
                "owed points": -balance(POINTS_LIABILITY),
                "set aside": -balance(POINTS_RESERVED),
            }

    return aside(read)


def fill_in(page: Page) -> None:
    page.get_by_label("사용할 포인트").first.fill("3000")
    page.get_by_label("(필수) 정기결제(자동결제) 이용 동의").check()
    page.get_by_role("button", name="38,900원 결제하기").click()
    page.wait_for_url(RESULT)


PAID = {
    "legs": ["paid", "paid"],
    "points": (2_000, 0),
    "subscription": "active",
    "held": [],
    # 20,000 and 9,900 less 10 %, 12,000 less 5.5 %, and VAT of 10 % on these fees.
    "farm": 17_800 + 8_811,
    "mill": 11_274,
    "owed points": 2_000,
    "set aside": 0,
}
OWED = PAID | {
    "points": (2_000, 3_000),
    "farm": 0,
    "mill": 0,
    "set aside": 3_000,
}


def test_a_card_registered_on_the_way_is_approved_and_everybody_gets_their_part(
    page, url, buy, start
):
    """With the processes of the real installation."""
    for kind in ("relay", "charges.toss", "charges_bulk.toss"):
        start(kind)
    shopper = buy(has_card=False)
    page.set_default_timeout(40_000)  # they take a while to come up
    page.goto(url + shopper.home)
    look_at(page)
    picture(page, "cart")
    page.get_by_label("사용할 포인트").first.fill("3000")
    page.get_by_label("카드 등록하기").check()
    page.get_by_role("button", name="카드 등록하기").click()
    page.locator("#approve").click()
    page.get_by_role("button", name="38,900원 결제하기").wait_for()
    assert page.get_by_label("사용할 포인트").first.input_value() == "3,000"
    fill_in(page)
    page.get_by_role("heading", name="결제가 완료되었습니다").wait_for()
    look_at(page)
    picture(page, "paid")
    assert books(shopper) == PAID


def test_a_declined_cart_keeps_the_points_and_is_paid_by_a_second_try(page, url, buy, gateway):
    shopper = buy()
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    page.goto(url + shopper.home)
    fill_in(page)
    aside(shopper.work)
    page.get_by_role("heading", name="결제되지 않았습니다").wait_for()
    look_at(page)
    picture(page, "declined")
    declined = books(shopper)
    assert declined["legs"] == ["failed", "failed"]
    assert declined["held"]  # no service before its first period is paid
    assert {name: declined[name] for name in ("points", "farm", "mill", "set aside")} == {
        name: OWED[name] for name in ("points", "farm", "mill", "set aside")
    }
    gateway.clear()
    page.get_by_role("link", name="다시 시도하거나").click()
    look_at(page)
    picture(page, "again")
    page.get_by_role("button", name="38,900원 결제하기").click()
    page.wait_for_url(RESULT)
    aside(shopper.work)
    page.get_by_role("heading", name="결제가 완료되었습니다").wait_for()
    assert books(shopper) == PAID


def test_a_cart_without_an_answer_is_asked_about_and_never_charged_again(page, url, buy, gateway):
    shopper = buy()
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    page.goto(url + shopper.home)
    fill_in(page)
    aside(shopper.work)
    page.reload()
    page.get_by_text("다시 결제하지 마세요").first.wait_for()
    look_at(page)
    picture(page, "checking")
    gateway.clear()
    waiting = aside(lambda: (shopper.legs, shopper.points.reserved))
    assert waiting == (["checking", "checking"], 3_000)
    aside(lambda: (shopper.make_due(), shopper.work()))
    page.get_by_role("heading", name="결제가 완료되었습니다").wait_for()
    assert books(shopper) == PAID


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, locale="ko-KR", java_script_enabled=False
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    leave(context)


def test_the_whole_way_goes_without_any_script(plain, url, buy):
    shopper = buy()
    plain.goto(url + shopper.home)
    picture(plain, "plain")
    plain.get_by_label("사용할 포인트").first.fill("3,000")
    plain.get_by_role("button", name="금액 다시 계산").click()
    plain.get_by_role("button", name="38,900원 결제하기").click()  # the agreement is not ticked
    plain.get_by_text("동의가 빠졌습니다").wait_for()
    fill_in(plain)
    plain.get_by_text("다시 결제하지 마세요").first.wait_for()
    aside(shopper.work)
    plain.get_by_role("heading", name="결제가 완료되었습니다").wait_for()
    assert aside(lambda: shopper.legs) == ["paid", "paid"]


LOOKS = [("ko", "light", 390), ("ko", "dark", 320), ("en", "light", 320)]


def test_the_first_view_is_light_stands_still_and_shuts_nobody_out(browser, url, buy):
    """In both themes and languages, down to the smallest phone; the last one by keyboard alone."""
    homes = {locale: buy(locale=locale) for locale in ("ko", "en")}
    for locale, scheme, width in LOOKS:
        viewport = {"width": width, "height": 640}
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        page, wire = context.new_page(), []
        page.add_init_script(SHIFTS)
        page.complaints = []
        page.on("console", lambda said, into=page.complaints: into.append(said.text))
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.loadingFinished",
            lambda told, into=wire: into.append(told["encodedDataLength"]),
        )
        page.goto(url + homes[locale].home, wait_until="networkidle")
        assert page.evaluate("window.shifts") == []
        look_at(page, width=width)
        assert 0 < sum(wire) < BUDGET, wire
        picture(page, f"cart-{locale}-{scheme}-{width}")
        if (locale, scheme, width) == LOOKS[-1]:
            pay_by_keyboard(page)
        leave(context)
    assert aside(lambda: homes["en"].points.reserved) == 3_000


def pay_by_keyboard(page: Page) -> None:
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focus = page.evaluate("[document.activeElement.id, document.activeElement.name]")
        seen.append(focus[0])
        match focus:
            case ["points", _]:
                page.keyboard.press("ControlOrMeta+A")
                page.keyboard.type("3000")
            case [_, "consent"]:
                page.keyboard.press("Space")
            case ["go", _]:
                page.keyboard.press("Enter")
                break
    assert "points-slider" in seen
    page.wait_for_url(RESULT)


def picture(page: Page, name: str) -> None:
    if FOLDER:
        page.screenshot(path=Path(FOLDER) / f"pay-{name}.png", full_page=True)
