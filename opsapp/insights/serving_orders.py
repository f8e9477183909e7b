"""What the shop's programs read of orders, checkouts and points: by reference."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.catalog.models import Plan, Seller
from opsapp.checkout.models import Checkout
from opsapp.customers.models import Customer
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.orders.models import Order, OrderLeg, OrderLine, OrderRefund
from opsapp.payments.models import Refund
from opsapp.points.models import PointEntry


@dataclass(frozen=True, slots=True)
class Refs:
    """What serial numbers are called outside, by number."""

    customers: dict[int, str]
    plans: dict[int, str]
    sellers: dict[int, str]

    def __or__(self, other: "Refs") -> "Refs":
        return Refs(
            self.customers | other.customers,
            self.plans | other.plans,
            self.sellers | other.sellers,
        )


def get_order_id(order_ref: str) -> int:
    """Raises NotFound."""
    found = db.session.scalars(select(Order.id).where(Order.order_ref == order_ref)).one_or_none()
    if found is None:
        raise NotFound(noun="order", id="")
    return found


def list_orders(customer_ref: str, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = select(Order.id, Order.placed_at)
    if customer_ref:
        statement = statement.join(Customer, Customer.id == Order.customer_id).where(
            Customer.customer_ref == customer_ref
        )
    return page_of(statement, keys=(Order.placed_at, Order.id), cursor=cursor, size=size)


def list_refs(
    customer_ids: Collection[int], plan_ids: Collection[int], seller_ids: Collection[int]
) -> Refs:
    """One statement for each kind that is asked for."""
    return Refs(
        _names(select(Customer.id, Customer.customer_ref), Customer.id, customer_ids),
        _names(select(Plan.id, Plan.code), Plan.id, plan_ids),
        _names(select(Seller.id, Seller.ref), Seller.id, seller_ids),
    )


def get_leg(order_ref: str, number: int) -> OrderLeg:
    """Raises NotFound."""
    found = db.session.scalars(
        select(OrderLeg)
        .join(Order, Order.id == OrderLeg.order_id)
        .where(Order.order_ref == order_ref, OrderLeg.number == number)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="order leg", id="")
    return found


def get_line_id(leg_id: int, number: int) -> int:
    """Raises NotFound."""
    found = db.session.scalars(
        select(OrderLine.id).where(OrderLine.leg_id == leg_id, OrderLine.number == number)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="order line", id="")
    return found


def get_order_refund(order_refund_id: int) -> Any:
    return db.session.execute(_order_refunds().where(OrderRefund.id == order_refund_id)).one()


def list_order_refunds(order_ref: str, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = _order_refunds().where(Order.order_ref == order_ref)
    return page_of(statement, keys=(OrderRefund.id,), cursor=cursor, size=size)


def get_checkout(checkout_ref: str) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_checkouts().where(Checkout.ref == checkout_ref)).first()
    if found is None:
        raise NotFound(noun="checkout", id="")
    return found


def get_checkout_by_id(checkout_id: int) -> Any:
    return db.session.execute(_checkouts().where(Checkout.id == checkout_id)).one()


def list_checkouts(customer_ref: str, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = _checkouts()
    if customer_ref:
        statement = statement.where(Customer.customer_ref == customer_ref)
    return page_of(statement, keys=(Checkout.opened_at, Checkout.id), cursor=cursor, size=size)


def list_point_entries(customer_id: int, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = select(
        PointEntry.id,
        PointEntry.kind,
        PointEntry.change,
        PointEntry.available_after,
        PointEntry.because,
        PointEntry.at,
    ).where(PointEntry.customer_id == customer_id)
    return page_of(statement, keys=(PointEntry.id,), cursor=cursor, size=size)


def _names(
    statement: Select[*tuple[Any, ...]], key: Any, wanted: Collection[int]
) -> dict[int, str]:
    if not wanted:
        return {}
    return {row[0]: row[1] for row in db.session.execute(statement.where(key.in_(wanted)))}


def _order_refunds() -> Select[*tuple[Any, ...]]:
    return (
        select(
            OrderRefund.id,
            OrderRefund.ref,
            Order.order_ref,
            OrderLeg.number.label("leg_number"),
            OrderLine.number.label("line_number"),
            OrderRefund.amount_minor,
            OrderRefund.money_minor,
            OrderRefund.points,
            OrderLeg.currency,
            OrderRefund.reason,
            OrderRefund.requested_at,
            Refund.ref.label("refund_ref"),
            func.coalesce(Refund.status, "succeeded").label("status"),
        )
        .join(Order, Order.id == OrderRefund.order_id)
        .join(OrderLeg, OrderLeg.id == OrderRefund.leg_id)
        .outerjoin(OrderLine, OrderLine.id == OrderRefund.line_id)
        .outerjoin(Refund, Refund.id == OrderRefund.refund_id)
    )


def _checkouts() -> Select[*tuple[Any, ...]]:
    return select(
        Checkout.id,
        Checkout.ref,
        Customer.customer_ref,
        Checkout.order_ref,
        Checkout.title,
        Checkout.amount_minor,
        Checkout.currency,
        Checkout.status,
        Checkout.order_id,
        Checkout.on_failure,
        Checkout.return_url,
        Checkout.points_allowed,
        Checkout.opened_at,
        Checkout.expires_at,
    ).join(Customer, Customer.id == Checkout.customer_id)
