"""A shop with one of everything that the API is about."""

from dataclasses import dataclass

from sqlalchemy import select

from opsapp.checkout.placing import NewCart, place_cart
from opsapp.customers.models import PaymentMethod
from opsapp.kernel.db import db, transaction
from opsapp.orders.models import Order, OrderLeg
from opsapp.payments.models import Payment
from opsapp.points import earning
from opsapp.subscriptions.models import Subscription
from tests.factories.carts import charge, goods, make_seller, tea
from tests.factories.payments import BY, make_customer, make_method

CUSTOMER, SELLER, PLAN, ORDER = "C-1", "S-1", "tea-9900", "O-1"


@dataclass(frozen=True, slots=True)
class Shop:
    """References of what is there; `payment` is that of the order's goods, and paid."""

    customer_id: int
    method: str
    payment: str
    subscription: str
    account_payment: str


def furnish() -> Shop:
    customer_id = make_customer(CUSTOMER)
    seller_id = make_seller(SELLER, 500)
    method_id = make_method(customer_id)
    with transaction():
        earning.earn(customer_id, 50_000, request_id="welcome-1", because="가입 축하", by=BY)
    lines = (goods("사과", 12_000, seller_id), goods("배", 8_000), tea())
    with transaction():
        cart = NewCart(
            ORDER, customer_id, "과일", lines,
            points=3_000, payment_method_id=method_id, consents=("recurring_payment",),
        )  # fmt: skip
        order_id = place_cart(cart, by=BY)
    charge(order_id)
    with transaction():
        waiting = NewCart(
            "O-2", customer_id, "꽃", (goods("꽃", 30_000),), method_kind="virtual_account"
        )
        waiting_id = place_cart(waiting, by=BY)
    charge(waiting_id)
    with transaction():
        return Shop(
            customer_id,
            db.session.scalars(select(PaymentMethod.ref)).one(),
            _payment_of("O-1"),
            db.session.scalars(select(Subscription.ref)).one(),
            _payment_of("O-2"),
        )


def _payment_of(order_ref: str) -> str:
    return db.session.scalars(
        select(Payment.ref)
        .join(OrderLeg, OrderLeg.payment_id == Payment.id)
        .join(Order, Order.id == OrderLeg.order_id)
        .where(Order.order_ref == order_ref, OrderLeg.kind == "one_off")
    ).one()
