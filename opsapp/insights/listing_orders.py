"""One-off orders and the payment links that ask for them: lists, and one link's page."""

from dataclasses import dataclass
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal, select

from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CheckoutStatus
from opsapp.customers.models import Customer
from opsapp.insights import reading_wishes as reading
from opsapp.insights.adding_up import add_up
from opsapp.insights.finding_orders import links_like, orders_like
from opsapp.insights.reading_wishes import Query
from opsapp.insights.rules import Totals, is_short
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice
from opsapp.orders.models import Order, OrderLeg
from opsapp.orders.queries import list_states
from opsapp.payments.models import Payment

PAGE_SIZE = 30
ENTRIES_MAX = 50
TABS = ("links", "orders")


@dataclass(frozen=True, slots=True)
class LinkWish:
    """The days are those on which a link was made."""

    status: str = ""
    search: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class OrderWish:
    """The days are those on which an order was placed."""

    search: str = ""
    method: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class LinkPicture:
    link: Checkout
    customer: Customer
    payment: Payment | None
    notice: Notice | None
    entries: list[AuditEntry]


def read_link_wish(query: Query) -> LinkWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    status = reading.choice(query, "status", CheckoutStatus)
    return LinkWish(status, reading.search(query), since, until)


def read_wish(query: Query) -> OrderWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    method = reading.choice(query, "method", reading.METHOD_KINDS)
    return OrderWish(reading.search(query), method, since, until)


def list_links(wish: LinkWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
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
    if wish.status:
        statement = statement.where(Checkout.status == wish.status)
    if search := wish.search:
        statement = statement.where(Checkout.id.in_(links_like(search)))
    statement = _within(statement, Checkout.opened_at, wish)
    return page_of(statement, keys=(Checkout.opened_at, Checkout.id), cursor=cursor, size=size)


def list_orders(wish: OrderWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first; `method_kind` is that of the first leg, `state` that of all legs.

    Raises BadCursor.
    """
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
    keys = (Order.placed_at, Order.id)
    return _with_states(page_of(_ordered(statement, wish), keys=keys, cursor=cursor, size=size))


def sum_orders(wish: OrderWish) -> Totals | None:
    """Of all filtered rows in won, paid or not; None without a short period, or for many."""
    if not is_short(wish.since, wish.until):
        return None
    rows: Select[*tuple[Any, ...]] = select(Order.amount_minor, literal(0))
    if wish.method:
        rows = rows.outerjoin(OrderLeg, _is_first_leg_of(Order.id)).outerjoin(
            Payment, Payment.id == OrderLeg.payment_id
        )
    return add_up(_ordered(rows, wish), in_won=Order.currency == "KRW")


def _ordered(statement: Select[*tuple[Any, ...]], wish: OrderWish) -> Select[*tuple[Any, ...]]:
    if wish.method:
        statement = statement.where(Payment.method_kind == wish.method)
    if search := wish.search:
        statement = statement.where(Order.id.in_(orders_like(search)))
    return _within(statement, Order.placed_at, wish)


def _with_states(page: Page[Any]) -> Page[Any]:
    """Asked once for all rows of the page."""
    states = list_states([row.id for row in page.rows])
    rows = [SimpleNamespace(**row._mapping, state=states.get(row.id)) for row in page.rows]
    return Page(rows, page.next_cursor, page.previous_cursor)


def _within(
    statement: Select[*tuple[Any, ...]], moment: Any, wish: LinkWish | OrderWish
) -> Select[*tuple[Any, ...]]:
    if wish.since:
        statement = statement.where(moment >= seoul_midnight(wish.since))
    if wish.until:
        statement = statement.where(moment < seoul_midnight(wish.until + timedelta(days=1)))
    return statement


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
