"""The page behind a payment link for carts: goods, subscriptions, points, agreements, cards."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from opsapp.catalog import versioning
from opsapp.catalog.models import Plan
from opsapp.checkout.rules import check_return_url
from opsapp.consents import publishing
from opsapp.consents.models import Consent
from opsapp.consents.queries import list_versions
from opsapp.consents.rules import Wording
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.orders.models import Order
from opsapp.payments.models import Attempt
from opsapp.subscriptions.models import Subscription
from tests.factories.carts import tea
from tests.factories.checkouts import BY, CONSENT, mixed, once
from tests.portal.test_paying import HX, pass_time

BACK = "http://127.0.0.1:9999/orders/7"


@pytest.fixture
def mixed_cart(open_link):
    """5,000 points and a registered card are the shopper's."""
    return open_link(basket=mixed, points=5_000, has_card=True, return_url=BACK)


def count(shopper, model):
    with shopper.house.app_context(), transaction():
        return db.session.scalars(select(func.count()).select_from(model)).one()


def change_the_plan_tomorrow(shopper, amount, **more):
    with shopper.house.app_context(), transaction():
        plan_id = db.session.scalars(select(func.max(Plan.id))).one()
        tomorrow = seoul_date(clock.now()) + timedelta(days=1)
        versioning.add_version(plan_id, amount=amount, effective_on=tomorrow, by=BY, **more)


def test_a_mixed_cart_tells_what_is_paid_now_and_what_again_and_again(mixed_cart):
    page = mixed_cart.look().text
    now = mixed_cart.picture()
    for said in (
        "햇사과 5kg",
        "통밀가루",
        "차 정기배송",
        "32,000원",
        "9,900원",
        "41,900원",
        "매월",
    ):
        assert said in page
    for day in now.quote.recurring[0].next_on:
        assert day.isoformat() in page
    assert "보유 5,000P" in page
    assert "(필수)" in page
    assert not re.search(r'name="consent"[^>]*checked', page)
    assert 'value="transfer"' not in page  # what recurs needs a registered method
    assert 'value="new-card"' in page
    assert BACK in page


def test_without_script_the_server_works_points_out_and_nothing_is_owed(mixed_cart):
    form = {"act": "recalculate", "points": "3,000"}
    page = mixed_cart.choose(mixed_cart.card_ref, **form)
    assert page.status_code == 200
    assert "38,900원 결제하기" in page.text
    assert 'value="3,000"' in page.text
    for wrong, said in (("5,001", "최대 5,000포인트"), ("-1", "숫자로"), ("１", "숫자로")):
        page = mixed_cart.choose(mixed_cart.card_ref, **form | {"points": wrong})
        assert page.status_code == 422
        assert said in page.text
    assert count(mixed_cart, Order) == 0


def test_nothing_is_placed_before_the_agreement_is_ticked_by_hand(mixed_cart):
    page = mixed_cart.choose(mixed_cart.card_ref, points="3000")
    assert page.status_code == 422
    assert "동의가 빠졌습니다" in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'value="3,000"' in page.text  # what was typed is kept
    assert (count(mixed_cart, Order), mixed_cart.points.reserved) == (0, 0)


def test_a_double_submit_two_tabs_and_the_back_button_place_one_order(mixed_cart):
    page = mixed_cart.look().text
    form = mixed_cart.filled_in(page) | {"consent": CONSENT.findall(page)}
    form |= {"method": mixed_cart.card_ref, "points": "3000"}
    for _ in range(2):
        answer = mixed_cart.browser.post(mixed_cart.home, data=form)
        assert answer.location.endswith("/result")
    assert mixed_cart.legs == ["checking", "checking"]
    page = mixed_cart.look()
    assert page.location.endswith("/result")
    mixed_cart.work()
    assert mixed_cart.legs == ["paid", "paid"]
    page = mixed_cart.look("/result").text
    assert "결제가 완료되었습니다" in page
    assert "3,000포인트 + 29,000원" in " ".join(page.split())
    assert BACK in page
    assert [count(mixed_cart, each) for each in (Order, Attempt, Subscription)] == [1, 2, 1]
    assert mixed_cart.points.available == 2_000


def test_the_agreement_is_kept_in_the_words_and_the_language_that_were_on_the_screen(open_link):
    shopper = open_link(basket=mixed, has_card=True, locale="en")
    page = shopper.look().text
    assert "(required)" in page
    [shown] = CONSENT.findall(page)
    shopper.agree_and_pay()
    with shopper.house.app_context(), transaction():
        consent = db.session.scalars(select(Consent)).one()
        assert (consent.locale, consent.text_hash, consent.channel) == ("en", shown, "checkout")


def test_a_price_that_changed_meanwhile_is_shown_and_asked_for_again(mixed_cart):
    before = mixed_cart.look().text
    form = mixed_cart.filled_in(before) | {"consent": CONSENT.findall(before)}
    form |= {"method": mixed_cart.card_ref}
    change_the_plan_tomorrow(mixed_cart, Money(10_900, "KRW"))
    pass_time(mixed_cart, timedelta(days=1))
    page = mixed_cart.browser.post(mixed_cart.home, data=form)
    assert page.status_code == 409
    assert "41,900원에서 42,900원" in page.text
    assert not re.search(r'name="consent"[^>]*checked', page.text)
    assert count(mixed_cart, Order) == 0
    assert mixed_cart.agree_and_pay().location.endswith("/result")
    mixed_cart.work()
    assert mixed_cart.legs == ["paid", "paid"]


def test_other_terms_than_those_that_were_ticked_are_not_agreed_to(mixed_cart):
    page = mixed_cart.look().text
    form = mixed_cart.filled_in(page) | {"consent": CONSENT.findall(page)}
    with mixed_cart.house.app_context(), transaction():
        [old] = list_versions("recurring_payment")
        today = seoul_date(clock.now())
        texts = (old.title_ko, old.text_ko + " 새로", old.title_en, old.text_en + " new")
        publishing.publish_terms(
            "recurring_payment", Wording(*texts), effective_from=today, because="문구 보완",
            seen_version=1, by=BY,
        )  # fmt: skip
    again = mixed_cart.browser.post(mixed_cart.home, data=form | {"method": mixed_cart.card_ref})
    assert again.status_code == 422
    assert "새로" in again.text
    assert count(mixed_cart, Order) == 0


def test_what_points_leave_must_be_enough_for_the_way_that_pays_it(open_link):
    shopper = open_link(basket=once, points=40_000)
    page = shopper.choose("card", points="31,950")
    assert page.status_code == 422
    assert "50원" in page.text
    assert (count(shopper, Order), shopper.points.available) == (0, 40_000)


def test_points_alone_pay_for_goods_without_any_other_way(open_link):
    shopper = open_link(basket=once, points=40_000)
    assert shopper.choose("", points="32000").location.endswith("/result")
    assert (shopper.stage, shopper.legs) == ("paid", ["paid"])
    assert "결제가 완료되었습니다" in shopper.look("/result").text
    assert (shopper.points.available, count(shopper, Attempt)) == (8_000, 0)


def test_a_card_is_registered_on_the_way_and_points_are_kept(open_link):
    shopper = open_link(basket=mixed, points=5_000)
    address = shopper.register(points="3000")
    for _ in range(2):  # told twice, it is the same card
        back = shopper.come_back(address)
        assert back.status_code == 303, back.text
    assert "등록하고 있습니다" in shopper.browser.get(back.location).text
    shopper.work()
    assert [method.status for method in shopper.methods] == ["active"]
    on = shopper.browser.get(back.location, headers=HX).headers["HX-Redirect"]
    page = shopper.browser.get(on).text
    assert re.search(rf'value="{shopper.card_ref}" checked', page)
    assert 'value="3,000"' in page.replace('value="3000"', 'value="3,000"')
    assert count(shopper, Order) == 0
    shopper.agree_and_pay(points="3000")
    shopper.work()
    assert shopper.legs == ["paid", "paid"]


def test_a_registration_that_was_left_or_is_anothers_registers_nothing(open_link):
    shopper, other = open_link(basket=mixed), open_link(basket=mixed)
    left = shopper.come_back(shopper.register("cancel"))
    page = shopper.browser.get(left.location)
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    foreign = other.register().replace(other.token, shopper.token)
    assert shopper.come_back(foreign).status_code == 422
    assert shopper.methods == []
    assert shopper.look("/registering").location.endswith(shopper.home)


def test_who_comes_back_with_a_card_after_the_link_is_over_is_told_so(open_link):
    shopper = open_link(basket=mixed, life=timedelta(hours=1))
    address = shopper.register()
    pass_time(shopper, timedelta(hours=2))
    back = shopper.come_back(address)
    shopper.work()
    page = shopper.browser.get(back.location, follow_redirects=True)
    assert "더 이상 결제할 수 없는 링크" in page.text
    assert count(shopper, Order) == 0


def test_a_declined_cart_is_paid_another_way_and_nothing_is_paid_twice(mixed_cart, gateway):
    gateway.faults(seed=1, declines={"REJECT_CARD_PAYMENT": 1.0})
    mixed_cart.agree_and_pay(points="3000")
    mixed_cart.work()
    gateway.clear()
    assert mixed_cart.legs == ["failed", "failed"]
    page = mixed_cart.look("/result").text
    assert page.count('class="state bad"') == 2
    form = mixed_cart.look()
    assert form.status_code == 200
    assert "38,900원 결제하기" in form.text
    assert 'name="points"' not in form.text  # they are set aside as they were
    assert mixed_cart.points.reserved == 3_000
    assert mixed_cart.agree_and_pay().location.endswith("/result")
    mixed_cart.work()
    assert mixed_cart.legs == ["paid", "paid"]
    assert mixed_cart.points.available == 2_000


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://shop.example/orders/7?x=1", True),
        ("http://127.0.0.1:9999/orders", True),
        ("https://shop.example.evil.example/", False),
        ("https://user:pass@shop.example/", False),
        ("http://shop.example/", False),
        ("javascript:alert(1)", False),
        ("//shop.example/", False),
        ("https://shop.example\\@evil.example/", False),
        ("https://[::1", False),
    ],
)
def test_a_shopper_is_led_back_to_a_page_of_the_shop_and_to_nobody_else(url, allowed):
    try:
        check_return_url(url, origins=["https://shop.example"], allows_loopback=True)
        assert allowed
    except Invalid:
        assert not allowed
    if allowed and url.startswith("http:"):
        with pytest.raises(Invalid):
            check_return_url(url, origins=["https://shop.example"], allows_loopback=False)


def test_a_leg_that_failed_is_paid_by_itself_and_the_other_is_left_alone(mixed_cart, gateway):
    mixed_cart.agree_and_pay(points="3000")
    goods, tea = (leg.payment_id for leg in mixed_cart.picture().legs)
    mixed_cart.work(goods)
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    mixed_cart.work(tea)
    gateway.clear()
    assert mixed_cart.legs == ["paid", "failed"]
    assert "주문의 일부가 아직 결제되지 않았습니다" in mixed_cart.look("/result").text
    page = mixed_cart.look().text
    assert "9,900원 결제하기" in page
    assert "−32,000원" in page  # paid already
    mixed_cart.agree_and_pay()
    mixed_cart.work()
    assert mixed_cart.legs == ["paid", "paid"]
    assert count(mixed_cart, Attempt) == 3


def test_what_is_free_today_says_so_and_asks_for_a_method_all_the_same(open_link):
    shopper = open_link(basket=lambda: (tea(),), has_card=True)
    change_the_plan_tomorrow(shopper, Money(9_900, "KRW"), trial_days=14)
    pass_time(shopper, timedelta(days=1))
    page = shopper.look().text
    assert "14일 무료" in page
    assert "무료 체험 시작하기" in page
    assert shopper.agree_and_pay(method="").status_code == 422
    assert shopper.agree_and_pay().location.endswith("/result")
    assert (shopper.stage, shopper.legs) == ("paid", ["free"])
    assert "오늘 결제할 금액은 없습니다" in shopper.look("/result").text
    assert count(shopper, Attempt) == 0


def test_a_form_whose_session_is_over_comes_back_filled_anew_and_charges_nothing(mixed_cart):
    page = mixed_cart.look().text
    form = mixed_cart.filled_in(page) | {"consent": CONSENT.findall(page)}
    mixed_cart.browser.delete_cookie("session")
    late = mixed_cart.browser.post(mixed_cart.home, data=form | {"method": mixed_cart.card_ref})
    assert late.status_code == 400
    assert "페이지를 연 지 오래되어" in late.text
    assert 'name="method"' in late.text
    assert count(mixed_cart, Order) == 0
