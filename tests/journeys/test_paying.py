"""All five ways to pay by a link: our page, the gateway's window, the way back and the books."""

import pytest

from opsapp.gateways import registry
from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.kernel.db import transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import refunding
from opsapp.payments.errors import OnlyWhole
from opsapp.payments.refunding import RefundWish
from tests.factories import accounts, payments as make
from tests.factories.checkouts import BY, WON
from tests.portal.conftest import (
    gateway as gateway,
    house as house,
    open_link as open_link,
    settings as settings,
    shopper as shopper,
)


@pytest.mark.parametrize(
    ("kind", "chosen", "seen"),
    [
        ("card", {"installmentPlanMonths": "3"}, ({"instalment_months": 3}, "3개월")),
        ("transfer", {"bank": "88"}, ({"issuer": "88"}, "계좌이체")),
        (
            "easy_pay",
            {"provider": "네이버페이", "walletPoints": "500", "walletMoney": "9500"},
            ({"provider": "네이버페이", "card_minor": 50_000, "points_minor": 500}, "네이버페이"),
        ),
        ("mobile", {"carrier": "SKT"}, ({"number": "010-****-0000"}, "휴대폰")),
    ],
)
def test_what_is_paid_at_the_window_stands_in_our_books(house, shopper, kind, chosen, seen):
    paid_with, told = seen
    page = shopper.pay(kind, **chosen)
    picture = shopper.picture()
    assert (picture.stage, shopper.payment.status) == ("paid", "paid")
    assert shopper.payment.captured_minor == WON.minor
    assert paid_with.items() <= picture.latest.paid_with.items()
    assert told in page.text
    assert "hx-get" not in page.text
    with house.app_context():
        assert accounts.violations() == {}


def test_a_deposit_on_the_account_of_the_chosen_bank_pays_the_order(house, shopper, gateway):
    answer = shopper.choose("virtual_account", bank="04")
    assert answer.location.endswith("/result")
    assert shopper.stage == "checking"
    shopper.work()
    picture, page = shopper.picture(), shopper.look("/result")
    assert picture.stage == "deposit"
    assert picture.account.number in page.text
    assert "국민은행" in page.text
    gateway.deposit(orderId=shopper.order_id)
    shopper.make_due()
    shopper.work()
    assert shopper.stage == "paid"
    with house.app_context():
        assert accounts.violations() == {}


def test_a_payment_by_mobile_phone_is_refunded_whole_or_not_at_all(house, shopper):
    shopper.pay("mobile")
    wish = RefundWish(new_ref("form"), Money(1_000, "KRW"), WON.minor, "고객 요청")
    with house.app_context(), transaction(), pytest.raises(OnlyWhole):
        refunding.request_refund(shopper.payment_id, wish, by=BY)


def test_a_window_that_was_cancelled_leads_back_to_the_choice_and_another_way_pays(house, shopper):
    back = shopper.come_back(shopper.decide(shopper.go_to_window("card"), "cancel"))
    page = shopper.browser.get(back.location)
    assert page.status_code == 200
    assert "취소" in page.text
    assert 'value="transfer"' in page.text
    shopper.pay("transfer")
    assert shopper.stage == "paid"
    with house.app_context():
        assert accounts.violations() == {}


def test_a_card_that_was_declined_is_told_in_plain_words_and_may_be_tried_again(shopper, gateway):
    back = shopper.decide(shopper.go_to_window("card"))
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    assert shopper.come_back(back).status_code == 303
    shopper.work()
    page = shopper.look("/result")
    assert shopper.stage == "failed"
    assert "결제되지 않았습니다" in page.text
    gateway.clear()
    shopper.pay("card")
    assert shopper.stage == "paid"


def test_a_tampered_amount_is_refused_on_return_and_the_true_one_still_pays(shopper):
    back = shopper.decide(shopper.go_to_window("card"))
    refused = shopper.come_back(back, amount="100")
    assert refused.status_code == 422
    assert "금액" in refused.text
    shopper.work()
    assert shopper.stage == "at_window"
    assert shopper.come_back(back).status_code == 303
    shopper.work()
    assert shopper.stage == "paid"


def test_a_return_played_again_charges_once(house, shopper, gateway):
    back = shopper.decide(shopper.go_to_window("card"))
    for _ in range(3):
        assert shopper.come_back(back).location.endswith("/result")
        shopper.work()
    assert len(gateway.payments(shopper.order_id)) == 1
    assert shopper.payment.captured_minor == WON.minor
    with house.app_context():
        assert accounts.violations() == {}


@pytest.fixture
def two_gateways(house):
    """The same sandbox under a second name, with a window of its own address."""
    first = registry.gateway_named("toss")
    kind = type("SecondGateway", (type(first),), {"name": "second"})
    second = kind.__new__(kind)
    second.__dict__.update(first.__dict__)
    registry.connect([first, second])
    return first, second


def confirming(gateway, answer, monkeypatch):
    async def fixed(_request):
        return answer

    monkeypatch.setattr(gateway, "_charge", fixed)


CLOSED = Answer(
    Outcome.DECLINED,
    "service hours",
    code="NOT_AVAILABLE_BANK",
    failure_class=FailureClass.GATEWAY,
    retry_mode="later",
)


def test_the_next_try_goes_elsewhere_when_the_first_gateway_failed_by_its_own_fault(
    shopper, two_gateways, monkeypatch
):
    confirming(two_gateways[0], CLOSED, monkeypatch)
    shopper.pay("card")
    assert shopper.stage == "failed"
    shopper.go_to_window("card")
    assert shopper.picture().latest.gateway_name == "second"


def test_nobody_else_is_asked_while_the_first_may_have_charged(shopper, two_gateways, monkeypatch):
    confirming(two_gateways[0], Answer(Outcome.UNKNOWN, "no readable answer"), monkeypatch)
    page = shopper.pay("card")
    assert shopper.stage == "checking"
    assert "다시 결제하지 마세요" in page.text
    again = shopper.browser.get(shopper.home)
    assert again.location.endswith("/result")
    with shopper.house.app_context():
        assert make.statuses() == ["unknown"]
