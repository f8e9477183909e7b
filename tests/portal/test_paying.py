"""The page behind a payment link, where things go another way than straight on."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import update

from opsapp.checkout import opening
from opsapp.checkout.rules import Stage, stage_of
from opsapp.gateways import registry
from opsapp.gateways.values import Answer, Outcome, Window
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.orders.rules import LegState
from opsapp.payments import rules
from opsapp.payments.models import Attempt, Payment
from tests.factories import payments as make
from tests.factories.checkouts import BY, CSRF

HX = {"HX-Request": "true"}


def attempts(shopper):
    with shopper.house.app_context():
        return make.statuses()


def pass_time(shopper, step):
    with shopper.house.app_context(), transaction():
        clock.set_to(clock.now() + step)


def test_an_unknown_link_is_a_page_that_says_nothing_about_anybody(house, shopper):
    page = house.test_client().get("/pay/" + "x" * 43)
    assert page.status_code == 404
    assert "햇사과" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_who_guesses_links_is_braked_and_a_good_link_opens_also_from_there(house, shopper):
    guesser = house.test_client()
    codes = [guesser.get(f"/pay/guess-{n}").status_code for n in range(11)]
    assert codes == [404] * 10 + [429]
    assert guesser.get(shopper.home).status_code == 200


def test_a_look_at_the_page_owes_nothing_and_opens_no_page_of_another_purpose(house, shopper):
    assert shopper.look().status_code == 200
    assert shopper.stage == "choose"
    assert house.test_client().get(f"/my/refund-account/{shopper.token}").status_code == 404


def test_only_ways_that_somebody_takes_are_offered(open_link):
    page = open_link(amount=Money(500, "USD")).look()
    assert page.status_code == 200
    assert 'name="method"' not in page.text
    assert "이용할 수 있는 결제수단이 없습니다" in page.text


def test_a_form_without_a_choice_or_without_its_token_changes_nothing(shopper):
    token = CSRF.search(shopper.look().text)[1]
    assert shopper.browser.post(shopper.home, data={"method": "card"}).status_code == 400
    for method in ("", "bitcoin"):
        answer = shopper.browser.post(shopper.home, data={"method": method, "csrf_token": token})
        assert answer.status_code == 422
        assert "결제수단을 선택해 주세요" in answer.text.partition('role="alert"')[2]
    assert shopper.stage == "choose"


def test_the_form_works_over_https_where_no_referrer_is_sent(shopper):
    secure = {"base_url": "https://localhost"}
    token = CSRF.search(shopper.browser.get(shopper.home, **secure).text)[1]
    form = {"method": "card", "csrf_token": token}
    assert shopper.browser.post(shopper.home, data=form, **secure).status_code == 303


def test_a_double_submit_is_one_order_and_only_the_last_window_takes_money(shopper):
    first, second = shopper.go_to_window("card"), shopper.go_to_window("card")
    assert attempts(shopper) == ["withdrawn", "at_window"]
    late = shopper.come_back(shopper.decide(first))
    assert late.status_code == 409
    assert "종료된 결제창" in late.text
    assert shopper.come_back(shopper.decide(second)).status_code == 303
    shopper.work()
    assert shopper.stage == "paid"
    with shopper.house.app_context(), transaction():
        assert db.session.query(Payment).count() == 1


def test_the_other_tab_of_a_paid_order_shows_that_it_is_paid(shopper):
    first = shopper.go_to_window("card")
    shopper.pay("card")
    assert shopper.come_back(shopper.decide(first)).location.endswith("/result")
    assert "결제가 완료되었습니다" in shopper.look("/result").text


def test_the_back_button_after_paying_leads_to_the_result(shopper):
    page = shopper.look()
    shopper.pay("card")
    assert shopper.look().location.endswith("/result")
    stale = {"method": "card", "csrf_token": CSRF.search(page.text)[1]}
    assert shopper.browser.post(shopper.home, data=stale).location.endswith("/result")
    assert attempts(shopper) == ["succeeded"]


def test_coming_back_before_the_worker_shows_that_it_is_being_checked_and_then_the_truth(shopper):
    back = shopper.come_back(shopper.decide(shopper.go_to_window("card")))
    first = shopper.browser.get(back.location)
    assert "다시 결제하지 마세요" in first.text
    assert '<noscript><meta http-equiv="refresh"' in first.text
    shopper.work()
    part = shopper.browser.get(f"{shopper.home}/result?look=3", headers=HX)
    assert "결제가 완료되었습니다" in part.text
    assert "<html" not in part.text
    assert "hx-get" not in part.text


def test_the_page_looks_less_often_the_longer_it_waits(shopper):
    shopper.choose("virtual_account")
    waits = []
    for look in (0, 1, 6, 999, -5):
        page = shopper.look(f"/result?look={look}").text
        waits.append(re.search(r"load delay:(\d+)s", page)[1])
    assert waits == ["1", "2", "10", "10", "1"]


def test_a_window_that_was_closed_and_never_returned_from_is_swept_and_may_be_tried_again(shopper):
    shopper.go_to_window("card")
    assert "결제창" in shopper.look("/result").text
    with shopper.house.app_context(), transaction():
        then = clock.now() - rules.WINDOW_LIFE
        db.session.execute(update(Attempt).values(created_at=then, due_at=then))
    shopper.work()
    assert shopper.stage == "failed"
    assert shopper.look().status_code == 200
    shopper.pay("transfer")
    assert shopper.stage == "paid"


def test_an_expired_link_takes_no_choice_but_the_window_that_is_open_still_pays(open_link):
    shopper = open_link(life=timedelta(hours=1))
    token = CSRF.search(shopper.look().text)[1]
    pass_time(shopper, timedelta(minutes=40))
    window = shopper.go_to_window("card")
    pass_time(shopper, timedelta(minutes=21))
    over = shopper.browser.post(shopper.home, data={"method": "transfer", "csrf_token": token})
    assert over.location.endswith("/result")
    assert attempts(shopper) == ["at_window"]
    shopper.come_back(shopper.decide(window))
    shopper.work()
    assert shopper.stage == "paid"


def test_a_link_that_nobody_used_in_time_says_so(shopper):
    pass_time(shopper, opening.LIFE + timedelta(minutes=1))
    page = shopper.browser.get(shopper.home, follow_redirects=True)
    assert "더 이상 결제할 수 없는 링크" in page.text
    assert "hx-get" not in page.text


def test_a_link_that_staff_withdrew_is_unknown(shopper):
    with shopper.house.app_context(), transaction():
        opening.cancel(shopper.checkout_id, by=BY)
    assert shopper.look().status_code == 404


def test_a_window_of_another_link_is_none_of_this_one(open_link):
    mine, theirs = open_link(), open_link()
    back = theirs.decide(theirs.go_to_window("card"))
    mine.go_to_window("card")
    foreign = mine.come_back(back.replace(theirs.token, mine.token))
    assert foreign.status_code == 409
    assert theirs.stage == mine.stage == "at_window"


def test_an_amount_that_is_missing_or_no_number_differs(shopper):
    back = shopper.decide(shopper.go_to_window("card"))
    for amount in ("", "60000.0", "-60000", "６００００", "1" * 40, "0"):
        assert shopper.come_back(back, amount=amount).status_code == 422
    assert shopper.browser.get(back.replace("amount=", "sum=")).status_code == 422
    assert attempts(shopper) == ["at_window"]


def test_an_address_of_a_gateway_that_we_do_not_know_is_none(shopper):
    shopper.go_to_window("card")
    assert shopper.look("/return/paypal").status_code == 404
    assert shopper.look("/fail/paypal").status_code == 404


def test_what_a_failure_address_says_is_never_shown_as_it_is(shopper):
    shopper.go_to_window("card")
    page = shopper.browser.get(
        f"{shopper.home}/fail/toss?code=<b>call+0900</b>&message=pay+here", follow_redirects=True
    )
    assert "0900" not in page.text
    assert "결제가 완료되지 않았습니다" in page.text


def test_a_gateway_that_cannot_open_its_window_leaves_the_choice(shopper, monkeypatch):
    async def away(_request):
        return Answer(Outcome.NOT_SENT, "no connection")

    monkeypatch.setattr(registry.gateway_named("toss"), "_open_window", away)
    answer = shopper.choose("card")
    assert answer.status_code == 503
    assert 'value="transfer"' in answer.text


@pytest.mark.parametrize(
    ("vendor", "script", "elsewhere"),
    [
        ("toss", "https://js.tosspayments.com", "stripe"),
        ("portone", "https://cdn.portone.io", "tosspayments"),
        ("stripe", "https://js.stripe.com", "portone"),
    ],
)
def test_only_the_page_that_needs_a_vendors_script_allows_it(
    shopper, monkeypatch, vendor, script, elsewhere
):
    fields = {"orderName": "</script><b>"}
    window = Window(script_url=f"{script}/v9", vendor=vendor, fields=fields)

    async def scripted(_request):
        return Answer(Outcome.PREPARED, window=window)

    monkeypatch.setattr(registry.gateway_named("toss"), "_open_window", scripted)
    plain = shopper.look().headers["Content-Security-Policy"]
    assert script not in plain
    assert "unsafe" not in plain
    page = shopper.choose("card")
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'self' {script};" in policy
    assert elsewhere not in policy
    assert f'data-vendor="{vendor}"' in page.text
    assert "</script><b>" not in page.text


@pytest.mark.parametrize(
    ("link", "is_over", "legs", "stage"),
    [
        ("open", False, "", Stage.CHOOSE),
        ("open", True, "", Stage.OVER),
        ("cancelled", False, "", Stage.OVER),
        ("open", False, "at_window", Stage.AT_WINDOW),
        ("expired", True, "at_window", Stage.AT_WINDOW),
        ("open", False, "checking", Stage.CHECKING),
        ("expired", True, "checking", Stage.CHECKING),
        ("open", False, "contact", Stage.CONTACT),
        ("open", False, "awaiting_deposit", Stage.DEPOSIT),
        ("expired", True, "awaiting_deposit", Stage.DEPOSIT),
        ("open", False, "failed", Stage.FAILED),
        ("expired", True, "failed", Stage.OVER),
        ("cancelled", True, "unpaid", Stage.OVER),
        ("paid", True, "paid", Stage.PAID),
        ("paid", True, "partly_refunded", Stage.PAID),
        ("paid", True, "refunded", Stage.REFUNDED),
        ("paid", True, "paid free", Stage.PAID),
        ("open", False, "paid checking", Stage.CHECKING),
        ("open", False, "failed checking", Stage.CHECKING),
        ("open", False, "failed contact", Stage.CONTACT),
        ("open", False, "paid failed", Stage.FAILED),
        ("expired", True, "paid failed", Stage.PARTLY),
        ("open", False, "paid released", Stage.PARTLY),
        ("open", False, "free released", Stage.PARTLY),
        ("open", False, "released released", Stage.OVER),
    ],
)
def test_a_shopper_may_choose_only_where_no_money_can_have_moved(link, is_over, legs, stage):
    seen = stage_of(link, is_over=is_over, legs=[LegState(leg) for leg in legs.split()])
    assert seen is stage
