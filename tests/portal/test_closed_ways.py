"""Ways that somebody with a payment link, or with none, tried and that must stay closed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import BoundedSemaphore
from urllib.parse import parse_qs, urlsplit

import pytest

from opsapp.checkout.choosing import CHOICES_MAX
from opsapp.gateways import failures
from opsapp.gateways.registry import gateway_named
from opsapp.kernel import turns
from opsapp.kernel.db import transaction
from opsapp.settings import current
from opsapp.subscriptions import pausing
from tests.factories.checkouts import CSRF
from tests.factories.members import WORKER, Member
from tests.portal.test_paying import attempts


@pytest.mark.parametrize("end", ["return", "fail"])
def test_what_no_column_can_hold_is_refused_and_no_fault_of_ours(shopper, end):
    shopper.go_to_window("card")
    for name in ("orderId", "paymentKey", "code"):
        query = {"orderId": shopper.order_id, name: "a\x00b"}
        answer = shopper.browser.get(f"{shopper.home}/{end}/toss", query_string=query)
        assert answer.status_code == 400, name
    assert shopper.stage == "at_window"


def test_a_form_that_is_huge_or_hostile_changes_nothing(shopper):
    token = CSRF.search(shopper.look().text)[1]
    for more, status in (
        ({"bank": "x" * 300_000}, 413),
        ({"method": "card\x00"}, 400),
        ({"bank": "88' OR 1=1"}, 422),
        ({f"a{n}": "b" for n in range(1_001)}, 413),
    ):
        form = {"method": "virtual_account", "csrf_token": token} | more
        answer = shopper.browser.post(
            shopper.home, data=form, content_type="multipart/form-data" if len(more) > 1 else None
        )
        assert answer.status_code == status, more.keys()
    assert shopper.stage == "choose"


def test_a_foreign_host_name_stands_in_no_address_of_ours(shopper):
    evil = {"base_url": "http://evil.example", "headers": {"X-Forwarded-Host": "evil.example"}}
    page = shopper.browser.get(shopper.home, **evil)
    form = {"method": "card", "csrf_token": CSRF.search(page.text)[1]}
    window = shopper.browser.post(shopper.home, data=form, **evil).location
    assert "evil.example" not in page.text + window
    told = parse_qs(urlsplit(window).query)
    for name in ("successUrl", "failUrl"):
        assert told[name][0].startswith(f"{current().public_url}{shopper.home}/")


def test_no_name_of_a_customer_stands_in_an_address(shopper):
    told = parse_qs(urlsplit(shopper.go_to_window("card")).query)
    assert told["orderId"] == [shopper.order_id]
    assert not told.keys() & {"customerName", "customerEmail", "customer"}


def test_a_link_is_kept_nowhere_and_told_to_no_log(shopper, owner, capsys):
    shopper.pay("card")
    shopper.look("/return/toss?orderId=x&amount=1")
    shopper.look("/fail/toss?code=X")
    tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (name,) in tables.fetchall():
        found = owner.execute(
            f"SELECT count(*) FROM {name} t WHERE position(%s in t::text) > 0",  # noqa: S608
            [shopper.token],
        )
        assert found.fetchone() == (0,), name
    said = capsys.readouterr()
    assert "/pay/<token>/return/<gateway>" in said.err
    assert shopper.token not in said.err + said.out


def test_every_answer_under_a_link_keeps_the_link_to_itself(shopper):
    window = shopper.go_to_window("card")
    for path in ("", "/result", "/return/toss", "/fail/toss", "/return/paypal", "/result?left=x"):
        headers = shopper.look(path).headers
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Cache-Control"] == "no-store", path
        assert "unsafe" not in headers["Content-Security-Policy"], path
    assert window


@pytest.mark.parametrize("code", ["\r\nSet-Cookie:%20a=b", "//evil.example", "</script><script>"])
def test_nothing_in_a_code_becomes_a_header_an_address_or_a_script(shopper, code):
    shopper.go_to_window("card")
    answer = shopper.browser.get(f"{shopper.home}/fail/toss", query_string={"code": code})
    assert answer.location.startswith(f"{shopper.home}?left=")
    assert "Set-Cookie" not in answer.headers
    page = shopper.browser.get(answer.location)
    assert code not in page.text


def test_who_comes_back_again_and_again_with_another_amount_fills_no_log(shopper, owner):
    back = shopper.decide(shopper.go_to_window("card"))
    before = owner.execute("SELECT count(*) FROM audit_entries").fetchone()[0]
    for amount in range(1, 6):
        assert shopper.come_back(back, amount=str(amount)).status_code == 422
    after = owner.execute("SELECT count(*) FROM audit_entries").fetchone()[0]
    assert after - before == 1
    assert shopper.come_back(back).status_code == 303


def test_a_link_starts_only_so_many_payments(shopper, monkeypatch):
    monkeypatch.setattr("opsapp.checkout.choosing.CHOICES_MAX", 3)
    for _ in range(3):
        last = shopper.go_to_window("card")
    refused = shopper.choose("transfer")
    assert refused.status_code == 429
    assert "너무 여러 번" in refused.text
    assert attempts(shopper) == ["withdrawn", "withdrawn", "at_window"]
    assert shopper.come_back(shopper.decide(last)).status_code == 303
    shopper.work()
    assert shopper.stage == "paid", "the window that is open still pays"
    assert CHOICES_MAX <= 50


def test_a_gateway_that_hangs_holds_a_page_for_a_moment_only(shopper, monkeypatch):
    async def hang(_request):
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway_named("toss"), "_open_window", hang)
    monkeypatch.setattr(turns, "IN_PERSON_S", 0.05)
    answer = shopper.choose("card")
    assert answer.status_code == 503
    assert 'value="transfer"' in answer.text
    monkeypatch.undo()
    assert shopper.choose("card").status_code == 303, "its place is free again"


def test_who_waits_for_one_gateway_leaves_room_for_whoever_else_comes(shopper, monkeypatch):
    monkeypatch.setattr(turns, "PLACE_PATIENCE_S", 0)
    taken = BoundedSemaphore(turns.IN_PERSON_MAX)
    for _ in range(turns.IN_PERSON_MAX):
        taken.acquire()
    monkeypatch.setattr(turns, "_places", {"stripe": taken})
    assert shopper.choose("card").status_code == 303
    monkeypatch.setattr(turns, "_places", {"toss": taken})
    assert shopper.choose("card").status_code == 503


def test_no_shoppers_stop_a_gateway_by_what_they_bring_back(shopper, open_link, owner, monkeypatch):
    async def refuse(_request):
        return failures.classify([("toss_api", "INVALID_PAYMENT_KEY")])

    monkeypatch.setattr(gateway_named("toss"), "_charge", refuse)
    for each in (shopper, shopper, open_link(), open_link(), open_link()):
        each.pay("card")
        assert each.stage == "failed"
    assert owner.execute("SELECT status FROM gateway_circuits").fetchall() == [("closed",)]


@pytest.mark.parametrize("key", ["", "x" * 201, "../cancel", "결제", "a b", "a\tb", "<b>", "%00"])
def test_a_key_that_no_gateway_gives_out_is_sent_to_none(shopper, key):
    back = shopper.decide(shopper.go_to_window("card"))
    assert shopper.come_back(back, paymentKey=key).status_code == 409
    assert shopper.stage == "at_window"
    assert shopper.come_back(back).status_code == 303


def at_once(calls):
    with ThreadPoolExecutor(len(calls)) as threads:
        return [each.result() for each in [threads.submit(call) for call in calls]]


def test_many_hands_on_one_link_owe_it_once_and_pay_it_once(shopper, owner):
    token = CSRF.search(shopper.look().text)[1]
    cookie = shopper.browser.get_cookie("session")

    def hand():
        browser = shopper.house.test_client()
        browser.set_cookie("session", cookie.value)
        return browser

    def choose(kind):
        form = {"method": kind, "csrf_token": token}
        return hand().post(shopper.home, data=form).status_code

    kinds = ("card", "transfer", "easy_pay", "mobile", "card")
    assert set(at_once([partial(choose, kind) for kind in kinds])) == {303}
    assert owner.execute("SELECT count(*) FROM payments").fetchone() == (1,)
    assert attempts(shopper).count("at_window") == 1
    back = shopper.decide(shopper.go_to_window("card"))
    path = back.removeprefix(current().public_url)
    answers = at_once([partial(hand().get, path) for _ in range(5)])
    assert {answer.status_code for answer in answers} == {303}
    shopper.work()
    assert shopper.stage == "paid"
    assert owner.execute("SELECT count(*) FROM ledger_transfers").fetchone() == (1,)


def test_every_page_of_this_door_says_that_it_is_for_whoever_holds_its_address(house):
    views = [r.endpoint for r in house.url_map.iter_rules() if r.endpoint.startswith("portal_")]
    assert len(views) >= 7
    assert [e for e in views if not hasattr(house.view_functions[e], "permission")] == []


def test_who_owes_a_period_does_not_get_rid_of_it_by_a_pause_of_a_minute(house, gateway, owner):
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    member = Member(house)
    assert member.subscription.status == "past_due"
    home = member.link("subscription")
    assert "미납 금액은 계속" in member.get(f"{home}/pause").text
    assert member.act(home, "pause").status_code == 303
    assert member.act(home, "resume").status_code == 303
    row = member.subscription
    assert (row.status, row.failures_in_row) == ("past_due", 1)
    retries = "SELECT count(*) FROM attempts WHERE status = 'ready'"
    assert owner.execute(retries).fetchone() == (1,)


def test_nobody_goes_on_after_taking_back_the_consent_to_be_charged(house, gateway, owner):
    member = Member(house)
    home = member.link("subscription")
    [(consent_id,)] = owner.execute("SELECT id FROM consents").fetchall()
    assert member.send(f"{home}/consents", {"consent_id": str(consent_id)}).status_code == 303
    assert member.subscription.status == "cancelling"
    refused = member.act(home, "keep")
    assert (refused.status_code, "동의가 철회된" in refused.text) == (409, True)
    assert member.subscription.status == "cancelling"


def test_a_customer_lifts_no_hold_of_ours_and_is_not_told_so(house, gateway):
    member = Member(house)
    home = member.link("subscription")
    with house.app_context(), transaction():
        pausing.hold(member.subscription_id, because="도용 확인", by=WORKER)
    assert member.act(home, "resume").status_code == 409
    assert member.subscription.is_billing_blocked
