"""A customer's own pages on the smallest phone, and another card registered with it."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from opsapp.settings import Settings
from tests.browser.test_look import WCAG
from tests.browser.test_paying import aside
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


def _picture(screen, name):
    if FOLDER:
        screen.page.screenshot(path=Path(FOLDER) / f"my-{name}.png", full_page=True)
