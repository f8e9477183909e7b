"""A cart of goods and subscriptions: placed at once, charged in legs, each with its own fate."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from opsapp.catalog.versioning import add_version
from opsapp.checkout import paying_again
from opsapp.checkout.errors import ConsentsMissing, NeedsRegisteredMethod, PriceChanged
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.orders import releasing
from opsapp.orders.errors import BelowMinimum, OrderDiffers
from opsapp.orders.models import Order, OrderLeg, OrderLine
from opsapp.orders.placing import LineWish
from opsapp.payments import charging
from opsapp.payments.errors import NotRetryable
from opsapp.payments.models import Payment
from opsapp.points.errors import NotEnoughPoints
from opsapp.recovery.models import Recovery
from opsapp.subscriptions.models import Subscription, SubscriptionBlock
from tests.factories import payments as make
from tests.factories.buyers import Buyer, charge, picture, states

BY = make.BY
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}


@pytest.fixture
def buyer(app):
    return Buyer()


def count(model):
    with transaction():
        return db.session.scalars(select(func.count()).select_from(model)).one()


def rows(statement):
    with transaction():
        return db.session.execute(statement).all()


def open_blocks():
    held = select(SubscriptionBlock.cause, SubscriptionBlock.blocks_service)
    return [tuple(row) for row in rows(held.where(SubscriptionBlock.lifted_at.is_(None)))]


def test_a_mixed_cart_is_one_order_in_two_legs_however_often_it_is_placed(buyer):
    order_id = buyer.place()
    assert buyer.place() == order_id
    assert (count(Order), count(OrderLeg), count(OrderLine), count(Payment)) == (1, 2, 3, 2)
    found = picture(order_id)
    assert found.order.amount == Money(44_900, "KRW")
    assert [(leg.leg.amount.minor, leg.leg.points, leg.leg.money.minor) for leg in found.legs] == [
        (35_000, 3_000, 32_000),
        (9_900, 0, 9_900),
    ]
    assert [line.amount_minor for line in found.lines] == [23_000, 12_000, 9_900]
    assert buyer.balance() == (2_000, 3_000)
    assert open_blocks() == [("first_period", True)]


def test_paid_whole_its_points_are_spent_and_its_subscription_runs(buyer, gateway):
    order_id = buyer.place()
    charge(order_id)
    assert states(order_id) == ("paid", {"one_off": "paid", "subscription": "paid"})
    assert buyer.balance() == (2_000, 0)
    assert open_blocks() == []
    assert [
        tuple(r) for r in rows(select(Subscription.status, Subscription.next_period_index))
    ] == [("active", 1)]


def test_a_decline_of_all_legs_holds_the_order_and_its_points(buyer, gateway):
    order_id = buyer.place()
    gateway.faults(**NO_FUNDS)
    charge(order_id)
    assert states(order_id) == ("unpaid", {"one_off": "failed", "subscription": "failed"})
    assert buyer.balance() == (2_000, 3_000)
    assert open_blocks() == [("first_period", True)]
    with transaction():
        assert releasing.release_due() == 0
        clock.set_to(clock.now() + timedelta(days=3, minutes=1))
    with transaction():
        assert releasing.release_due() == 2
    assert states(order_id) == ("released", {"one_off": "released", "subscription": "released"})
    assert buyer.balance() == (5_000, 0)
    assert [row.status for row in rows(select(Subscription.status))] == ["cancelled"]


def test_one_legs_failure_leaves_the_other_alone_and_is_the_orders_to_follow(buyer, gateway):
    order_id = buyer.place()
    of_kind = {leg.leg.kind: leg.leg.payment_id for leg in picture(order_id).legs}
    gateway.faults(**NO_FUNDS)
    charging.execute_attempts(make.attempt_ids([of_kind["subscription"]]), by=BY)
    gateway.clear()
    charge(order_id)
    assert states(order_id) == ("partly_paid", {"one_off": "paid", "subscription": "failed"})
    assert [leg.next_step.value for leg in picture(order_id).legs] == ["none", "choose"]
    assert (buyer.balance(), open_blocks()) == ((2_000, 0), [("first_period", True)])
    assert (count(Recovery), [row.status for row in rows(select(Subscription.status))]) == (
        0,
        ["active"],
    )
    with transaction():
        clock.set_to(clock.now() + timedelta(days=4))
    with transaction():
        assert releasing.release_due() == 1
    assert states(order_id) == ("partly_paid", {"one_off": "paid", "subscription": "released"})
    assert [row.status for row in rows(select(Subscription.status))] == ["cancelled"]


def test_nobody_pays_again_and_points_stay_while_an_answer_is_uncertain(buyer, gateway):
    order_id = buyer.place(lines=buyer.lines(recurs=False))
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    charge(order_id)
    assert states(order_id) == ("checking", {"one_off": "checking"})
    with pytest.raises(NotRetryable), transaction():
        paying_again.pay_again(order_id, payment_method_id=buyer.method_id, by=BY)
    with transaction():
        clock.set_to(clock.now() + timedelta(days=4))
    with transaction():
        assert releasing.release_due() == 0
    assert buyer.balance() == (2_000, 3_000)


def test_an_order_that_is_not_held_gives_a_failed_leg_up_at_once(buyer, gateway):
    order_id = buyer.place(on_failure="release")
    gateway.faults(**NO_FUNDS)
    charge(order_id)
    assert states(order_id)[0] == "released"
    assert buyer.balance() == (5_000, 0)


def test_an_order_that_is_retried_takes_the_same_card_after_an_hour(buyer, gateway):
    order_id = buyer.place(on_failure="retry")
    gateway.faults(**NO_FUNDS)
    charge(order_id)
    found = picture(order_id)
    assert [(leg.state, leg.next_step) for leg in found.legs] == [("failed", "retry")] * 2
    assert {leg.next_at - clock.now() > timedelta(minutes=59) for leg in found.legs} == {True}
    gateway.clear()
    make.make_everything_due()
    charge(order_id)
    assert states(order_id)[0] == "paid"


def test_what_points_pay_whole_needs_no_payment(buyer):
    line = LineWish("one_off", "스티커", 1, Money(3_000, "KRW"))
    order_id = buyer.place(lines=(line,), payment_method_id=None)
    assert states(order_id) == ("paid", {"one_off": "paid"})
    assert (count(Payment), buyer.balance()) == (0, (2_000, 0))


def test_a_trial_is_a_leg_with_nothing_to_pay(buyer):
    tomorrow, price = clock.seoul_date(clock.now()) + timedelta(days=1), Money(9_900, "KRW")
    with transaction():
        add_version(buyer.plan_id, amount=price, effective_on=tomorrow, trial_days=14, by=BY)
    with transaction():
        clock.set_to(clock.now() + timedelta(days=1))
    line = LineWish("subscription", "맛보기", 1, price, plan_id=buyer.plan_id)
    order_id = buyer.place(lines=(line,), points=0)
    assert states(order_id) == ("paid", {"subscription": "free"})
    assert (count(Payment), picture(order_id).order.amount_minor) == (0, 0)
    assert [row.status for row in rows(select(Subscription.status))] == ["trialing"]
    assert open_blocks() == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"points": 5_001}, NotEnoughPoints),
        ({"points": 34_950}, BelowMinimum),
        ({"payment_method_id": None, "method_kind": "card"}, NeedsRegisteredMethod),
        ({"consents": ()}, ConsentsMissing),
    ],
)
def test_a_cart_that_cannot_be_leaves_nothing_behind(buyer, changes, error):
    with pytest.raises(error):
        buyer.place(**changes)
    assert (count(Order), count(Payment), count(Subscription)) == (0, 0, 0)
    assert buyer.balance()[1] == 0


def test_a_plan_that_costs_more_by_now_is_not_sold_at_the_old_price(buyer):
    old = LineWish("subscription", "매달 차", 1, Money(8_900, "KRW"), plan_id=buyer.plan_id)
    with pytest.raises(PriceChanged):
        buyer.place(lines=(old,), points=0)


def test_the_number_of_another_cart_is_refused(buyer):
    buyer.place()
    for other in ({"points": 0}, {"lines": buyer.lines(recurs=False)}):
        with pytest.raises(OrderDiffers):
            buyer.place(**other)
    assert count(Order) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "gift"}, "kind"),
        ({"quantity": 0}, "quantity"),
        ({"unit_price": Money(0, "KRW")}, "unit_price"),
        ({"shipping_minor": -1}, "shipping"),
        ({"tax_free_minor": 6_001}, "tax_free"),
        ({"plan_id": 1}, "plan"),
        ({"kind": "subscription"}, "plan"),
        ({"title": " "}, "title"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_field(changes, field):
    line = {"kind": "one_off", "title": "동화책", "quantity": 1, "unit_price": Money(6_000, "KRW")}
    with pytest.raises(Invalid) as refused:
        LineWish(**line | changes)
    assert refused.value.field == field
