"""Ways to lose money, points or shares through an order that were open once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.checkout import paying_again
from opsapp.customers.deleting import delete
from opsapp.customers.errors import MethodNotUsable
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.ledger.rules import seller_payable
from opsapp.orders import refunding, releasing
from opsapp.orders.models import OrderLine, OrderRefund
from opsapp.orders.placing import LineWish
from opsapp.orders.refunding import OrderRefundWish
from opsapp.payments import recording, refunding as payment_refunding, reversing
from opsapp.payments.models import Attempt, Refund
from opsapp.settlement.models import SellerShare
from opsapp.subscriptions import cancelling, pausing
from opsapp.subscriptions.errors import MoveRefused
from opsapp.subscriptions.models import Subscription, SubscriptionBlock
from tests.factories import carts, payments as make
from tests.factories.buyers import Buyer, charge, picture, states, violations
from tests.factories.subscriptions import renew

BY = make.BY
AGENT = Actor("staff", "7")
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}


@pytest.fixture
def buyer(app):
    return Buyer()


def refund_order(cart, amount, *, request_id=""):
    """The order refund's id; nothing is carried out yet."""
    [leg] = cart.picture.legs
    seen = leg.refundable.minor + leg.refundable_points
    form = request_id or new_ref("form")
    wish = OrderRefundWish(form, Money(amount, "KRW"), None, "고객 변심", seen)
    with transaction():
        return refunding.request(leg.leg.id, wish, by=AGENT)


def refund_payment(cart, amount, *, request_id=""):
    """The refund's id; nothing is carried out yet."""
    [leg] = cart.picture.legs
    form = request_id or new_ref("form")
    wish = payment_refunding.RefundWish(form, Money(amount, "KRW"), leg.refundable.minor, "환불")
    with transaction():
        return payment_refunding.request_refund(leg.payment.id, wish, by=AGENT)


def refuse(refund_id, owner):
    """The gateway holds another balance than we believe: its optimistic lock refuses."""
    owner.execute("UPDATE refunds SET refundable_before_minor = 5000 WHERE id = %s", [refund_id])
    payment_refunding.execute_refunds([refund_id], by=BY)
    make.make_everything_due()
    payment_refunding.execute_refunds([refund_id], by=BY)
    with transaction():
        assert db.session.get_one(Refund, refund_id).status == "refused"


def pay_again(order_id):
    """By the card that was tried before."""
    [method_id] = set(rows(select(Attempt.payment_method_id)))
    with transaction():
        paying_again.pay_again(order_id, payment_method_id=method_id, by=BY)
    charge(order_id)


def rows(statement):
    with transaction():
        return list(db.session.scalars(statement))


def test_a_form_id_like_that_of_an_adopted_refund_stops_no_answer(app):
    cart = carts.place(carts.goods("머그컵", 10_000), points=3_000)
    refund_id = refund_payment(cart, 7_000)
    other = carts.place(carts.goods("접시", 5_000), points=5_000)
    refund_order(other, 100, request_id=f"refund-{refund_id}")
    payment_refunding.execute_refunds([refund_id], by=BY)
    assert cart.picture.lines[0].returned_minor == 7_000


def test_a_refused_refund_of_the_payment_is_nobodys_who_uses_its_form_again(app, owner):
    cart = carts.place(carts.goods("머그컵", 10_000))
    refuse(refund_payment(cart, 4_000, request_id="form_12345678"), owner)
    made = refund_order(cart, 4_000, request_id="form_12345678")
    [asked] = rows(select(OrderRefund).where(OrderRefund.id == made))
    payment_refunding.execute_refunds([asked.refund_id], by=BY)
    [leg] = cart.picture.legs
    assert (leg.payment.refunded_minor, cart.picture.lines[0].returned_minor) == (4_000, 4_000)
    assert violations() == []


def test_what_a_gateway_gave_back_is_written_down_even_where_no_line_has_room(app, owner):
    cart = carts.place(carts.goods("머그컵", 10_000), carts.goods("접시", 5_000))
    owner.execute("UPDATE order_lines SET returned_minor = 9000 WHERE number = 1")
    refund_id = refund_payment(cart, 8_000)
    payment_refunding.execute_refunds([refund_id], by=BY)
    [leg] = cart.picture.legs
    assert leg.payment.refunded_minor == 8_000
    assert [line.returned_minor for line in cart.picture.lines] == [10_000, 5_000]


def test_points_that_went_back_already_are_not_shared_again_with_the_leg(app, owner):
    farm = carts.make_seller("farm", 1_000)
    cart = carts.place(carts.goods("사과", 13_000, farm), points=3_000)
    refund_id = refund_payment(cart, 10_000)
    refund_order(cart, 3_000)
    refuse(refund_id, owner)
    [leg] = cart.picture.legs
    [attempt_id] = make.attempt_ids([leg.payment.id])
    with transaction():
        reversing.reverse_approval(attempt_id, because="no money moved", by=BY)
    assert carts.balance(seller_payable("farm")) == 0
    pay_again(cart.order_id)
    assert cart.picture.state == "partly_refunded"
    stands = sum(
        share.gross_minor if share.kind == "sale" else -share.gross_minor
        for share in rows(select(SellerShare))
    )
    assert stands == 10_000


def weekly(buyer, seller_id=None):
    """A line of a plan that is charged each week."""
    wish = NewPlan("weekly", "매주 차", Money(9_900, "KRW"), "week", seller_id=seller_id)
    with transaction():
        plan_id = add_plans([wish], by=BY)["weekly"]
    return LineWish("subscription", "매주 차", 1, Money(9_900, "KRW"), plan_id=plan_id)


def test_no_second_period_is_charged_before_the_first_one_is_paid(buyer, gateway):
    order_id = buyer.place(lines=(weekly(buyer),), points=0, hold_for=timedelta(days=30))
    gateway.faults(**NO_FUNDS)
    charge(order_id)
    gateway.clear()
    with transaction():
        clock.set_to(clock.now() + timedelta(days=8))
    assert renew() == 0
    pay_again(order_id)
    assert states(order_id) == ("paid", {"subscription": "paid"})
    [found] = rows(select(Subscription))
    assert (found.status, found.is_billing_blocked) == ("active", False)
    with transaction():
        clock.set_to(clock.now() + timedelta(days=8))
    assert renew() == 1


def test_a_hold_by_staff_is_not_lifted_by_the_first_payment_and_takes_its_retry_back(
    buyer, gateway
):
    order_id = buyer.place(lines=buyer.lines()[2:], points=0, on_failure="retry")
    [leg] = picture(order_id).legs
    with pytest.raises(MoveRefused), transaction():
        pausing.pause(leg.leg.subscription_id, by=BY)
    charge(order_id)
    other = Buyer()
    order_id = other.place(lines=other.lines()[2:], points=0, on_failure="retry")
    [leg] = picture(order_id).legs
    gateway.faults(**NO_FUNDS)
    charge(order_id)
    with transaction():
        pausing.hold(leg.leg.subscription_id, because="suspected fraud", by=BY)
    gateway.clear()
    make.make_everything_due()
    charge(order_id)
    open_ = select(SubscriptionBlock.cause).where(SubscriptionBlock.lifted_at.is_(None))
    assert sorted(rows(open_)) == ["first_period", "hold"]
    assert states(order_id)[0] == "unpaid"


def test_nobody_is_asked_to_pay_for_what_was_cancelled_during_its_charge(
    buyer, gateway, monkeypatch
):
    order_id = buyer.place(lines=buyer.lines()[2:], points=0)
    [leg] = picture(order_id).legs
    record = recording.record_answers

    def cancel_first(results, *, by):
        cancelling.cancel(leg.leg.subscription_id, by=BY)
        record(results, by=by)

    gateway.faults(**NO_FUNDS)
    with monkeypatch.context() as patched:
        patched.setattr(recording, "record_answers", cancel_first)
        charge(order_id)
    with transaction():
        assert releasing.release_due() == 1
    assert states(order_id) == ("released", {"subscription": "released"})
    assert violations() == []


def test_a_line_that_recurs_belongs_to_the_seller_of_its_plan(buyer):
    farm, kiln = carts.make_seller("farm", 1_000), carts.make_seller("kiln", 1_250)
    line = weekly(buyer, farm)
    order_id = buyer.place(lines=(line,), points=0)
    assert buyer.place(lines=(line,), points=0) == order_id
    assert rows(select(OrderLine.seller_id)) == [farm]
    foreign = LineWish(
        "subscription", "매주 차", 1, Money(9_900, "KRW"), seller_id=kiln, plan_id=line.plan_id
    )
    with pytest.raises(Invalid) as refused:
        buyer.place(lines=(foreign,), points=0, order_ref="o-2")
    assert refused.value.field == "seller"


def test_an_order_is_found_again_after_its_card_is_gone(buyer):
    lines = buyer.lines(recurs=False)
    order_id = buyer.place(lines=lines)
    with transaction():
        delete(buyer.method_id, by=BY)
    assert buyer.place(lines=lines) == order_id
    with pytest.raises(MethodNotUsable):
        buyer.place(lines=lines, order_ref="o-2")
