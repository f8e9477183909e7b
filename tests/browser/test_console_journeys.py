"""A day at the desk against the whole product: by mouse, and by the keys alone.

App, workers, relay, schedulers and the sandbox are real processes. Each journey counts the steps of
the person, and asks the database whether what the screen said is true.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import leave
from tests.browser.hands import Hands, Keys, Mouse
from tests.browser.shop import DEAR, MANY, PRICES, Shop, opened

HANDS = {"mouse": Mouse, "keys": Keys}
STEPS = os.environ.get("OPSAPP_STEPS_FILE")  # where the steps of each journey are written
DESKTOP = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with opened() as found:
        yield found


@pytest.fixture(params=HANDS)
def number(request: pytest.FixtureRequest) -> int:
    """Each pair of hands has people of its own: RENEW0 is the mouse's, RENEW1 the keyboard's."""
    return list(HANDS).index(request.param)


@pytest.fixture
def sit_down(browser: Browser, shop: Shop, number: int) -> Iterator[Callable[[str], Hands]]:
    """Sign in as a role; the steps begin with the first page after it."""
    contexts: list[BrowserContext] = []

    def build(role: str) -> Hands:
        context = browser.new_context(viewport=DESKTOP, locale="ko-KR", reduced_motion="reduce")
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{shop.url}/console/sign-in")
        page.fill("#email", shop.account(role)["email"])
        page.fill("#password", shop.account(role)["password"])
        page.press("#password", "Enter")
        page.wait_for_url("**/console/")
        _put_away_tour(page)
        return list(HANDS.values())[number](page)

    yield build
    for context in contexts:
        leave(context)


@pytest.fixture
def note(request: pytest.FixtureRequest, number: int) -> Callable[[Hands], None]:
    """Write down what the journey took, for the table in the documents."""

    def write(hands: Hands) -> None:
        if STEPS:
            with Path(STEPS).open("a") as file:
                name = request.node.originalname
                print(json.dumps([name, list(HANDS)[number], hands.steps]), file=file)

    return write


def test_a_failed_renewal_is_found_retried_and_collected(shop, sit_down, number, note):
    hands = sit_down("cs")
    hands.search(f"RENEW{number}")
    expect(hands.page.locator("#case")).to_contain_text("15,000원")
    hands.press(hands.page.locator("#case a[href*='/retry']"))
    hands.press(hands.page.get_by_role("button", name="15,000원"))
    expect(hands.page.locator("#case .settled")).to_be_visible(timeout=60_000)
    assert hands.clicks <= 5
    note(hands)
    status = (
        "SELECT r.status FROM recoveries r JOIN customers c ON c.id = r.customer_id"
        " WHERE c.customer_ref = %s"
    )
    assert shop.one(status, f"RENEW{number}") == "recovered"


def test_part_of_a_purchase_with_points_and_a_card_goes_back_to_both(shop, sit_down, number, note):
    order = shop.buy(f"BUYER{number}", "햇사과 5kg", 30_000, points=5_000)
    hands = sit_down("cs")
    hands.search(shop.one("SELECT order_ref FROM orders WHERE id = %s", order))
    hands.page.wait_for_url(f"**/console/orders/{order}")
    hands.press(hands.page.locator("input[name=kind][value=partial]"))
    hands.fill(hands.page.locator("input[name=amount]"), "27000")
    hands.choose(hands.page.locator("select[name=reason_code]"), "defective")
    hands.press(hands.page.get_by_role("button", name="확인 단계로"))
    review = hands.page.locator("section", has_text="다시 확인하세요").last
    expect(review).to_contain_text("25,000원")
    expect(review).to_contain_text("2,000")
    hands.press(hands.page.get_by_role("button", name="27,000원 환불"))
    hands.page.wait_for_url("**done=refunded**")
    note(hands)
    shop.live("5m")  # the time to undo it
    refunded = (
        "SELECT r.amount_minor, r.status FROM refunds r JOIN payments p ON p.id = r.payment_id"
        " WHERE p.subject_type = 'order' AND p.customer_id ="
        " (SELECT id FROM customers WHERE customer_ref = %s) AND p.amount_minor = 25000"
    )
    assert shop.query(refunded, f"BUYER{number}") == [(25_000, "succeeded")]
    points = "SELECT available FROM point_accounts a JOIN customers c ON c.id = a.customer_id"
    assert shop.one(f"{points} WHERE c.customer_ref = %s", f"BUYER{number}") == 2_000


def test_a_second_person_agrees_to_what_the_first_may_not_give_back_alone(
    shop, sit_down, number, note
):
    order = shop.buy(f"BUYER{number}", "안마 의자", DEAR)
    first = sit_down("cs")
    first.page.goto(f"{shop.url}/console/orders/{order}")
    first.choose(first.page.locator("select[name=reason_code]"), "defective")
    first.press(first.page.get_by_role("button", name="확인 단계로"))
    first.press(first.page.get_by_role("button", name=re.compile("390,000원")))
    first.page.wait_for_url("**done=refunded**")
    waiting = "SELECT count(*) FROM approvals WHERE status = 'requested'"
    shop.wait(waiting, to_be=1)
    approval = shop.one("SELECT max(id) FROM approvals WHERE status = 'requested'")
    first.page.goto(f"{shop.url}/console/approvals/{approval}")
    expect(first.page.get_by_role("button", name=re.compile("390,000원"))).to_have_count(0)
    second = sit_down("finance")
    second.press(second.page.locator("nav.rail a[href='/console/approvals/']"))
    second.press(second.page.locator(f"tbody a[href='/console/approvals/{approval}']"))
    second.press(second.page.get_by_role("button", name=re.compile("390,000원")))
    shop.wait("SELECT status FROM approvals WHERE id = %s", approval, to_be="approved")
    note(second)
    assert second.clicks <= 3
    shop.live("5m")
    refund = shop.one("SELECT subject_id FROM approvals WHERE id = %s", approval)
    assert shop.one("SELECT status FROM refunds WHERE id = %s", refund) == "succeeded"


def test_all_failures_that_fit_a_filter_are_retried_in_one_go(shop, sit_down, number, note):
    kind = ("MANY", "MORE")[number]
    hands = sit_down("cs")
    page = hands.page
    hands.press(page.locator("nav.rail a[href='/console/payments/']"))
    hands.press(page.locator("details.filter summary", has_text="필터"))
    hands.choose(page.locator("[name=failure]"), "authentication_failure")
    for name in ("amount_from", "amount_to"):
        hands.fill(page.locator(f"[name={name}]"), str(PRICES[kind]))
    hands.press(page.get_by_role("button", name="적용").first)
    page.wait_for_url("**amount_to=**")
    hands.choose(page.locator("select#act"), "retry")
    hands.press(page.locator("button[name=scope][value=all]"))
    expect(page.locator("[aria-labelledby=effect]")).to_contain_text(f"{MANY:,}")
    hands.fill(page.locator("#because"), "한도 초기화 후 재시도")
    hands.press(page.locator("form.box button.btn-primary, form.box button.btn-danger"))
    page.wait_for_url("**/console/jobs/bulk/**")
    note(hands)
    shop.live("5m")  # the time to undo it
    recovered = (
        "SELECT count(*) FROM recoveries r JOIN customers c ON c.id = r.customer_id"
        " WHERE c.customer_ref ~ %s AND r.status = 'recovered'"
    )
    shop.wait(recovered, f"^{kind}[0-9]+$", to_be=MANY)


def test_a_customer_is_found_by_the_initial_consonants_of_the_name(sit_down, note):
    hands = sit_down("cs")
    hands.key("Control+k")
    hands.write("ㄱㄹㅇ")
    hit = hands.page.locator("#palette-hits [role=option][href*='/customer/']").first
    expect(hit).to_contain_text("김*원")
    if isinstance(hands, Keys):
        hands.key("ArrowDown")
        hands.key("Enter")
    else:
        hands.press(hit)
    hands.page.wait_for_url(re.compile(r"/console/customers/\d+$"))
    note(hands)
    expect(hands.page.get_by_role("heading", level=1)).to_contain_text("김*원")


def test_a_ticket_is_taken_from_the_inbox_and_closed(shop, sit_down, number, note):
    ticket = shop.open_ticket(f"PAUSE{number}", "고객이 전화를 요청함")
    hands = sit_down("cs")
    hands.press(hands.page.locator("nav.rail a[href='/console/tickets/']"))
    hands.press(hands.page.locator(f"tbody a[href='/console/tickets/{ticket}']"))
    hands.page.wait_for_url(f"**/console/tickets/{ticket}")
    hands.key("e")
    shop.wait("SELECT status FROM tickets WHERE id = %s", ticket, to_be="in_progress")
    # Only the page that comes back offers it: what is begun on the old one would be lost.
    expect(hands.page.locator("form[action$='/put_back']")).to_be_visible()
    hands.choose(hands.page.locator("select#resolution"), "told")
    hands.fill(hands.page.locator("[name=note]"), "안내 후 종결")
    hands.press(hands.page.locator("form[action$='/resolve'] button"))
    hands.page.wait_for_url("**done=resolve**")
    shop.wait("SELECT status FROM tickets WHERE id = %s", ticket, to_be="resolved")
    note(hands)
    assert shop.one("SELECT resolution FROM tickets WHERE id = %s", ticket) == "told"


def test_a_subscription_rests_until_a_day(shop, sit_down, number, note):
    hands = sit_down("cs")
    hands.search(f"PAUSE{number}")
    subscription = shop.one(
        "SELECT s.id FROM subscriptions s JOIN customers c ON c.id = s.customer_id"
        " WHERE c.customer_ref = %s", f"PAUSE{number}",
    )  # fmt: skip
    hands.press(hands.page.locator(f"main a[href='/console/subscriptions/{subscription}']").first)
    hands.press(hands.page.locator("#act a[href*='/pause']"))
    day = shop.one("SELECT ((ops_now() AT TIME ZONE 'Asia/Seoul')::date + 40)::text")
    hands.fill(hands.page.locator("#until"), day)
    hands.press(hands.page.locator("#act form button").last)
    shop.wait("SELECT status FROM subscriptions WHERE id = %s", subscription, to_be="paused")
    note(hands)
    until = "SELECT until::text FROM subscription_blocks WHERE subscription_id = %s"
    assert shop.one(until, subscription) == day


def test_after_it_all_every_invariant_holds(shop):
    shop.rest()
    checked = json.loads(shop.house.opsapp("check", "--json"))
    assert checked["violations"] == 0, checked


def _put_away_tour(page: Page) -> None:
    """Whoever has begun to work has seen it."""
    away = page.locator("[data-tour] button[name=dismiss], #tour button[name=dismiss]")
    if away.count():
        away.first.click()
