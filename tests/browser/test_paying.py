"""A shopper pays by a link in a real browser, on a phone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from opsapp.settings import Settings
from tests.browser.conftest import PHONE, leave
from tests.factories.checkouts import Shopper
from tests.portal.conftest import with_window


@pytest.fixture
def settings(settings: Settings, sandbox_url: str, port: int) -> Settings:
    """The public address is where the window sends the shopper back to."""
    update = {"public_url": f"http://127.0.0.1:{port}"}
    return with_window(settings, sandbox_url).model_copy(update=update)


@pytest.fixture
def shopper(house, gateway) -> Shopper:
    return aside(lambda: Shopper(house))


def aside(act):
    """Playwright keeps an event loop running in this thread; charging needs one of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, locale="ko-KR")
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: page.complaints.append(said.text) if said.type in ("error", "warning") else 0,
    )
    yield page
    leave(context)


def look_at(page: Page, *, width: int = PHONE["width"]) -> None:
    """Nobody is shut out, nothing sticks out of the phone, the browser has no complaint."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


def test_a_card_in_three_instalments_from_the_link_to_the_receipt(page, url, shopper):
    page.goto(url + shopper.home)
    look_at(page)
    page.get_by_label("카드", exact=True).check()
    page.get_by_role("button", name="60,000원 결제하기").click()
    page.get_by_label("할부 기간").select_option("3")
    page.get_by_role("button", name="결제 승인").click()
    page.get_by_text("다시 결제하지 마세요").wait_for()
    look_at(page)
    aside(shopper.work)
    page.get_by_text("결제가 완료되었습니다").wait_for()
    assert page.get_by_text("3개월").is_visible()
    look_at(page)


def test_an_account_to_pay_into_is_shown_large_and_its_deposit_appears_by_itself(
    page, url, shopper, gateway
):
    page.goto(url + shopper.home)
    page.get_by_label("가상계좌").check()
    page.get_by_label("입금 은행").select_option("04")
    page.get_by_role("button", name="60,000원 결제하기").click()
    aside(shopper.work)
    page.get_by_text("아래 계좌로 입금해 주세요").wait_for()
    assert page.get_by_text("국민은행").is_visible()
    look_at(page)
    gateway.deposit(orderId=shopper.order_id)
    aside(lambda: (shopper.make_due(), shopper.work()))
    page.get_by_text("결제가 완료되었습니다").wait_for()
