import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from hypothesis import given, settings, strategies as st
from sqlalchemy import func, select

from opsapp.insights.probing import run_probes
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, NotFound, OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.orders import refunding
from opsapp.orders.models import OrderLine, OrderRefund, OrderRefundLine
from opsapp.orders.refunding import OrderRefundWish
from opsapp.orders.spreading import spread
from opsapp.payments import refunding as payment_refunding, withdrawing_refunds
from opsapp.payments.errors import (
    NotRefundable,
    OnlyWhole,
    RefundableChanged,
    RefundTooLarge,
    RefundUnderWay,
)
from opsapp.payments.models import Payment, Refund
from opsapp.points.queries import find_balance
from opsapp.staff.rules import Role
from tests.factories.carts import Cart, goods, place
from tests.factories.payments import BY, make_everything_due
from tests.factories.staff import make_account
from tests.waiting import join

AGENT = Actor("staff", "7")


def wish(
    amount: int, seen: int, *, line_id: int | None = None, request_id: str = ""
) -> OrderRefundWish:
    form = request_id or new_ref("form")
    return OrderRefundWish(form, Money(amount, "KRW"), line_id, "고객 변심", seen)


def refund(
    leg_id: int, wished: OrderRefundWish, *, carry_out: bool = True, by: Actor = AGENT
) -> OrderRefund:
    with transaction():
        order_refund_id = refunding.request(leg_id, wished, by=by)
        found = db.session.get_one(OrderRefund, order_refund_id)
        db.session.expunge(found)
    if carry_out and found.refund_id:
        payment_refunding.execute_refunds([found.refund_id], by=BY)
    return found


def preview(leg_id: int, amount: int, line_id: int | None = None) -> refunding.RefundPreview:
    with transaction():
        return refunding.preview(leg_id, Money(amount, "KRW"), line_id)


def left(cart: Cart) -> tuple[int, int]:
    """Of the one-off leg: money and points that can still be refunded."""
    leg = next(leg for leg in cart.picture.legs if leg.leg.kind == "one_off")
    return leg.refundable.minor, leg.refundable_points


def returned(cart: Cart) -> list[int]:
    return [line.returned_minor for line in cart.picture.lines]


@pytest.fixture
def cart(app: Flask) -> Cart:
    """10,000 and 5,000 won, 3,000 of them by points."""
    return place(goods("머그컵", 10_000), goods("접시", 5_000), points=3_000)


@settings(deadline=None)
@given(st.dictionaries(st.integers(1, 99), st.integers(0, 10**6), min_size=1), st.data())
def test_a_spread_adds_up_and_takes_no_more_than_a_line_has(room, data):
    minor = data.draw(st.integers(0, sum(room.values())))
    money = data.draw(st.integers(0, minor))
    parts = spread(minor, room, money_minor=money)
    assert sum(part.minor for part in parts) == minor
    assert sum(part.money_minor for part in parts) == money
    assert all(0 <= part.minor <= room[part.line_id] for part in parts)
    assert all(part.money_minor >= 0 and part.points >= 0 for part in parts)


def test_money_goes_back_first_and_then_points_each_up_to_what_is_left_of_it(cart):
    assert left(cart) == (12_000, 3_000)
    first = refund(cart.leg_id, wish(11_000, 15_000))
    assert (first.money_minor, first.points, left(cart)) == (11_000, 0, (1_000, 3_000))
    second = refund(cart.leg_id, wish(4_000, 4_000))
    assert (second.money_minor, second.points, left(cart)) == (1_000, 3_000, (0, 0))
    assert returned(cart) == [10_000, 5_000]
    with transaction():
        assert find_balance(cart.customer_id).available == 3_000
    assert cart.picture.state == "refunded"


@pytest.mark.parametrize(
    ("amount", "first"), [(15_000, 0), (12_500, 0), (3_333, 0), (2_000, 12_500)]
)
def test_the_preview_is_what_then_happens_in_every_field(cart, amount, first):
    if first:
        refund(cart.leg_id, wish(first, 15_000))
    now = sum(left(cart))
    seen = preview(cart.leg_id, amount)
    before = returned(cart)
    made = refund(cart.leg_id, wish(amount, now))
    assert (seen.leg_id, seen.line_id, seen.amount.minor) == (made.leg_id, None, made.amount_minor)
    assert (seen.money.minor, seen.points) == (made.money_minor, made.points)
    assert (seen.money_left.minor, seen.points_left) == left(cart)
    with transaction():
        parts = db.session.scalars(
            select(OrderRefundLine).where(OrderRefundLine.order_refund_id == made.id)
        ).all()
        written = [(p.line_id, p.money_minor, p.points) for p in parts]
    assert sorted(written) == [(p.line_id, p.money_minor, p.points) for p in seen.lines]
    gone = [after - old for after, old in zip(returned(cart), before, strict=True)]
    assert [minor for minor in gone if minor] == [p.minor for p in seen.lines]


def test_a_line_gives_back_no_more_than_it_cost(cart):
    mug, plate = cart.picture.lines
    with pytest.raises(RefundTooLarge, match="5000"):
        refund(cart.leg_id, wish(5_001, 15_000, line_id=plate.id))
    made = refund(cart.leg_id, wish(5_000, 15_000, line_id=plate.id))
    assert (made.money_minor, returned(cart)) == (5_000, [0, 5_000])
    with pytest.raises(RefundTooLarge):
        preview(cart.leg_id, 1, plate.id)
    with pytest.raises(NotFound):
        preview(cart.leg_id, 1, mug.id + 1_000)


def test_what_cannot_be_is_refused_and_changes_nothing(cart):
    silent = OrderRefundWish("form_12345678", Money(5, "KRW"), None, "  ", 15_000)
    foreign = OrderRefundWish("form_12345678", Money(5, "USD"), None, "사유", 15_000)
    for wished, refusal in (
        (wish(15_001, 15_000), RefundTooLarge),
        (wish(100, 14_000), RefundableChanged),
        (wish(0, 15_000), Invalid),
        (wish(-5, 15_000), Invalid),
        (wish(5, 15_000, request_id="short"), Invalid),
        (silent, Invalid),
        (foreign, Invalid),
    ):
        with pytest.raises(refusal):
            refund(cart.leg_id, wished)
    assert (left(cart), returned(cart)) == ((12_000, 3_000), [0, 0])


def test_an_unpaid_leg_gives_nothing_back(app):
    unpaid = place(goods("머그컵", 10_000), pay=False)
    with pytest.raises(NotRefundable, match="open"):
        refund(unpaid.leg_id, wish(100, 0))


def test_the_same_form_refunds_once_and_another_amount_under_it_is_refused(cart):
    first = refund(cart.leg_id, wish(100, 15_000, request_id="form_12345678"))
    again = refund(cart.leg_id, wish(100, 15_000, request_id="form_12345678"))
    assert (again.id, left(cart)) == (first.id, (11_900, 3_000))
    with pytest.raises(Invalid):
        refund(cart.leg_id, wish(200, 14_900, request_id="form_12345678"))


def test_while_one_refund_is_under_way_no_other_begins_not_even_as_a_preview(cart):
    refund(cart.leg_id, wish(12_000, 15_000), carry_out=False)
    assert left(cart) == (0, 3_000)
    with pytest.raises(RefundUnderWay):
        preview(cart.leg_id, 3_001)
    assert refund(cart.leg_id, wish(3_000, 3_000)).points == 3_000


def test_what_the_gateway_refuses_is_the_lines_again(cart, owner):
    made = refund(cart.leg_id, wish(12_000, 15_000), carry_out=False)
    # The gateway holds another balance than we believe: its optimistic lock refuses.
    owner.execute("UPDATE refunds SET refundable_before_minor = 5000")
    payment_refunding.execute_refunds([made.refund_id], by=BY)
    make_everything_due()
    payment_refunding.execute_refunds([made.refund_id], by=BY)
    with transaction():
        assert db.session.get_one(Refund, made.refund_id).status == "refused"
    assert (left(cart), returned(cart)) == ((12_000, 3_000), [0, 0])


def test_a_refund_on_the_payments_own_page_is_the_orders_too(cart):
    [leg] = cart.picture.legs
    asked = payment_refunding.RefundWish(new_ref("form"), Money(6_000, "KRW"), 12_000, "환불")
    with transaction():
        refund_id = payment_refunding.request_refund(leg.payment.id, asked, by=AGENT)
    payment_refunding.execute_refunds([refund_id], by=BY)
    assert (left(cart), returned(cart)) == ((6_000, 3_000), [4_000, 2_000])
    with transaction():
        [known] = db.session.scalars(select(OrderRefund)).all()
        assert (known.refund_id, known.requested_by, known.points) == (refund_id, "staff:7", 0)


def test_a_way_of_paying_that_goes_back_whole_is_previewed_so(app, owner):
    cart = place(goods("머그컵", 10_000), points=1_000)
    owner.execute("UPDATE attempts SET method_kind = 'mobile'")
    with pytest.raises(OnlyWhole):
        preview(cart.leg_id, 500)
    assert preview(cart.leg_id, 9_500).points == 500


def test_200_pairs_of_agents_never_give_back_more_than_was_paid(app):
    """Each pair wants the same 300 won at once: one from the order, the other from its payment
    while there is money, then from the order too.
    """
    cart = place(goods("머그컵", 30_000), goods("접시", 30_000), points=54_000)
    [leg] = cart.picture.legs
    outcomes: list[object] = []
    start = threading.Barrier(2, timeout=60)

    def agent(act: Callable[[int], object]) -> None:
        with app.app_context():
            for turn in range(200):
                start.wait()
                try:
                    outcomes.append(act(turn))
                except OpsError as refused:
                    outcomes.append(refused)
            db.session.remove()

    def on_order(_turn: int) -> object:
        with transaction():
            kept = func.sum(OrderLine.amount_minor - OrderLine.returned_minor)
            seen = int(db.session.scalars(select(kept)).one())
        return refund(leg.leg.id, wish(300, seen))

    def on_payment(turn: int) -> object:
        if turn >= 20:
            return on_order(turn)
        with transaction():
            seen = db.session.get_one(Payment, leg.payment.id).refundable.minor
        asked = payment_refunding.RefundWish(new_ref("f"), Money(300, "KRW"), seen, "환불")
        with transaction():
            refund_id = payment_refunding.request_refund(leg.payment.id, asked, by=AGENT)
        payment_refunding.execute_refunds([refund_id], by=BY)
        return refund_id

    agents = [
        threading.Thread(daemon=True, target=agent, args=(act,)) for act in (on_order, on_payment)
    ]
    for each in agents:
        each.start()
    join(*agents, limit_s=240)
    assert len(outcomes) == 400
    with transaction():
        payment = db.session.get_one(Payment, leg.payment.id)
        assert (payment.refunded_minor, payment.refund_pending_minor) == (6_000, 0)
        assert find_balance(cart.customer_id).available == 54_000
        lines = db.session.scalars(select(OrderLine).order_by(OrderLine.id)).all()
        assert [line.returned_minor for line in lines] == [30_000, 30_000]
    books = ("I4", "I5", "I6")
    assert [row.examples for row in run_probes() if row.violations and row.id in books] == []


def available(cart: Cart) -> int:
    with transaction():
        return find_balance(cart.customer_id).available


def test_points_of_a_refund_by_hand_go_back_with_the_money_or_not_at_all(cart):
    leg = next(each for each in cart.picture.legs if each.leg.kind == "one_off")
    person = Actor("staff", str(make_account(Role.CS)))
    before = available(cart)
    for reason in ("잘못 눌렀습니다", ""):
        wished = replace(wish(14_000, 15_000), is_by_hand=True)
        with transaction():
            planned = refunding.plan(leg.leg.id, wished, by=person)
        made = refund(leg.leg.id, wished, by=person)
        seen = (planned.falls.money.minor, planned.falls.points, planned.points_follow)
        assert seen == (made.money_minor, made.points, made.points_follow) == (12_000, 2_000, True)
        assert (available(cart), sum(returned(cart))) == (before, 14_000), "nothing left yet"
        assert [row for row in run_probes() if row.violations] == []
        with transaction():
            if reason:
                withdrawing_refunds.withdraw_refund(made.refund_id, reason=reason, by=person)
            else:
                withdrawing_refunds.send_now(made.refund_id, by=person)
        if reason:
            assert (available(cart), sum(returned(cart))) == (before, 0)
            assert [row for row in run_probes() if row.violations] == []
    payment_refunding.execute_refunds([made.refund_id], by=BY)
    assert (available(cart), left(cart)) == (before + 2_000, (0, 1_000))
    assert [row for row in run_probes() if row.violations] == []
