"""The window in which a card or an account is registered: what it takes, whom it sends where."""

from html import unescape

import httpx2
import pytest

from tests.sandbox.conftest import Shop
from tests.sandbox.test_window import FAIL, NASTY, SUCCESS, Form, sent_to

PATH = "/_sandbox/window/billing"


def wish(shop: Shop, **changes: str) -> dict[str, str]:
    return {
        "clientKey": shop.secret_key.replace("_sk_", "_ck_"),
        "customerKey": "customer-1",
        "method": "card",
        "successUrl": SUCCESS,
        "failUrl": FAIL,
    } | changes


def show(shop: Shop, asked: dict[str, str]) -> httpx2.Response:
    return shop.sandbox.client().get(PATH, params=asked)


def decide(
    shop: Shop, asked: dict[str, str], decision: str, *, origin: str = "", **chosen: str
) -> httpx2.Response:
    form = asked | {"decision": decision} | chosen
    headers = {"Origin": origin or shop.sandbox.url}
    return shop.sandbox.client().post(PATH, data=form, headers=headers)


def issue(shop: Shop, told: dict[str, str]) -> httpx2.Response:
    body = {"authKey": told["authKey"], "customerKey": told["customerKey"]}
    return shop.post("billing/authorizations/issue", body)


@pytest.mark.parametrize(("method", "named"), [("card", "카드"), ("transfer", "계좌이체")])
def test_what_is_registered_at_the_window_is_charged_afterwards(shop, method, named):
    address, told = sent_to(decide(shop, wish(shop, method=method), "approve"))
    assert address == SUCCESS.partition("?")[0]
    assert (told["ref"], told["customerKey"]) == ("1", "customer-1")
    billing = issue(shop, told).json()
    assert billing["method"] == named
    assert shop.charge(billing["billingKey"], f"window-{method}-1").json()["status"] == "DONE"
    assert issue(shop, told).json()["code"] == "INVALID_BILLING_AUTH", "a key works once"


def test_an_auth_key_is_good_for_its_own_customer_and_merchant_only(shop, sandbox):
    _, told = sent_to(decide(shop, wish(shop), "approve"))
    for who, changes in ((shop, {"customerKey": "customer-2"}), (Shop(sandbox), {})):
        assert issue(who, told | changes).json()["code"] == "INVALID_BILLING_AUTH"
    assert issue(shop, told).status_code == 200


@pytest.mark.parametrize(
    ("state", "code"),
    [("insufficient_funds", "REJECT_CARD_PAYMENT"), ("expired", "INVALID_CARD_EXPIRATION")],
)
def test_the_customer_chooses_how_later_charges_go(shop, state, code):
    _, told = sent_to(decide(shop, wish(shop), "approve", state=state))
    key = issue(shop, told).json()["billingKey"]
    assert shop.charge(key, "window-state-1").json()["code"] == code


def test_a_registration_may_be_refused_at_the_exchange_at_the_window_or_left(shop):
    _, told = sent_to(decide(shop, wish(shop), "approve", state="refused"))
    assert issue(shop, told).json()["code"] == "INVALID_STOPPED_CARD"
    address, told = sent_to(decide(shop, wish(shop), "decline", code="REJECT_CARD_COMPANY"))
    assert (address, told["code"]) == (FAIL, "REJECT_CARD_COMPANY")
    assert sent_to(decide(shop, wish(shop), "cancel"))[1]["code"] == "PAY_PROCESS_CANCELED"


def test_every_field_has_a_label_and_nothing_that_a_shop_sends_becomes_markup(shop):
    form = Form(show(shop, wish(shop)).text)
    assert form.labels == {"state", "code"}
    for page in (
        decide(shop, wish(shop), NASTY),
        decide(shop, wish(shop), "approve", state=NASTY),
        show(shop, wish(shop, customerKey=NASTY)),
        show(shop, wish(shop, method=NASTY)),
    ):
        assert page.status_code == 400
        assert "<script" not in page.text
        assert "location" not in page.headers
    assert unescape(show(shop, wish(shop)).text)


@pytest.mark.parametrize(
    "changes",
    [
        {"clientKey": "live_ck_x"},
        {"customerKey": ""},
        {"method": "mobile"},
        {"successUrl": "https://shop.example/"},
        {"failUrl": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_window_that_must_not_open_sends_nobody_anywhere(shop, changes):
    for answer in (show(shop, wish(shop) | changes), decide(shop, wish(shop) | changes, "approve")):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "<form" not in answer.text


def test_a_decision_from_another_page_is_refused(shop):
    assert decide(shop, wish(shop), "approve", origin="http://evil.example").status_code == 403
