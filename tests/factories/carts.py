"""Mixed carts of several sellers, placed and paid through the real verbs."""

from dataclasses import dataclass

from sqlalchemy import func, select

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.catalog.registering_sellers import NewSeller, add_seller
from opsapp.checkout.asking_consents import KIND as RECURRING
from opsapp.checkout.placing import NewCart, place_cart
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer
from opsapp.orders import queries
from opsapp.orders.models import OrderLeg
from opsapp.orders.placing import LineWish
from opsapp.orders.queries import OrderPicture
from opsapp.payments import charging
from opsapp.points import earning
from tests.factories.payments import BY, attempt_ids, make_customer, make_method


@dataclass(frozen=True, slots=True)
class Cart:
    order_id: int
    customer_id: int

    @property
    def picture(self) -> OrderPicture:
        with transaction():
            found = queries.get_picture(self.order_id)
            db.session.expunge_all()
            return found

    @property
    def leg_id(self) -> int:
        """Of what was bought once."""
        return next(leg.leg.id for leg in self.picture.legs if leg.leg.kind == "one_off")


def make_seller(ref: str, fee_bp: int) -> int:
    with transaction():
        return add_seller(NewSeller(ref, f"판매자 {ref}", fee_bp), by=BY)


def goods(title: str, won: int, seller_id: int | None = None, **more: int) -> LineWish:
    return LineWish("one_off", title, 1, Money(won, "KRW"), seller_id=seller_id, **more)


def tea(seller_id: int | None = None, won: int = 9_900) -> LineWish:
    """What recurs: a plan of this seller."""
    with transaction():
        plan = add_plans(
            [NewPlan(f"tea-{won}", "차 정기배송", Money(won, "KRW"), seller_id=seller_id)], by=BY
        )
    return LineWish(
        "subscription", "차 정기배송", 1, Money(won, "KRW"), seller_id, plan[f"tea-{won}"]
    )


def place(*lines: LineWish, points: int = 0, pay: bool = True, **more: object) -> Cart:
    """By a customer with a card of their own, who has just the points that are spent."""
    customer_id = make_customer()
    if points:
        with transaction():
            earning.earn(customer_id, points, request_id=new_ref("req"), because="적립", by=BY)
    if "method_kind" not in more:
        more["payment_method_id"] = make_method(customer_id)
    cart = NewCart(
        new_ref("order"), customer_id, "장바구니", tuple(lines), points=points,
        consents=(RECURRING,), **more,
    )  # fmt: skip
    with transaction():
        order_id = place_cart(cart, by=BY)
    if pay:
        charge(order_id)
    return Cart(order_id, customer_id)


def charge(order_id: int) -> None:
    with transaction():
        found = select(OrderLeg.payment_id).where(OrderLeg.order_id == order_id)
        ids = [each for each in db.session.scalars(found) if each]
    charging.execute_attempts(attempt_ids(ids), by=BY)


def balance(account: str) -> int:
    """Debits less credits."""
    amount = func.coalesce(func.sum(LedgerTransfer.amount_minor), 0)
    with transaction():
        debited = db.session.scalars(select(amount).where(LedgerTransfer.debit_account == account))
        credited = db.session.scalars(
            select(amount).where(LedgerTransfer.credit_account == account)
        )
        return int(debited.one()) - int(credited.one())
