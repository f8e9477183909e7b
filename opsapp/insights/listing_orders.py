"""One-off orders and the payment links that ask for them: lists, and one link's page."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from opsapp.checkout.models import Checkout
from opsapp.customers.models import Customer
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice
from opsapp.orders.models import Order, OrderLeg
from opsapp.orders.queries import list_pictures
from opsapp.orders.rules import OrderState
from opsapp.payments.models import Payment

PAGE_SIZE = 30
ENTRIES_MAX = 50
TABS = ("links", "orders")


@dataclass(frozen=True, slots=True)
class LinkPicture:
    link: Checkout
    customer: Customer
    payment: Payment | None
    notice: Notice | None
    entries: list[AuditEntry]


def list_links(*, status: str, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    statement = (
        select(
            Checkout.id, Checkout.ref, Checkout.title, Checkout.amount_minor, Checkout.currency,
            Checkout.status, Checkout.opened_at, Checkout.expires_at, Checkout.order_id,
            Checkout.customer_id, Customer.name, Payment.status.label("payment_status"),
            Payment.method_kind,
        )
        .join(Customer, Customer.id == Checkout.customer_id)
        .outerjoin(OrderLeg, _is_first_leg_of(Checkout.order_id))
        .outerjoin(Payment, Payment.id == OrderLeg.payment_id)
    )  # fmt: skip
    if status:
        statement = statement.where(Checkout.status == status)
    return page_of(statement, keys=(Checkout.opened_at, Checkout.id), cursor=cursor, size=size)


def list_orders(*, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first; `method_kind` is that of the first leg. Raises BadCursor."""
    statement = (
        select(
            Order.id, Order.order_ref, Order.title, Order.amount_minor, Order.currency,
            Order.points, Order.customer_id, Customer.name, Payment.method_kind, Order.placed_at,
            Checkout.id.label("link_id"),
        )
        .join(Customer, Customer.id == Order.customer_id)
        .outerjoin(OrderLeg, _is_first_leg_of(Order.id))
        .outerjoin(Payment, Payment.id == OrderLeg.payment_id)
        .outerjoin(Checkout, Checkout.order_id == Order.id)
    )  # fmt: skip
    return page_of(statement, keys=(Order.placed_at, Order.id), cursor=cursor, size=size)


def list_states(page: Page[Any]) -> dict[int, OrderState]:
    """How the orders of a page stand, by id."""
    pictures = list_pictures([row.id for row in page.rows])
    return {order_id: picture.state for order_id, picture in pictures.items()}


def get_link(checkout_id: int) -> LinkPicture:
    """Raises NotFound."""
    row = db.session.execute(
        select(Checkout, Customer, Payment)
        .join(Customer, Customer.id == Checkout.customer_id)
        .outerjoin(OrderLeg, _is_first_leg_of(Checkout.order_id))
        .outerjoin(Payment, Payment.id == OrderLeg.payment_id)
        .where(Checkout.id == checkout_id)
    ).one_or_none()
    if row is None:
        raise NotFound(noun="payment link", id=checkout_id)
    told = select(Notice).where(Notice.subject_type == "checkout", Notice.subject_id == checkout_id)
    entries = (
        select(AuditEntry)
        .where(AuditEntry.subject_type == "checkout", AuditEntry.subject_id == checkout_id)
        .order_by(AuditEntry.id.desc())
        .limit(ENTRIES_MAX)
    )
    notice = db.session.scalars(told.limit(1)).one_or_none()
    return LinkPicture(row[0], row[1], row[2], notice, list(db.session.scalars(entries)))


def find_link(order_ref: str) -> int | None:
    """The link that was made under this number: a form sent twice finds its first half."""
    known = select(Checkout.id).where(Checkout.order_ref == order_ref)
    return db.session.scalar(known)


def _is_first_leg_of(order_id: Any) -> ColumnElement[bool]:
    return and_(OrderLeg.order_id == order_id, OrderLeg.number == 1)
