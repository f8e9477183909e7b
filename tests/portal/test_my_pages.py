"""A customer's own pages, behind the links of messages."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from opsapp.customers.replacing import REGISTRATIONS_MAX
from opsapp.gateways.registry import gateway_named
from opsapp.kernel.db import transaction
from opsapp.subscriptions import blocking, pausing
from tests.factories.members import CSRF, WORKER, Member

HX = {"HX-Request": "true"}


@pytest.fixture
def member(house, gateway) -> Member:
    return Member(house)


@pytest.fixture
def another(house, gateway) -> Callable[[], Member]:
    return lambda: Member(house, is_paid=False)


def test_the_page_says_what_when_and_how_much_and_nothing_that_is_not_masked(member):
    page = member.get(member.link("subscription"))
    assert page.status_code == 200
    for said in ("기본 요금제", "9,900원", "매월", "결제 완료", "****"):
        assert said in page.text
    assert not re.search(r"김래원|@example\.com|010-", page.text)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


def test_a_pause_until_a_day_is_told_first_and_lifts_by_the_customers_own_hand(member):
    home = member.link("subscription")
    until = (member.subscription.created_at + timedelta(days=30)).date().isoformat()
    for wrong in ("2020-01-01", "9999-12-31", "soon"):
        assert member.act(home, "pause", until=wrong).status_code == 422
    answer = member.act(home, "pause", until=until)
    assert answer.status_code == 303
    page = member.get(answer.location)
    assert until in page.text
    assert member.subscription.status == "paused"
    member.act(home, "resume")
    assert member.subscription.status == "active"


def test_who_cancels_at_the_end_of_the_period_may_take_it_back_until_then(member):
    home = member.link("subscription")
    page = member.get(member.act(home, "cancel", when="period_end").location)
    assert member.subscription.status == "cancelling"
    assert str(member.subscription.ends_on) in page.text
    member.act(home, "keep")
    assert (member.subscription.status, member.subscription.ends_on) == ("active", None)


def test_who_cancels_now_is_told_that_nothing_is_left_and_is_never_charged_again(member, owner):
    home = member.link("subscription")
    assert member.act(home, "cancel").status_code == 422
    page = member.get(member.act(home, "cancel", when="now").location)
    assert "더 이상 결제되지 않습니다" in page.text
    assert "이미 종료" in member.get(f"{home}/cancel").text
    member.pass_time(timedelta(days=40))
    member.renew()
    assert owner.execute("SELECT count(*) FROM payments").fetchone() == (1,)


def test_forms_of_a_page_that_stayed_open_change_nothing_that_is_over(member):
    home = member.link("subscription")
    pages = {what: member.get(f"{home}/{what}").text for what in ("pause", "cancel")}
    member.act(home, "cancel", when="now")
    for what, page in pages.items():
        form = {"csrf_token": CSRF.search(page)[1], "when": "period_end"}
        answer = member.browser.post(f"{home}/{what}", data=form)
        assert answer.status_code in (303, 409), what
    assert member.subscription.status == "cancelled"


def test_no_form_is_taken_without_its_token(member):
    home, method, consent = map(member.link, ("subscription", "payment_method", "consent"))
    for path in ("pause", "resume", "cancel", "keep", "method", "agree", "consents"):
        assert member.browser.post(f"{home}/{path}", data={"when": "now"}).status_code == 400
    for path in (method, consent, f"{consent}/decline"):
        assert member.browser.post(path, data={"kind": "card"}).status_code == 400
    assert member.subscription.status == "active"


def test_a_link_opens_only_what_it_was_made_for(member, another):
    other = another()
    homes = {kind: member.link(kind) for kind in ("subscription", "payment_method", "consent")}
    for kind, home in homes.items():
        assert member.get(home).status_code == 200, kind
        token = home.rpartition("/")[2]
        for wrong in homes.keys() - {kind}:
            assert member.get(homes[wrong].rpartition("/")[0] + f"/{token}").status_code == 404
    # A link of one customer whose subject is another's, by whatever mistake.
    for kind, number in (
        ("subscription", other.subscription_id),
        ("payment_method", other.method_id),
        ("payment", 999_999),
        ("order", 1),
    ):
        for purpose in homes:
            path = member.link(purpose, subject=(kind, number))
            assert member.get(path).status_code == 404, (purpose, kind)


def test_a_link_that_is_over_ends_in_a_calm_page(member):
    home = member.link("subscription", days=1)
    member.pass_time(timedelta(days=2))
    page = member.get(home)
    assert page.status_code == 404
    assert "기본 요금제" not in page.text
    assert "<h1>" in page.text


def test_a_customer_lifts_no_hold_and_no_suspension_of_ours(member, house):
    home = member.link("subscription")
    with house.app_context(), transaction():
        pausing.hold(member.subscription_id, because="도난 카드 의심", by=WORKER)
        blocking.place(
            member.subscription_id, cause="suspension", billing=True, because="미납", by=WORKER
        )
    page = member.get(home).text
    assert "도난" not in page
    assert f"{home}/resume" not in page
    member.browser.post(f"{home}/resume", data={"csrf_token": CSRF.search(page)[1]})
    assert member.subscription.status == "suspended"


def test_another_card_takes_the_place_of_the_old_one_once_it_is_accepted(member):
    home = member.link("payment_method")
    back = member.register(home)
    assert back.location.endswith("/result")
    waiting = member.get(back.location)
    assert '<noscript><meta http-equiv="refresh"' in waiting.text
    assert member.subscription.payment_method_id == member.method_id
    member.work()
    part = member.get(f"{back.location}?look=2", headers=HX).text
    assert "<html" not in part
    assert "hx-get" not in part
    old, new = member.methods
    assert member.subscription.payment_method_id == new.id
    assert (old.replaced_by_id, new.status) == (new.id, "active")
    assert member.get(home).location.endswith("/result"), "one link registers one method"


def test_what_was_suspended_goes_on_and_what_was_owed_is_collected_with_the_new_card(
    member, gateway, owner
):
    member.pass_time(timedelta(days=31))
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    member.renew()
    for _ in range(4):
        member.pass_time(timedelta(days=4))
        member.work()
    gateway.clear()
    assert member.subscription.status == "suspended"
    home = member.link("payment_method")
    assert "9,900원" in member.get(home).text
    member.register(home)
    member.work()
    member.work()
    assert member.subscription.status == "active"
    paid = "SELECT count(*) FROM payments WHERE status = 'paid'"
    assert owner.execute(paid).fetchone() == (2,)


def test_a_card_that_is_not_accepted_says_why_and_another_may_be_tried(member):
    home = member.link("payment_method")
    member.register(home, state="refused")
    member.work()
    page = member.get(f"{home}/result").text
    assert "정지된 카드입니다" in page
    assert member.subscription.payment_method_id == member.method_id
    assert "정지된 카드입니다" in member.get(home).text
    member.register(home, "transfer")
    member.work()
    assert member.subscription.payment_method_id == member.methods[-1].id
    assert [each.status for each in member.methods] == ["active", "refused", "active"]


def test_a_window_that_was_left_registers_nothing_and_says_so(member):
    home = member.link("payment_method")
    for decision, more in (("cancel", {}), ("decline", {"code": "REJECT_CARD_COMPANY"})):
        answer = member.register(home, decision=decision, **more)
        page = member.get(answer.location)
        assert page.status_code == 200
        assert 'role="alert"' in page.text
    assert len(member.methods) == 1


def test_a_return_that_is_played_again_or_comes_from_two_tabs_registers_once(member):
    home = member.link("payment_method")
    windows = [member.send(home, {"kind": "card"}).location for _ in range(2)]
    first, second = (member.decide(window) for window in windows)
    cookie = member.browser.get_cookie("session")

    def hand(address):
        browser = member.house.test_client()
        browser.set_cookie("session", cookie.value)
        return browser.get(urlsplit(address).path + "?" + urlsplit(address).query)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(hand, [first, second, first, second]))
    assert {answer.status_code for answer in answers} == {303}
    assert len(member.methods) == 2
    member.work()
    member.come_back(second)
    member.work()
    assert [each.status for each in member.methods] == ["active", "active"]


def test_what_belongs_to_another_customer_or_to_nobody_is_not_registered(member, another):
    home, other = member.link("payment_method"), another()
    theirs = other.send(other.link("payment_method"), {"kind": "card"}).location
    foreign = parse_qs(urlsplit(other.decide(theirs)).query)
    path = f"{home}/return/toss/card"
    key = {name: values[0] for name, values in foreign.items()}
    assert member.browser.get(path, query_string=key).status_code == 422
    own = member.send(home, {"kind": "card"}).location
    mine = parse_qs(urlsplit(own).query)["customerKey"][0]
    for bad in (
        {"customerKey": mine, "authKey": "a b"},
        {"customerKey": mine, "authKey": "x" * 301},
        {"customerKey": mine},
        {"authKey": key["authKey"]},
    ):
        assert member.browser.get(path, query_string=bad).status_code == 422, bad
    for elsewhere in ("return/toss/mobile", "return/stripe/card"):
        query = {"customerKey": mine, "authKey": "card.x"}
        assert member.browser.get(f"{home}/{elsewhere}", query_string=query).status_code == 422
    assert len(member.methods) == 1
    # Another's key under our own name: the gateway refuses it, and the page says so.
    member.browser.get(path, query_string={"customerKey": mine, "authKey": key["authKey"]})
    member.work()
    assert [each.status for each in member.methods] == ["active", "refused"]


def test_a_customer_asks_the_gateway_only_so_many_times_by_whichever_link(member):
    home, path = member.link("payment_method"), "return/toss/card"
    window = member.send(home, {"kind": "card"}).location
    mine = parse_qs(urlsplit(window).query)["customerKey"][0]
    used = f"card.w-refused-{'0' * 16}-{'0' * 32}"
    for _ in range(REGISTRATIONS_MAX):
        query = {"customerKey": mine, "authKey": used}
        assert member.browser.get(f"{home}/{path}", query_string=query).status_code == 303
        member.work()
    for link in (home, member.link("payment_method")):
        assert member.browser.get(f"{link}/{path}", query_string=query).status_code == 429


def test_no_key_and_no_link_is_kept_in_clear(member, owner, capsys):
    home = member.link("payment_method")
    window = member.send(home, {"kind": "card"}).location
    back = member.decide(window)
    member.come_back(back)
    auth_key = parse_qs(urlsplit(back).query)["authKey"][0]
    secrets = (auth_key, home.rpartition("/")[2])
    for (name,) in owner.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    ).fetchall():
        for secret in secrets:
            found = owner.execute(
                f"SELECT count(*) FROM {name} t WHERE position(%s in t::text) > 0",  # noqa: S608
                [secret],
            )
            assert found.fetchone() == (0,), name
    said = capsys.readouterr()
    assert not any(secret in said.err + said.out for secret in secrets)


def test_without_a_page_in_its_place_the_vendors_own_script_opens_the_window(member, monkeypatch):
    monkeypatch.setattr(gateway_named("toss"), "_window_url", "")
    page = member.send(member.link("payment_method"), {"kind": "card"})
    assert page.status_code == 200
    told = json.loads(re.search(r'id="window"[^>]*>(.*?)</script>', page.text)[1])
    assert told.keys() == {
        "asks", "clientKey", "customerKey", "method", "successUrl", "failUrl",
    }  # fmt: skip
    assert "js.tosspayments.com" in page.headers["Content-Security-Policy"]


def test_the_way_from_the_subscription_to_the_card_needs_no_second_message(member):
    home = member.link("subscription")
    onward = member.act(home, "method")
    assert onward.status_code == 303
    page = member.get(onward.location)
    assert page.status_code == 200
    assert 'value="card"' in page.text
