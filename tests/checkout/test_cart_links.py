"""A link to a mixed cart: what was seen is what is charged, and each leg can be paid again."""

import pytest
from sqlalchemy import func, select

from opsapp.checkout import asking_consents, choosing, keeping, opening, pricing, queries
from opsapp.checkout.choosing import Choice
from opsapp.checkout.errors import (
    ConsentsMissing,
    NeedsRegisteredMethod,
    OrderRefTaken,
    PointsSettled,
    PriceChanged,
)
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.orders import placing
from opsapp.orders.errors import BelowMinimum
from opsapp.orders.models import Order
from opsapp.orders.placing import LineWish
from opsapp.payments.models import Payment
from opsapp.subscriptions.models import Subscription
from tests.factories import payments as make
from tests.factories.buyers import Buyer, charge, picture, states

BY = make.BY
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}


@pytest.fixture
def buyer(app):
    return Buyer()


def open_link(buyer, **more):
    wish = opening.NewCheckout(buyer.customer_id, "햇사과 외 2건", lines=buyer.lines(), **more)
    with transaction():
        return opening.open_checkout(wish, by=BY)[0]


def ticked(checkout_id):
    with transaction():
        lines = keeping.lines_of(queries.get_checkout(checkout_id))
        quote = pricing.price(lines, today=clock.seoul_date(clock.now()))
        return frozenset(each.key for each in asking_consents.list_needed(quote, locale="ko"))


def choose(checkout_id, **choice):
    with transaction():
        return choosing.choose(checkout_id, Choice(**choice), by=BY)


def status(checkout_id):
    with transaction():
        return queries.get_checkout(checkout_id).status


def count(model):
    with transaction():
        return db.session.scalars(select(func.count()).select_from(model)).one()


def test_a_cart_is_paid_by_a_registered_card_with_what_was_seen_and_ticked(buyer, gateway):
    checkout_id = open_link(buyer)
    choice = {"payment_method_id": buyer.method_id, "points": 3_000, "seen_now_minor": 44_900}
    order_id = choose(checkout_id, consents=ticked(checkout_id), **choice)
    assert status(checkout_id) == "open"
    charge(order_id)
    assert states(order_id)[0] == "paid"
    assert (status(checkout_id), buyer.balance()) == ("paid", (2_000, 0))


def test_after_a_decline_another_card_pays_every_leg_and_is_charged_from_then_on(buyer, gateway):
    checkout_id = open_link(buyer)
    consents = ticked(checkout_id)
    choose(checkout_id, payment_method_id=buyer.method_id, points=3_000, consents=consents)
    with transaction():
        order_id = queries.get_checkout(checkout_id).order_id
    gateway.faults(**NO_FUNDS)
    charge(order_id)
    gateway.clear()
    with pytest.raises(PointsSettled):
        choose(checkout_id, payment_method_id=buyer.method_id, points=4_000)
    with pytest.raises(NeedsRegisteredMethod):
        choose(checkout_id, method_kind="card")
    other = make.make_method(buyer.customer_id)
    assert choose(checkout_id, payment_method_id=other) == order_id
    charge(order_id)
    assert states(order_id)[0] == "paid"
    assert (count(Order), count(Payment), buyer.balance()) == (1, 2, (2_000, 0))
    with transaction():
        assert db.session.scalars(select(Subscription.payment_method_id)).all() == [other]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"seen_now_minor": 44_000}, PriceChanged),
        ({"seen_cycle_minor": 9_000}, PriceChanged),
        ({"consents": frozenset()}, ConsentsMissing),
        ({"payment_method_id": None, "method_kind": "card"}, NeedsRegisteredMethod),
        ({"points": 34_950}, BelowMinimum),
    ],
)
def test_a_choice_that_cannot_be_moves_nothing(buyer, changes, error):
    checkout_id = open_link(buyer)
    choice = {"payment_method_id": buyer.method_id, "consents": ticked(checkout_id)} | changes
    with pytest.raises(error):
        choose(checkout_id, **choice)
    assert (count(Order), count(Payment), buyer.balance()) == (0, 0, (5_000, 0))


def test_points_are_refused_where_the_link_takes_none(buyer):
    checkout_id = open_link(buyer, points_allowed=False)
    with pytest.raises(Invalid) as refused:
        choose(
            checkout_id, payment_method_id=buyer.method_id, points=1, consents=ticked(checkout_id)
        )
    assert refused.value.field == "points"


def test_points_and_a_window_pay_goods_together(buyer, gateway):
    line = LineWish("one_off", "햇사과 5kg", 1, Money(20_000, "KRW"))
    wish = opening.NewCheckout(buyer.customer_id, "햇사과", lines=(line,))
    with transaction():
        checkout_id, _ = opening.open_checkout(wish, by=BY)
    order_id = choose(checkout_id, method_kind="card", points=3_000)
    [leg] = picture(order_id).legs
    assert (leg.state, leg.payment.amount_minor) == ("at_window", 17_000)
    assert choose(checkout_id, method_kind="easy_pay") == order_id
    assert buyer.balance() == (2_000, 3_000)


def test_a_number_stands_for_one_link_or_order(buyer):
    buyer.place()
    for _ in range(2):
        with pytest.raises(OrderRefTaken):
            open_link(buyer, order_ref=buyer.order_ref)
    open_link(buyer, order_ref="free-number")
    with pytest.raises(OrderRefTaken):
        open_link(buyer, order_ref="free-number")


@pytest.mark.parametrize("verb", ["_legs", "_line_row", "_request", "record_many"])
def test_who_dies_while_placing_leaves_nothing_behind(buyer, monkeypatch, verb):
    def die(*_args, **_more):
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(placing, verb, die)
        with pytest.raises(ConnectionError):
            buyer.place()
    assert (count(Order), count(Payment), count(Subscription)) == (0, 0, 0)
    assert buyer.balance() == (5_000, 0)
    buyer.place()
    assert buyer.balance() == (2_000, 3_000)
