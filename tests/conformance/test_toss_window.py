"""From the adapter's own address through the hosted page back to its confirm."""

import re
import secrets
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from opsapp.gateways import failures
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import Answer, Flow, Outcome, WindowRequest
from opsapp.kernel.money import Money
from tests.conformance.toss import WON, Till, fresh, opened

FIELD = re.compile(r'<input type=hidden name="([^"]*)" value="([^"]*)">')


@pytest.fixture(scope="module")
def till(sandbox_url: str) -> Iterator[Till]:
    """The client key and the secret key of one merchant, as the vendor hands them out."""
    name = secrets.token_hex(8)
    with opened(
        sandbox_url,
        secret_key=f"test_sk_{name}",
        client_key=f"test_ck_{name}",
        window_url=f"{sandbox_url}/_sandbox/window",
    ) as till:
        yield till


@pytest.fixture(scope="module")
def browser(sandbox_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=sandbox_url, headers={"Origin": sandbox_url}) as client:
        yield client


@pytest.fixture
def order() -> str:
    return fresh("op")


def decide(
    till: Till, browser: httpx2.Client, order: str, kind: str, **decision: str
) -> dict[str, str]:
    """What the shop's address is called with after the buyer has decided."""
    request = WindowRequest(
        method_kind=kind,
        gateway_order_id=order,
        title='사과 "1상자" & 배',
        amount=WON,
        customer_key=till.customer_key,
        customer_name="김래원",
        customer_email="raewon@example.com",
        idempotency_key=fresh("window"),
        success_url="http://127.0.0.1:8000/pay/return?ref=abc",
        fail_url="http://127.0.0.1:8000/pay/failed?ref=abc",
        locale="ko",
    )
    answer = till.ask(till.gateway.open_window(request))
    assert answer.outcome is Outcome.PREPARED
    assert answer.window is not None
    assert answer.window.redirect_url is not None
    page = browser.get(answer.window.redirect_url)
    form = {name: unescape(value) for name, value in FIELD.findall(page.text)}
    assert form["orderName"] == request.title
    target = browser.post("/_sandbox/window", data=form | decision).headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    assert query["ref"] == "abc"
    return query


def confirm(till: Till, query: dict[str, str], amount: Money = WON) -> Answer:
    return till.charge(
        Flow.WINDOW, query["orderId"], gateway_key=query["paymentKey"], amount=amount
    )


@pytest.mark.parametrize(
    ("kind", "chosen", "shown"),
    [
        ("card", {"installmentPlanMonths": "12"}, {"instalment_months": 12}),
        ("transfer", {"bank": "88"}, {"issuer": "88"}),
        (
            "easy_pay",
            {"provider": "네이버페이", "walletPoints": "500", "walletMoney": "9500"},
            {"provider": "네이버페이", "card_minor": 50_000, "points_minor": 500},
        ),
        ("mobile", {"carrier": "SKT"}, {"number": "010-****-0000"}),
    ],
)
def test_what_the_buyer_chooses_at_the_window_is_what_the_confirm_reports(
    till: Till,
    browser: httpx2.Client,
    kind: str,
    chosen: dict[str, str],
    shown: dict[str, object],
) -> None:
    query = decide(till, browser, fresh("op"), kind, decision="approve", **chosen)
    answer = confirm(till, query)
    assert (answer.outcome, answer.amount, answer.method_kind) == (Outcome.APPROVED, WON, kind)
    assert answer.paid_with is not None
    assert shown.items() <= answer.paid_with.items()


def test_a_virtual_account_chosen_at_the_window_waits_for_its_deposit(
    till: Till, browser: httpx2.Client, order: str
) -> None:
    query = decide(till, browser, order, "virtual_account", decision="approve", bank="88")
    answer = confirm(till, query)
    assert answer.outcome is Outcome.PENDING
    till.controls.deposit(orderId=order)
    assert till.inquire(order, Flow.WINDOW).deposited == WON


def test_a_forged_amount_on_the_way_back_takes_no_money(
    till: Till, browser: httpx2.Client, order: str
) -> None:
    query = decide(till, browser, order, "card", decision="approve")
    assert confirm(till, query, Money(100, "KRW")).outcome is Outcome.MISCONFIGURED
    assert till.inquire(order, Flow.WINDOW).because == "in progress at the gateway (IN_PROGRESS)"


def test_a_confirm_sent_twice_takes_the_money_once(
    till: Till, browser: httpx2.Client, order: str
) -> None:
    query = decide(till, browser, order, "card", decision="approve")
    assert confirm(till, query).approval_number == confirm(till, query).approval_number
    assert len(till.controls.payments(order)) == 1


def test_a_window_left_alone_leaves_no_payment(till: Till, order: str) -> None:
    assert till.inquire(order, Flow.WINDOW).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("decision", "code", "failure_class"),
    [
        ({"decision": "cancel"}, "PAY_PROCESS_CANCELED", "customer_cancelled"),
        ({"decision": "decline", "code": "FDS_ERROR"}, "FDS_ERROR", "fraud_suspected"),
    ],
    ids=["cancelled", "declined"],
)
def test_a_buyer_who_does_not_pay_comes_back_with_a_code_of_the_dictionary(
    till: Till,
    browser: httpx2.Client,
    decision: dict[str, str],
    code: str,
    failure_class: str,
) -> None:
    order = fresh("op")
    query = decide(till, browser, order, "card", **decision)
    assert (query["code"], query["orderId"]) == (code, order)
    told = failures.classify([(each, code) for each in TossGateway.failure_sources])
    found = till.inquire(order, Flow.WINDOW)
    assert told.outcome is found.outcome is Outcome.DECLINED
    assert told.failure_class == found.failure_class == failure_class
