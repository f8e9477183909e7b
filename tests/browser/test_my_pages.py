"""A customer's own pages on the smallest phone, and another card registered with it."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select

from opsapp.kernel.db import db, transaction
from opsapp.payments.models import Payment
from opsapp.settings import Settings
from tests.browser.looking import WCAG
from tests.browser.test_paying import aside
from tests.factories.carts import goods
from tests.factories.guests import HOME, Guest, buy
from tests.factories.members import Member, raise_price
from tests.portal.conftest import with_window

FOLDER = os.environ.get("OPSAPP_SCREENS_DIR")


@pytest.fixture
def settings(settings: Settings, sandbox_url: str, port: int) -> Settings:
    here = {"public_url": f"http://127.0.0.1:{port}", "shop_name": "한빛상점"}
    return with_window(settings, sandbox_url).model_copy(update=here)


@pytest.fixture
def member(house, gateway) -> Member:
    return aside(lambda: Member(house))


def pages(member):
    """Addresses of everything that these pages can say at rest."""

    def make():
        raise_price(member)
        member.pass_time(timedelta(days=10))
        homes = {each: member.link(each) for each in ("subscription", "payment_method", "consent")}
        own = homes["subscription"]
        more = {f"subscription-{each}": f"{own}/{each}" for each in ("pause", "cancel", "consents")}
        return homes | more | {"decline": f"{homes['consent']}/decline"}

    return aside(make)


def test_no_page_shuts_anybody_out_on_the_smallest_phone(open_screen, member):
    wrong, screens = {}, [open_screen(None, phone=True, dark=dark) for dark in (False, True)]
    for number, (name, path) in enumerate(pages(member).items()):
        for dark in (False, True) if FOLDER else (bool(number % 2),):
            screen = screens[dark]
            screen.page.set_viewport_size({"width": 320, "height": 640})
            screen.open(path)
            wide = screen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found = Axe().run(screen.page, options=WCAG).response["violations"]
            _picture(screen, f"{name}-{'dark' if dark else 'light'}")
            if wide > 0 or found:
                wrong[name, dark] = [wide, *(each["id"] for each in found)]
    assert wrong == {}
    assert [screen.complaints for screen in screens] == [[], []]


def test_another_card_is_registered_and_the_way_out_found_with_one_thumb(open_screen, member):
    screen = open_screen(None, phone=True)
    home = aside(lambda: member.link("subscription"))
    page = screen.open(home)
    page.get_by_role("button", name="결제수단 변경").click()
    page.get_by_role("button", name="등록하기").click()
    page.locator("#approve").click()
    page.get_by_role("heading", name="결제수단을 등록하고 있습니다").wait_for()
    aside(member.work)
    page.get_by_role("heading", name="결제수단이 등록되었습니다").wait_for()
    _picture(screen, "registered")
    old, new = aside(lambda: member.methods)
    assert old.replaced_by_id == new.id
    screen.open(home)
    page.get_by_role("link", name="구독 해지").click()
    page.get_by_label("이용 기간이 끝날 때").check()
    page.get_by_role("button", name="구독 해지").click()
    page.get_by_role("status").wait_for()
    assert aside(lambda: member.subscription).status == "cancelling"
    page.get_by_role("button", name="해지 취소하기").click()
    page.get_by_text("해지를 취소했습니다").wait_for()
    assert aside(lambda: member.subscription).status == "active"
    assert screen.complaints == []


@pytest.fixture
def guest(house, gateway, owner) -> Guest:
    """With everything that these pages can show: a failed charge, an ending card, a deposit."""

    def make():
        found = Guest(house)
        found.pass_time(timedelta(days=31))
        gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
        found.renew()
        gateway.clear()
        found.order_id = buy(found, goods("햇사과 5kg", 20_000), points=3_000)
        buy(found, goods("통밀가루", 12_000), method_kind="virtual_account", bank="04")
        owner.execute("UPDATE payment_methods SET expires_on = ops_now()::date + 20")
        owner.execute("UPDATE attempts SET deposit_due_at = ops_now() + interval '2 days'")
        return found

    return aside(make)


def own_pages(guest):
    """Addresses of all pages of somebody who is signed in."""
    refs = {
        "portal_my_subscriptions": guest.subscription.ref,
        "portal_my_methods": guest.methods[0].ref,
        "portal_my_payments": _first_payment(guest),
    }
    found = {}
    for rule in guest.house.url_map.iter_rules():
        blueprint, _, view = rule.endpoint.partition(".")
        if not blueprint.startswith("portal_my_") or "GET" not in rule.methods:
            continue
        if "token" in rule.arguments or blueprint.endswith("signing_in"):
            continue
        path = rule.rule.replace("<ref>", refs.get(blueprint, ""))
        found[f"own-{blueprint[10:]}-{view}"] = path.replace("<id:order_id>", str(guest.order_id))
    return found


def _first_payment(guest):
    with guest.house.app_context(), transaction():
        return db.session.scalars(select(Payment.ref).order_by(Payment.id)).first()


def test_whoever_is_signed_in_finds_everything_on_the_smallest_phone_and_pays_what_failed(
    open_screen, guest
):
    wrong, screens = {}, [open_screen(None, phone=True, dark=dark) for dark in (False, True)]
    for dark, screen in enumerate(screens):
        page = screen.page
        page.set_viewport_size({"width": 320, "height": 640})
        screen.open(HOME)
        _look(screen, "own-sign-in", dark, wrong)
        screen.open(aside(guest.my_link))
        _look(screen, "own-enter", dark, wrong)
        page.get_by_role("button", name="로그인", exact=True).click()
        popup = page.get_by_role("dialog", name="확인이 필요합니다")
        popup.wait_for()
        _look(screen, "own-popup", dark, wrong)
        with page.expect_response("**/my/dismiss/"):
            page.keyboard.press("Escape")
        screen.open(HOME)
        assert not popup.is_visible()
    for number, (name, path) in enumerate(aside(lambda: own_pages(guest)).items()):
        for dark in (False, True) if FOLDER else (bool(number % 2),):
            screens[dark].open(path)
            _look(screens[dark], name, dark, wrong)
    assert wrong == {}
    page = screens[0].page
    screens[0].open(HOME)
    page.get_by_role("button", name="9,900원 지금 결제하기").click()
    page.get_by_text("지금 결제하고 있습니다").wait_for()
    aside(guest.work)
    page.reload()
    assert not page.get_by_text("결제되지 않았습니다").is_visible()
    page.get_by_role("link", name="마이페이지").click()
    page.get_by_role("link", name="결제수단", exact=True).click()
    page.get_by_role("button", name="결제수단 추가").click()
    page.get_by_role("button", name="등록하기").click()
    page.locator("#approve").click()
    page.get_by_role("heading", name="결제수단을 등록하고 있습니다").wait_for()
    aside(guest.work)
    page.get_by_role("link", name="내 결제수단으로 돌아가기").click()
    page.get_by_role("heading", name="결제수단", exact=True).wait_for()
    assert len(aside(lambda: guest.methods)) == 2
    page.get_by_role("button", name="로그아웃").click()
    page.get_by_text("로그아웃되었습니다").wait_for()
    assert [screen.complaints for screen in screens] == [[], []]


def _look(screen, name, dark, wrong):
    wide = screen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = Axe().run(screen.page, options=WCAG).response["violations"]
    _picture(screen, f"{name}-{'dark' if dark else 'light'}")
    if wide > 0 or found:
        wrong[name, dark] = [wide, *(each["id"] for each in found)]


def _picture(screen, name):
    if FOLDER:
        screen.page.screenshot(path=Path(FOLDER) / f"my-{name}.png", full_page=True)
