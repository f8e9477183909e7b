"""However answers and clicks fall, a cart ends whole: order, points, subscription and books."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hypothesis import HealthCheck, example, given, settings, strategies as st
from sqlalchemy import select

from opsapp.checkout import paying_again
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import OpsError
from opsapp.orders import releasing
from opsapp.orders.models import OrderLeg
from opsapp.payments import charging
from opsapp.points.errors import NotEnoughPoints
from opsapp.points.models import PointReservation
from opsapp.subscriptions.models import Subscription, SubscriptionBlock
from tests.factories import payments as make
from tests.factories.buyers import Buyer, charge, picture, states, violations

BY = make.BY
FAULTS = {
    "approve": {},
    "decline": {"declines": {"REJECT_CARD_PAYMENT": 1.0}},
    "no answer": {"lost_after": 1.0, "inquiry_failures": 1.0},
    "never arrived": {"lost_before": 1.0, "inquiry_failures": 1.0},
}
STEPS = (*FAULTS, "click again", "hold is over")


def take(step, buyer, order_id, gateway):
    if step == "click again":
        if buyer.place() != order_id:
            raise AssertionError("a second order")
        try:
            with transaction():
                paying_again.pay_again(order_id, payment_method_id=buyer.method_id, by=BY)
        except OpsError:
            pass  # nothing is to be chosen now
    elif step == "hold is over":
        with transaction():
            clock.set_to(clock.now() + timedelta(days=3, minutes=1))
        with transaction():
            releasing.release_due()
    else:
        gateway.faults(**FAULTS[step])
        make.make_everything_due()
        charge(order_id)
        gateway.clear()


def come_to_an_end(order_id):
    for _ in range(4):
        make.make_everything_due()
        charge(order_id)
    with transaction():
        clock.set_to(clock.now() + timedelta(days=4))
    with transaction():
        releasing.release_due()


def rows(statement):
    with transaction():
        return db.session.execute(statement).all()


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    on_failure=st.sampled_from(("hold", "retry", "release")),
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=5),
)
@example(on_failure="hold", steps=["no answer", "hold is over", "click again"])
@example(on_failure="retry", steps=["decline", "click again", "never arrived", "hold is over"])
@example(on_failure="release", steps=["no answer", "decline"])
def test_a_cart_ends_whole_whatever_happens_on_the_way(app, gateway, on_failure, steps):
    buyer = Buyer()
    order_id = buyer.place(on_failure=on_failure)
    for step in steps:
        take(step, buyer, order_id, gateway)
    come_to_an_end(order_id)
    assert violations() == []
    legs = {leg.leg.kind: leg for leg in picture(order_id).legs}
    assert {leg.leg.status for leg in legs.values()} <= {"paid", "released"}
    assert buyer.balance() == ((2_000, 0) if legs["one_off"].leg.status == "paid" else (5_000, 0))
    mine = Subscription.id == legs["subscription"].leg.subscription_id
    [(status,)] = rows(select(Subscription.status).where(mine))
    assert status == ("active" if legs["subscription"].leg.status == "paid" else "cancelled")
    held = SubscriptionBlock.subscription_id == legs["subscription"].leg.subscription_id
    assert (
        rows(select(SubscriptionBlock.id).where(held, SubscriptionBlock.lifted_at.is_(None))) == []
    )


def together(app, *acts):
    """What they raised."""

    def run(act):
        with app.app_context():
            act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [each.exception() for each in [pool.submit(run, act) for act in acts]]


def test_two_tabs_that_place_one_cart_place_it_once(app):
    buyer = Buyer()
    placed = []
    assert together(app, *[lambda: placed.append(buyer.place())] * 4) == [None] * 4
    assert len(set(placed)) == 1
    assert buyer.balance() == (2_000, 3_000)
    assert len(rows(select(Subscription.id))) == 1
    assert violations() == []


def test_200_carts_that_spend_the_same_points_spend_no_more_than_there_are(app):
    buyer = Buyer()
    lines, refused = buyer.lines(recurs=False), []

    def place(number):
        for n in range(25):
            try:
                buyer.place(order_ref=f"o-{number}-{n}", lines=lines, points=700)
            except NotEnoughPoints:
                refused.append(n)

    failed = together(app, *[lambda number=number: place(number) for number in range(8)])
    assert (failed, len(refused)) == ([None] * 8, 193)
    assert buyer.balance() == (5_000 - 7 * 700, 7 * 700)
    assert len(rows(select(PointReservation.id))) == len(rows(select(OrderLeg.id))) == 7
    assert violations() == []


def test_a_late_approval_and_the_end_of_the_hold_agree_on_one_end(app, gateway):
    buyer = Buyer()
    order_id = buyer.place(lines=buyer.lines(recurs=False))
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    charge(order_id)
    gateway.clear()
    assert states(order_id) == ("checking", {"one_off": "checking"})
    with transaction():
        clock.set_to(clock.now() + timedelta(days=4))
    make.make_everything_due()
    attempts = make.attempt_ids([leg.leg.payment_id for leg in picture(order_id).legs])

    def sweep():
        for _ in range(5):
            with transaction():
                releasing.release_due()

    acts = (sweep, lambda: charging.execute_attempts(attempts, by=BY), sweep)
    assert together(app, *acts) == [None] * 3
    assert states(order_id) == ("paid", {"one_off": "paid"})
    assert buyer.balance() == (2_000, 0)
    assert violations() == []
