"""The hosted payment window: what it shows, what it takes, and whom it sends where."""

import re
import secrets
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.sandbox.conftest import Sandbox, SandboxStarter, Shop

SUCCESS, FAIL = "http://127.0.0.1:8000/paid?ref=1", "http://localhost:8000/failed"
NASTY = """<script>alert(1)</script>"'&"""


def wish(shop: Shop, **changes: object) -> dict[str, str]:
    """What a shop of its own asks for; the client key is the one that goes with its secret key."""
    asked = {
        "clientKey": shop.secret_key.replace("_sk_", "_ck_"),
        "customerKey": "customer-1",
        "method": "card",
        "amount": 60_000,
        "currency": "KRW",
        "orderId": f"window-{secrets.token_hex(6)}",
        "orderName": "사과 1상자",
        "customerName": "홍길동",
        "successUrl": SUCCESS,
        "failUrl": FAIL,
    } | changes
    return {name: str(value) for name, value in asked.items()}


def show(shop: Shop, asked: dict[str, str], **headers: str) -> httpx2.Response:
    return shop.sandbox.client().get("/_sandbox/window", params=asked, headers=headers)


def decide(
    shop: Shop, asked: dict[str, str], decision: str, *, origin: str | None = "", **chosen: object
) -> httpx2.Response:
    """Post the form as a browser does: with the Origin of the page it came from."""
    form = asked | {"decision": decision} | {name: str(value) for name, value in chosen.items()}
    headers = {} if origin is None else {"Origin": origin or shop.sandbox.url}
    return shop.sandbox.client().post("/_sandbox/window", data=form, headers=headers)


def sent_to(answer: httpx2.Response) -> tuple[str, dict[str, str]]:
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["location"])
    named = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return f"{parts.scheme}://{parts.netloc}{parts.path}", named


def confirmed(shop: Shop, answer: httpx2.Response) -> dict[str, Any]:
    _, query = sent_to(answer)
    body = {name: query[name] for name in ("paymentKey", "orderId")}
    paid = shop.post("payments/confirm", body | {"amount": int(query["amount"])})
    assert paid.status_code == 200, paid.text
    payment: dict[str, Any] = paid.json()
    return payment


class Form(HTMLParser):
    """The fields, choices and buttons of the page, and the labels that name them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.ids: set[str] = set()
        self.labels: set[str] = set()
        self.choices: dict[str, list[str]] = {}
        self.lang = ""
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.ids |= {named["id"]} if "id" in named else set()
        if tag == "html":
            self.lang = named["lang"]
        if tag == "label":
            self.labels.add(named["for"])
        if tag == "input":
            self.fields[named["name"]] = named["value"]
        if tag == "select":
            self._select = named["name"]
        if tag == "option":
            self.choices.setdefault(self._select, []).append(named["value"])


def test_the_page_shows_order_amount_and_method(shop: Shop) -> None:
    asked = wish(shop)
    page = show(shop, asked)
    assert page.headers["content-type"] == "text/html;charset=UTF-8"
    for text in (
        "사과 1상자",
        asked["orderId"],
        "60,000원",
        "카드",
        "결제 승인",
        "결제 거절",
        "취소",
    ):
        assert text in page.text
    form = Form(page.text)
    assert form.lang == "ko"
    assert {"approve", "decline", "cancel"} <= form.ids
    assert form.fields["orderId"] == asked["orderId"]


@pytest.mark.parametrize(
    ("query", "header", "lang"),
    [
        ({"lang": "en"}, "ko-KR", "en"),
        ({"lang": "ko"}, "en-US", "ko"),
        ({}, "en-US,en;q=0.9", "en"),
        ({}, "ko-KR,ko;q=0.9", "ko"),
        ({}, "fr", "ko"),
    ],
)
def test_the_page_speaks_korean_and_english(
    shop: Shop, query: dict[str, str], header: str, lang: str
) -> None:
    page = show(shop, wish(shop) | query, **{"Accept-Language": header})
    assert Form(page.text).lang == lang
    assert ("Approve payment" in page.text) is (lang == "en")


@pytest.mark.parametrize(
    ("method", "choices"),
    [
        ("card", {"installmentPlanMonths"}),
        ("transfer", {"bank"}),
        ("easy_pay", {"provider", "installmentPlanMonths"}),
        ("mobile", {"carrier"}),
        ("virtual_account", {"bank"}),
    ],
)
def test_each_method_offers_its_own_choices_and_every_field_has_a_label(
    shop: Shop, method: str, choices: set[str]
) -> None:
    form = Form(show(shop, wish(shop, method=method)).text)
    assert set(form.choices) == choices | {"code"}
    visible = set(form.choices) | (
        {"walletPoints", "walletMoney"} if method == "easy_pay" else set()
    )
    assert visible == form.labels


def test_a_small_sum_is_paid_at_once(shop: Shop) -> None:
    small = Form(show(shop, wish(shop, amount=49_999)).text).choices["installmentPlanMonths"]
    large = Form(show(shop, wish(shop, amount=50_000)).text).choices["installmentPlanMonths"]
    assert small == ["0"]
    assert large == ["0", *map(str, range(2, 13))]


def test_nothing_that_a_shop_sends_becomes_markup(shop: Shop) -> None:
    asked = wish(shop, orderName=NASTY, customerName=NASTY, customerKey=NASTY)
    for page in (
        show(shop, asked),
        decide(shop, asked, NASTY),
        decide(shop, asked, "decline", code=NASTY),
        decide(shop, asked, "approve", installmentPlanMonths=NASTY, provider=NASTY, bank=NASTY),
        show(shop, asked | {"clientKey": NASTY}),
        show(shop, asked | {"successUrl": NASTY}),
        show(shop, asked | {"method": NASTY}),
        show(shop, asked | {"orderId": NASTY}),
    ):
        assert page.headers["content-type"] == "text/html;charset=UTF-8"
        assert "<script" not in page.text
    assert NASTY in unescape(show(shop, asked).text)


def test_the_policy_allows_one_style_and_a_form_that_leads_back_to_the_shop(shop: Shop) -> None:
    page = show(shop, wish(shop))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8000 http://localhost:8000" in policy
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"""\son\w+=|style=|javascript:""", page.text)


def test_looking_at_the_window_writes_nothing(shop: Shop) -> None:
    asked = wish(shop)
    show(shop, asked)
    assert shop.get(f"payments/orders/{asked['orderId']}").status_code == 404


def test_approving_leads_to_the_shop_and_its_confirm_takes_the_money(shop: Shop) -> None:
    asked = wish(shop)
    answer = decide(shop, asked, "approve", installmentPlanMonths=3)
    address, query = sent_to(answer)
    assert address == "http://127.0.0.1:8000/paid"
    assert query["ref"] == "1"
    assert (query["paymentType"], query["orderId"], query["amount"]) == (
        "NORMAL",
        asked["orderId"],
        "60000",
    )
    waiting = shop.get(f"payments/orders/{asked['orderId']}").json()
    assert (waiting["status"], waiting["method"]) == ("IN_PROGRESS", None)
    payment = confirmed(shop, answer)
    assert (payment["status"], payment["method"]) == ("DONE", "카드")
    assert payment["card"]["installmentPlanMonths"] == 3


@pytest.mark.parametrize(
    ("method", "chosen", "part", "filled"),
    [
        ("transfer", {"bank": "20"}, "transfer", {"bankCode": "20"}),
        (
            "easy_pay",
            {"provider": "카카오페이", "walletPoints": 1000, "walletMoney": 9000},
            "easyPay",
            {"provider": "카카오페이", "amount": 9000, "discountAmount": 1000},
        ),
        ("mobile", {"carrier": "KT"}, "mobilePhone", {"settlementStatus": "INCOMPLETED"}),
        ("virtual_account", {"bank": "88"}, "virtualAccount", {"bankCode": "88"}),
    ],
)
def test_what_the_buyer_chose_stands_in_the_payment(
    shop: Shop, method: str, chosen: dict[str, object], part: str, filled: dict[str, object]
) -> None:
    payment = confirmed(shop, decide(shop, wish(shop, method=method), "approve", **chosen))
    assert filled.items() <= payment[part].items()
    if method == "easy_pay":
        assert payment["card"]["amount"] == 50_000


@pytest.mark.parametrize(
    ("method", "chosen"),
    [
        ("easy_pay", {"walletPoints": 40_000, "walletMoney": 20_001}),
        ("easy_pay", {"walletPoints": -1}),
        ("easy_pay", {"walletMoney": "1e3"}),
        ("card", {"installmentPlanMonths": 13}),
        ("card", {"installmentPlanMonths": 1}),
        ("transfer", {"bank": "99"}),
    ],
)
def test_a_choice_that_cannot_be_is_told_on_the_page_and_makes_nothing(
    shop: Shop, method: str, chosen: dict[str, object]
) -> None:
    asked = wish(shop, method=method)
    answer = decide(shop, asked, "approve", **chosen)
    assert answer.status_code == 400
    assert "role=alert" in answer.text
    assert "결제 승인" in answer.text
    assert shop.get(f"payments/orders/{asked['orderId']}").status_code == 404


def test_declining_leads_to_the_fail_address_with_the_code(shop: Shop) -> None:
    asked = wish(shop)
    address, query = sent_to(decide(shop, asked, "decline", code="REJECT_CARD_COMPANY"))
    assert address == FAIL
    assert (query["code"], query["orderId"]) == ("REJECT_CARD_COMPANY", asked["orderId"])
    assert query["message"]
    failed = shop.get(f"payments/orders/{asked['orderId']}").json()
    assert (failed["status"], failed["failure"]["code"]) == ("ABORTED", "REJECT_CARD_COMPANY")


def test_every_reason_that_the_page_offers_can_be_chosen(shop: Shop) -> None:
    asked = wish(shop)
    for code in Form(show(shop, asked).text).choices["code"]:
        assert sent_to(decide(shop, asked, "decline", code=code))[1]["code"] == code


def test_cancelling_leads_back_and_the_same_order_can_be_paid_after_it(shop: Shop) -> None:
    asked = wish(shop)
    address, query = sent_to(decide(shop, asked, "cancel"))
    assert (address, query["code"]) == (FAIL, "PAY_PROCESS_CANCELED")
    assert confirmed(shop, decide(shop, asked, "approve"))["status"] == "DONE"


def test_a_client_key_names_the_merchant_of_its_secret_key(shop: Shop) -> None:
    asked = wish(shop)
    decide(shop, asked, "approve")
    stranger = Shop(shop.sandbox)
    assert stranger.get(f"payments/orders/{asked['orderId']}").status_code == 404
    assert shop.get(f"payments/orders/{asked['orderId']}").status_code == 200


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"clientKey": "test_sk_secret"}, "clientKey"),
        ({"clientKey": "live_ck_x"}, "clientKey"),
        ({"clientKey": "test_ck_"}, "clientKey"),
        ({"amount": "0"}, "BELOW_ZERO_AMOUNT"),
        ({"amount": "99"}, "BELOW_MINIMUM_AMOUNT"),
        ({"amount": "1.5"}, "amount"),
        ({"amount": "９９９"}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"method": "gold"}, "method"),
        ({"orderId": "short"}, "INVALID_ORDER_ID"),
        ({"orderName": "x" * 101}, "INVALID_ORDER_NAME"),
        ({"successUrl": ""}, "successUrl"),
        ({"successUrl": "https://shop.example/paid"}, "successUrl"),
        ({"successUrl": "http://127.0.0.1.shop.example/"}, "successUrl"),
        ({"successUrl": "http://127.0.0.1@shop.example/"}, "successUrl"),
        ({"successUrl": "http://shop@127.0.0.1/"}, "successUrl"),
        ({"successUrl": "javascript:alert(1)"}, "successUrl"),
        ({"successUrl": "//127.0.0.1/paid"}, "successUrl"),
        ({"successUrl": "http://127.0.0.1:99999/"}, "successUrl"),
        ({"successUrl": "http://127.0.0.1/\r\nset-cookie: a=b"}, "successUrl"),
        ({"successUrl": "http://127.0.0.1/;script-src *"}, "successUrl"),
        ({"failUrl": "file:///etc/passwd"}, "failUrl"),
        ({"failUrl": "http://[::1"}, "failUrl"),
    ],
    ids=str,
)
@pytest.mark.parametrize("decision", ["", "approve"])
def test_a_window_that_must_not_open_says_why_and_sends_nobody_anywhere(
    shop: Shop, changes: dict[str, str], named: str, decision: str
) -> None:
    asked = wish(shop) | changes
    answer = decide(shop, asked, decision) if decision else show(shop, asked)
    assert answer.status_code == 400
    assert named in answer.text
    assert "location" not in answer.headers
    assert "<form" not in answer.text


@pytest.mark.parametrize("origin", ["http://shop.example", "null", "http://127.0.0.1:1"])
def test_a_decision_from_another_page_is_refused(shop: Shop, origin: str) -> None:
    asked = wish(shop)
    answer = decide(shop, asked, "approve", origin=origin)
    assert answer.status_code == 403
    assert shop.get(f"payments/orders/{asked['orderId']}").status_code == 404


def test_a_name_that_a_stranger_pointed_here_is_refused(shop: Shop) -> None:
    assert show(shop, wish(shop), Host="shop.example").status_code == 403


def test_other_control_calls_still_take_nothing_from_web_pages(shop: Shop) -> None:
    answer = shop.sandbox.client().post(
        "/_sandbox/authentications", json={}, headers={"Origin": shop.sandbox.url}
    )
    assert answer.status_code == 403


def test_a_host_that_was_named_at_the_start_may_be_returned_to(
    start_sandbox: SandboxStarter,
) -> None:
    sandbox: Sandbox = start_sandbox("--window-host", "shop.example")
    shop = Shop(sandbox)
    asked = wish(shop, successUrl="https://shop.example/paid")
    assert sent_to(decide(shop, asked, "approve"))[0] == "https://shop.example/paid"
    assert show(shop, asked, Host="shop.example").status_code == 200
