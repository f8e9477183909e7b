from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import event, select

from opsapp.insights.probing import run_probes
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.ledger.rules import FEE_INCOME, SALES, VAT_PAYABLE, seller_payable
from opsapp.orders import refunding as order_refunding
from opsapp.orders.events import LegsPaid
from opsapp.orders.refunding import OrderRefundWish
from opsapp.orders.settling import facts_of
from opsapp.payments import charging, refunding, reversing
from opsapp.payments.events import PaymentFact, PaymentsPaid
from opsapp.payments.models import Attempt, Payment
from opsapp.settlement import sharing
from opsapp.settlement.models import SellerShare
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from tests.factories.accounts import IssuedAccount, look
from tests.factories.carts import Cart, balance, charge, goods, make_seller, place, tea
from tests.factories.payments import BY, attempt_ids, make_customer, make_method, order_ids
from tests.factories.subscriptions import make_plan, renew
from tests.gateway_controls import GatewayControls

AGENT = Actor("staff", "7")

Shares = list[tuple[str, str, int, int, int, int]]


def shares() -> Shares:
    """(kind, cause, gross, fee, vat, share) in the order they were written."""
    with transaction():
        rows = db.session.scalars(select(SellerShare).order_by(SellerShare.id)).all()
        return [
            (
                s.kind,
                s.cause_type,
                s.gross_minor,
                s.fee_minor,
                s.vat_minor,
                s.share_minor,
            )
            for s in rows
        ]


def books_are_right() -> bool:
    rows = run_probes()
    wrong = {
        row.id: row.examples for row in rows if row.violations and row.id in ("I4", "I5", "I6")
    }
    assert wrong == {}
    return True


def refund_order(cart: Cart, amount: int, *, line_id: int | None = None) -> None:
    [leg] = [leg for leg in cart.picture.legs if leg.leg.kind == "one_off"]
    seen = leg.refundable.minor + leg.refundable_points
    wish = OrderRefundWish(new_ref("form"), Money(amount, "KRW"), line_id, "고객 변심", seen)
    with transaction():
        order_refunding.request(leg.leg.id, wish, by=AGENT)
    carry_out_refunds()


def refund_payment(payment_id: int, amount: int) -> None:
    with transaction():
        seen = db.session.get_one(Payment, payment_id).refundable.minor
    wish = refunding.RefundWish(new_ref("form"), Money(amount, "KRW"), seen, "환불")
    with transaction():
        refund_id = refunding.request_refund(payment_id, wish, by=AGENT)
    refunding.execute_refunds([refund_id], by=BY)


def carry_out_refunds() -> None:
    with transaction():
        ids = list(db.session.scalars(select(refunding.Refund.id)))
    refunding.execute_refunds(ids, by=BY)


@pytest.fixture
def gateway(sandbox_url: str) -> Iterator[GatewayControls]:
    controls = GatewayControls(sandbox_url)
    controls.clear()
    yield controls
    controls.clear()


@pytest.fixture
def sellers(app: Flask) -> tuple[int, int]:
    return make_seller("farm", 1_000), make_seller("kiln", 1_250)


def test_a_mixed_cart_is_shared_to_the_won_at_the_moment_of_payment(sellers):
    farm, kiln = sellers
    cart = place(
        goods("사과", 12_345, farm), goods("머그컵", 7_777, kiln), goods("포장", 1_000), tea(farm),
        points=3_000,
    )  # fmt: skip
    assert sorted(shares()) == [
        ("sale", "leg", 7_777, 972, 97, 6_708),
        ("sale", "leg", 9_900, 990, 99, 8_811),
        ("sale", "leg", 12_345, 1_235, 123, 10_987),
    ]
    assert balance(seller_payable("farm")) == -(10_987 + 8_811)
    assert balance(seller_payable("kiln")) == -6_708
    assert (balance(FEE_INCOME), balance(VAT_PAYABLE)) == (-3_197, -319)
    assert balance(SALES) == -1_000, "what is left of sales is the house's own line"
    assert cart.picture.state == "paid"
    assert books_are_right()


def test_nothing_is_shared_before_it_is_paid(sellers):
    cart = place(goods("사과", 12_345, sellers[0]), points=3_000, pay=False)
    assert shares() == []
    charge(cart.order_id)
    assert len(shares()) == 1


def test_what_points_pay_for_wholly_is_shared_without_any_payment(sellers):
    cart = place(goods("사과", 10_000, sellers[0]), points=10_000)
    assert shares() == [("sale", "leg", 10_000, 1_000, 100, 8_900)]
    refund_order(cart, 10_000)
    assert shares()[1:] == [("reversal", "order_refund", 10_000, 1_000, 100, 8_900)]
    assert balance(seller_payable("farm")) == 0
    assert books_are_right()


def test_refunds_in_steps_take_back_exactly_what_was_shared(sellers):
    farm, kiln = sellers
    cart = place(goods("사과", 12_345, farm), goods("머그컵", 7_777, kiln), points=3_000)
    refund_order(cart, 3_333, line_id=cart.picture.lines[0].id)
    assert shares()[2:] == [("reversal", "refund", 3_333, 334, 33, 2_966)]
    [leg] = cart.picture.legs
    refund_payment(leg.payment.id, 5_000)
    assert books_are_right()
    refund_order(cart, 11_789)  # the rest: 8,789 in money, then 3,000 in points
    assert [cause for _, cause, *_ in shares()[2:]].count("order_refund") == 2
    for account in (seller_payable("farm"), seller_payable("kiln"), FEE_INCOME, VAT_PAYABLE):
        assert balance(account) == 0, account
    assert cart.picture.state == "refunded"
    assert books_are_right()


def test_every_period_of_a_sellers_plan_is_shared_and_no_first_one_twice(sellers):
    place(tea(sellers[1]))
    assert shares() == [("sale", "leg", 9_900, 1_237, 124, 8_539)]


def test_a_renewal_is_shared_and_its_refund_taken_back(sellers):
    customer_id = make_customer()
    line = tea(sellers[0])
    wish = sharing_subscription(customer_id, line.plan_id or 0)
    renew()
    [payment_id] = payments_of(wish)
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)
    assert shares() == [("sale", "payment", 9_900, 990, 99, 8_811)]
    refund_payment(payment_id, 4_000)
    refund_payment(payment_id, 5_900)
    assert [kind for kind, *_ in shares()] == ["sale", "reversal", "reversal"]
    assert balance(seller_payable("farm")) == 0
    assert books_are_right()


def test_a_batch_without_any_sellers_plan_costs_one_read_and_writes_nothing(app):
    customer_id = make_customer()
    subscription_id = sharing_subscription(customer_id, make_plan())
    renew()
    [payment_id] = payments_of(subscription_id)
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)
    with transaction():
        attempt = db.session.scalars(select(Attempt)).one()
        fact = charging_fact(payment_id, subscription_id, customer_id, attempt)
    asked: list[str] = []

    def count(_connection, _cursor, statement, *_rest):
        asked.append(statement)

    with transaction():
        db.session.connection()
        event.listen(db.engine, "before_cursor_execute", count)
        sharing.on_payments_paid(PaymentsPaid((fact,) * 50))
        event.remove(db.engine, "before_cursor_execute", count)
    assert len(asked) == 1
    assert shares() == []


def test_an_approval_that_was_none_is_taken_back_and_shared_again_when_paid_again(sellers):
    cart = place(goods("사과", 10_000, sellers[0]), goods("귤", 333, sellers[0]))
    [leg] = cart.picture.legs
    [attempt_id] = attempt_ids([leg.payment.id])
    with transaction():
        reversing.reverse_approval(attempt_id, because="the gateway knows nothing of it", by=BY)
    assert [row[:3] for row in shares()[2:]] == [
        ("reversal", "share", 333),
        ("reversal", "share", 10_000),
    ]
    assert balance(seller_payable("farm")) == 0
    assert books_are_right_but_for_the_gateway()


def test_what_was_undone_and_is_paid_again_is_shared_again_once(sellers):
    cart = place(goods("사과", 10_000, sellers[0]))
    [leg] = cart.picture.legs
    fact = leg_fact(cart)
    with transaction():
        sharing.on_legs_paid(fact)  # told twice: nothing new
    assert len(shares()) == 1
    [attempt_id] = attempt_ids([leg.payment.id])
    with transaction():
        reversing.reverse_approval(attempt_id, because="the gateway knows nothing of it", by=BY)
    with transaction():
        sharing.on_legs_paid(fact)
        sharing.on_legs_paid(fact)
    assert [row[:2] for row in shares()] == [
        ("sale", "leg"),
        ("reversal", "share"),
        ("sale", "share"),
    ]
    assert balance(seller_payable("farm")) == -8_900


def test_a_deposit_that_the_bank_takes_back_takes_the_shares_back_until_it_comes_again(
    sellers, gateway
):
    cart = place(goods("사과", 10_000, sellers[0]), method_kind="virtual_account")
    [leg] = cart.picture.legs
    [attempt_id] = attempt_ids([leg.payment.id])
    account = IssuedAccount(leg.payment.id, attempt_id, order_ids([leg.payment.id])[0])
    gateway.deposit(orderId=account.order_id)
    look(account)
    assert len(shares()) == 1
    with transaction():
        reversing.reverse_deposit(attempt_id, deposit_key=None, by=BY)
    assert balance(seller_payable("farm")) == 0
    assert cart.picture.state == "unpaid"
    look(account)  # the sandbox's bank never took it back: it is there again
    assert [row[:2] for row in shares()] == [
        ("sale", "leg"),
        ("reversal", "share"),
        ("sale", "share"),
    ]
    assert balance(seller_payable("farm")) == -8_900
    assert books_are_right_but_for_the_gateway()


def test_a_damaged_share_is_found(sellers, owner):
    place(goods("사과", 10_000, sellers[0]))
    owner.execute("ALTER TABLE seller_shares DISABLE TRIGGER ALL")
    owner.execute("UPDATE seller_shares SET gross_minor = 9000, share_minor = share_minor - 1000")
    [row] = [row for row in run_probes() if row.id == "I5"]
    assert any("order line 1: 9000 is shared, 10000 was paid" in each for each in row.examples)
    assert any("seller_payable:farm" in each for each in row.examples)


def books_are_right_but_for_the_gateway() -> bool:
    """The gateway did take that money; only our own books are asked."""
    [row] = [row for row in run_probes() if row.id == "I5"]
    assert row.examples == ()
    return True


def sharing_subscription(customer_id: int, plan_id: int) -> int:
    wish = NewSubscription(customer_id, plan_id, make_method(customer_id))
    with transaction():
        return subscribe([wish], by=BY)[0]


def payments_of(subscription_id: int) -> list[int]:
    with transaction():
        found = select(Payment.id).where(
            Payment.subject_type == "subscription", Payment.subject_id == subscription_id
        )
        return list(db.session.scalars(found))


def charging_fact(
    payment_id: int, subscription_id: int, customer_id: int, attempt: Attempt
) -> PaymentFact:
    return PaymentFact(
        payment_id, "subscription", subscription_id, 0, customer_id, attempt.payment_method_id,
        attempt.gateway_name, attempt.method_kind, 9_900, "KRW", attempt.id, attempt.number,
    )  # fmt: skip


def leg_fact(cart: Cart) -> LegsPaid:
    return LegsPaid(facts_of([cart.picture.legs[0].leg], {cart.order_id: cart.customer_id}))
