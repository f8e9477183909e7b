"""Ways around a payment link that were open once."""

import pytest

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.checkout import choosing, opening, queries
from opsapp.checkout.choosing import Choice
from opsapp.checkout.errors import CheckoutOver, OrderRefTaken
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.orders.placing import LineWish
from tests.factories import payments as make
from tests.factories.buyers import Buyer

BY = make.BY


@pytest.fixture
def buyer(app):
    return Buyer()


def open_link(buyer, *lines, **more):
    wish = opening.NewCheckout(buyer.customer_id, "햇사과", lines=lines, **more)
    with transaction():
        return opening.open_checkout(wish, by=BY)[0]


def test_a_link_that_points_pay_whole_is_over_at_once(buyer):
    checkout_id = open_link(buyer, LineWish("one_off", "스티커", 1, Money(3_000, "KRW")))
    with transaction():
        choosing.choose(checkout_id, Choice(points=3_000), by=BY)
    with transaction():
        assert queries.get_checkout(checkout_id).status == "paid"
    with pytest.raises(CheckoutOver), transaction():
        choosing.choose(checkout_id, Choice(method_kind="card"), by=BY)


def test_the_number_of_a_link_is_no_other_orders(buyer):
    open_link(buyer, *buyer.lines(), order_ref=buyer.order_ref)
    for lines in (buyer.lines(), buyer.lines(recurs=False)):
        with pytest.raises(OrderRefTaken):
            buyer.place(lines=lines, by_channel="api")


def test_a_link_asks_for_one_currency(buyer):
    wish = NewPlan("dollars", "차", Money(990, "USD"))
    with transaction():
        plan_id = add_plans([wish], by=BY)["dollars"]
    tea = LineWish("subscription", "차", 1, Money(990, "KRW"), plan_id=plan_id)
    with pytest.raises(Invalid) as refused:
        open_link(buyer, *buyer.lines(recurs=False), tea)
    assert refused.value.field == "lines"
