"""What is paid of an order is read from its legs; money that goes back opens them again."""

from datetime import timedelta

import pytest

from opsapp.kernel import clock
from opsapp.kernel.db import transaction
from opsapp.orders import releasing, rules
from opsapp.orders.rules import LegState as L, OrderState as O, Standing
from opsapp.payments import reversing
from tests.factories import accounts, payments as make
from tests.factories.buyers import Buyer, picture, states, violations

BY = make.BY


@pytest.mark.parametrize(
    ("legs", "state"),
    [
        ([L.UNPAID], O.UNPAID),
        ([L.FAILED, L.AT_WINDOW], O.UNPAID),
        ([L.CHECKING, L.FAILED], O.CHECKING),
        ([L.CONTACT], O.CHECKING),
        ([L.PAID, L.CHECKING], O.PARTLY_PAID),
        ([L.PAID, L.RELEASED], O.PARTLY_PAID),
        ([L.PAID, L.FREE], O.PAID),
        ([L.FREE], O.PAID),
        ([L.PAID, L.REFUNDED], O.PARTLY_REFUNDED),
        ([L.PARTLY_REFUNDED, L.FREE], O.PARTLY_REFUNDED),
        ([L.REFUNDED, L.FREE], O.REFUNDED),
        ([L.RELEASED, L.RELEASED], O.RELEASED),
    ],
)
def test_an_order_stands_as_its_legs_do(legs, state):
    assert rules.state_of(legs) is state


@pytest.mark.parametrize(
    ("leg", "state"),
    [
        (Standing("open", 100), L.UNPAID),
        (Standing("open", 100, payment_status="pending", attempt_status="inflight"), L.CHECKING),
        (Standing("open", 100, payment_status="pending", attempt_status="unknown"), L.CHECKING),
        (Standing("open", 100, payment_status="pending", attempt_status="at_window"), L.AT_WINDOW),
        (Standing("open", 100, payment_status="pending", attempt_status="needs_human"), L.CONTACT),
        (
            Standing(
                "open",
                100,
                payment_status="pending",
                attempt_status="ready",
                is_retry_planned=True,
            ),
            L.FAILED,
        ),
        (Standing("open", 100, payment_status="failed", attempt_status="declined"), L.FAILED),
        (Standing("open", 100, payment_status="awaiting_deposit"), L.AWAITING_DEPOSIT),
        (Standing("released", 100, payment_status="cancelled"), L.RELEASED),
        (Standing("paid", 0), L.FREE),
        (Standing("paid", 100, payment_status="paid"), L.PAID),
        (Standing("paid", 100, given_back_minor=40), L.PARTLY_REFUNDED),
        (Standing("paid", 100, given_back_minor=100), L.REFUNDED),
    ],
)
def test_a_leg_is_told_by_its_payment_and_latest_attempt(leg, state):
    assert rules.leg_state_of(leg) is state


def test_a_leg_is_retried_three_times_and_then_held():
    waits = [rules.retry_after(failures) for failures in range(6)]
    hours = [wait and wait / timedelta(hours=1) for wait in waits]
    assert hours == [None, 1, 6, 24, None, None]


def test_a_deposit_that_the_bank_takes_back_opens_its_leg_and_the_points_return_with_it(
    app, gateway
):
    buyer = Buyer()
    lines = buyer.lines(recurs=False)
    order_id = buyer.place(lines=lines, payment_method_id=None, method_kind="virtual_account")
    [leg] = picture(order_id).legs
    account = accounts.issue_for(leg.leg.payment_id)
    assert states(order_id) == ("unpaid", {"one_off": "awaiting_deposit"})
    gateway.deposit(orderId=account.order_id, kind="exact")
    accounts.look(account)
    assert states(order_id) == ("paid", {"one_off": "paid"})
    gateway.deposit(orderId=account.order_id, kind="reversed")
    with transaction():
        reversing.reverse_deposit(account.attempt_id, deposit_key=None, by=BY)
    assert states(order_id) == ("unpaid", {"one_off": "awaiting_deposit"})
    assert (buyer.balance(), violations()) == ((2_000, 0), [])
    with transaction():
        clock.set_to(clock.now() + timedelta(days=4))
        assert releasing.release([leg.leg.id], because="given up", by=BY) == []
    accounts.look(account)  # it is closed at the gateway
    with transaction():
        assert releasing.release_due() == 1
    assert states(order_id) == ("released", {"one_off": "released"})
    assert (buyer.balance(), violations()) == ((5_000, 0), [])
