from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_

from opsapp.kernel.db import db
from opsapp.orders.models import Order
from opsapp.payments.models import Payment

SUBJECT = "order"


def list_by_ref(order_refs: Sequence[str]) -> dict[str, Order]:
    rows = db.session.scalars(select(Order).where(Order.order_ref.in_(order_refs)))
    return {order.order_ref: order for order in rows}


def get_order(order_id: int) -> Order:
    return db.session.get_one(Order, order_id)


def take_ids(count: int) -> list[int]:
    """Numbers for orders that are about to be written."""
    numbers = select(func.nextval("orders_id_seq")).select_from(func.generate_series(1, count))
    return list(db.session.scalars(numbers))


def list_orders(*, limit: int, before: tuple[datetime, int] | None = None) -> list[Any]:
    """A page of (Order, Payment), the newest first; `before` is (placed_at, id) of the last."""
    page = select(Order, Payment).join(Payment, Payment.id == Order.payment_id)
    if before:
        page = page.where(tuple_(Order.placed_at, Order.id) < before)
    newest_first = (Order.placed_at.desc(), Order.id.desc())
    return list(db.session.execute(page.order_by(*newest_first).limit(limit)))


def list_of_customer(customer_id: int) -> list[Any]:
    theirs = (
        select(Order, Payment)
        .join(Payment, Payment.id == Order.payment_id)
        .where(Order.customer_id == customer_id)
        .order_by(Order.id.desc())
    )
    return list(db.session.execute(theirs))
