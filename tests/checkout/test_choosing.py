"""A payment link: opened, paid, left, paid too late."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from opsapp.checkout import choosing, ending, opening, queries
from opsapp.checkout.choosing import Choice
from opsapp.checkout.errors import CheckoutOver
from opsapp.customers.linking import find_link
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.orders.queries import list_legs
from opsapp.payments import charging
from opsapp.payments.models import Attempt, Payment
from tests.factories import payments as make

BY = Actor("customer", "test")
WON = Money(12_000, "KRW")


def open_link(**more):
    customer_id = make.make_customer()
    with transaction():
        wish = opening.NewCheckout(customer_id, "햇사과", WON, **more)
        return opening.open_checkout(wish, by=BY)


def choose(checkout_id, kind):
    """The payment's id."""
    with transaction():
        order_id = choosing.choose(checkout_id, Choice(method_kind=kind), by=BY)
    with transaction():
        return list_legs([order_id])[order_id][0].payment_id


def status(checkout_id):
    with transaction():
        return queries.get_checkout(checkout_id).status


def test_a_link_owes_nothing_before_a_way_to_pay_is_chosen(app):
    checkout_id, token = open_link()
    with transaction():
        assert queries.get_progress(checkout_id).order is None
        assert find_link(token, purpose=opening.PURPOSE).subject_id == checkout_id
        assert db.session.scalars(select(Payment)).all() == []


def test_a_second_click_is_the_same_order(app, gateway):
    checkout_id, _ = open_link()
    payment_id = choose(checkout_id, "card")
    assert choose(checkout_id, "card") == payment_id
    with transaction():
        statuses = db.session.scalars(select(Attempt.status).order_by(Attempt.id)).all()
    assert statuses == ["withdrawn", "at_window"]


def test_a_deposit_pays_the_link(app, gateway):
    checkout_id, _ = open_link()
    payment_id = choose(checkout_id, "virtual_account")
    ids = make.attempt_ids([payment_id])
    charging.execute_attempts(ids, by=BY)
    gateway.deposit(orderId=make.order_ids([payment_id])[0], kind="exact")
    make.make_everything_due()
    charging.execute_attempts(ids, by=BY)
    assert status(checkout_id) == "paid"


def test_a_link_whose_time_is_over_takes_no_choice_even_before_it_is_swept(app, gateway):
    checkout_id, _ = open_link(life=timedelta(hours=1))
    with transaction():
        clock.set_to(clock.now() + timedelta(hours=2))
    with pytest.raises(CheckoutOver):
        choose(checkout_id, "card")
    with transaction():
        assert ending.expire() == 1
    assert status(checkout_id) == "expired"


def test_a_link_withdrawn_by_staff_takes_no_choice_and_its_address_ends(app, gateway):
    checkout_id, token = open_link()
    with transaction():
        opening.cancel(checkout_id, by=BY)
    with transaction():
        assert find_link(token, purpose=opening.PURPOSE) is None
    with pytest.raises(CheckoutOver):
        choose(checkout_id, "card")


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "},
        {"title": "가" * 101},
        {"amount": Money(0, "KRW")},
        {"amount": Money(1_000_000_001, "KRW")},
        {"life": timedelta(minutes=1)},
        {"life": timedelta(days=31)},
        {"order_ref": "x" * 65},
    ],
)
def test_a_wrong_wish_names_its_field(wrong):
    wish = {"customer_id": 1, "title": "햇사과", "amount": WON} | wrong
    with pytest.raises(Invalid) as refused:
        opening.NewCheckout(**wish)
    assert refused.value.field == next(iter(wrong))
