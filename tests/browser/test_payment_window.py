"""The payment window in a real browser, on a phone, without script."""

import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import PHONE, leave
from tests.sandbox.conftest import (
    Shop,
    sandbox as sandbox,
    shared_sandbox as shared_sandbox,
    shop as shop,
)


class Landing(BaseHTTPRequestHandler):
    """The shop's own page that the buyer comes back to."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def landing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Landing)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser said about the page: a breach of its policy, above all."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    # axe runs as a script of the test, which the page's policy would refuse as well.
    context = browser.new_context(viewport=PHONE, locale="ko-KR")
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    leave(context)


def open_window(page: Page, shop: Shop, landing: str, **changes: object) -> str:
    order_id = f"browser-{secrets.token_hex(6)}"
    asked = {
        "clientKey": shop.secret_key.replace("_sk_", "_ck_"),
        "customerKey": "customer-1",
        "method": "card",
        "amount": 60_000,
        "currency": "KRW",
        "orderId": order_id,
        "orderName": "사과 1상자",
        "customerName": "홍길동",
        "successUrl": f"{landing}/paid",
        "failUrl": f"{landing}/failed",
    } | changes
    page.goto(f"{shop.sandbox.url}/_sandbox/window?{urlencode(asked)}")
    return order_id


def came_back(page: Page, landing: str, path: str) -> dict[str, str]:
    page.wait_for_url(f"{landing}{path}?**")
    return {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}


def test_a_buyer_pays_in_instalments_by_hand(
    page: Page, shop: Shop, landing: str, complaints: list[str]
) -> None:
    order_id = open_window(page, shop, landing)
    page.get_by_label("할부 기간").select_option("3")
    page.get_by_role("button", name="결제 승인").click()
    query = came_back(page, landing, "/paid")
    assert query["orderId"] == order_id
    body = {"paymentKey": query["paymentKey"], "orderId": order_id, "amount": 60_000}
    assert shop.post("payments/confirm", body).json()["card"]["installmentPlanMonths"] == 3
    assert complaints == []


def test_a_buyer_splits_a_sum_inside_the_wallet(page: Page, shop: Shop, landing: str) -> None:
    order_id = open_window(page, shop, landing, method="easy_pay")
    page.get_by_label("간편결제사").select_option("네이버페이")
    page.get_by_label("포인트 사용액").fill("1000")
    page.click("#approve")
    query = came_back(page, landing, "/paid")
    body = {"paymentKey": query["paymentKey"], "orderId": order_id, "amount": 60_000}
    paid = shop.post("payments/confirm", body).json()
    assert paid["easyPay"] == {"provider": "네이버페이", "amount": 0, "discountAmount": 1000}


def test_a_buyer_is_declined_or_cancels(page: Page, shop: Shop, landing: str) -> None:
    open_window(page, shop, landing)
    page.select_option("#code", "FDS_ERROR")
    page.click("#decline")
    assert came_back(page, landing, "/failed")["code"] == "FDS_ERROR"
    open_window(page, shop, landing, lang="en")
    page.get_by_role("button", name="Cancel").click()
    assert came_back(page, landing, "/failed")["code"] == "PAY_PROCESS_CANCELED"


@pytest.mark.parametrize("method", ["card", "easy_pay"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_everybody_can_use_it(
    browser: Browser, shop: Shop, landing: str, method: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport=PHONE, color_scheme=scheme, locale="ko-KR", bypass_csp=True
    )
    page = context.new_page()
    open_window(page, shop, landing, method=method, orderName="사과" * 40)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    leave(context)
