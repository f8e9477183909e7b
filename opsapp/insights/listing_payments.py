"""The payments list: filters and one search box, in one statement of indexed parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, exists, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute

from opsapp.customers.models import Customer
from opsapp.failures.models import CLASSES
from opsapp.insights import reading_wishes as reading
from opsapp.insights.adding_up import add_up
from opsapp.insights.finding_payments import is_like, ways_to_be_meant
from opsapp.insights.reading_wishes import Query
from opsapp.insights.rules import Totals, is_short
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import Invalid
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import AttemptStatus, PaymentStatus, RefundStatus

PAGE_SIZE = 30

P = PaymentStatus
UNCERTAIN = (AttemptStatus.UNKNOWN.value, AttemptStatus.NEEDS_HUMAN.value)
REFUND_UNCERTAIN = (RefundStatus.UNKNOWN.value, RefundStatus.NEEDS_HUMAN.value)

TABS: dict[str, tuple[PaymentStatus, ...]] = {
    "all": (),
    "approved": (P.PAID, P.PARTLY_REFUNDED),
    "failed": (P.FAILED,),
    "refunded": (P.PARTLY_REFUNDED, P.REFUNDED),
    "awaiting": (P.AWAITING_DEPOSIT,),
    "uncertain": (),
}
BASES = ("requested", "paid")
# What a payment is for: a period of a subscription, or an order's goods.
KINDS = {"recurring": "subscription", "one_off": "order"}

COLUMNS = (
    Payment.id,
    Payment.ref,
    Payment.requested_at,
    Payment.paid_at,
    Payment.title,
    Payment.amount_minor,
    Payment.currency,
    Payment.refunded_minor,
    Payment.refund_pending_minor,
    Payment.status,
    Payment.method_kind,
    Payment.gateway_name,
    Payment.failure_class,
    Payment.failure_code,
    Payment.approval_number,
    Payment.subject_type,
    Payment.period_index,
)


@dataclass(frozen=True, slots=True)
class PaymentWish:
    """`basis` is the moment that the days are about: requested or paid."""

    tab: str = "all"
    search: str = ""
    status: str = ""
    method: str = ""
    gateway: str = ""
    kind: str = ""
    failure: str = ""
    amount_from: int | None = None
    amount_to: int | None = None
    basis: str = "requested"
    since: date | None = None
    until: date | None = None


def read_wish(query: Query) -> PaymentWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    return PaymentWish(
        tab=reading.choice(query, "tab", TABS, "all"),
        search=reading.search(query),
        status=reading.choice(query, "status", PaymentStatus),
        method=reading.choice(query, "method", reading.METHOD_KINDS),
        gateway=reading.choice(query, "gateway", reading.GATEWAYS),
        kind=reading.choice(query, "kind", KINDS),
        failure=reading.choice(query, "failure", CLASSES),
        amount_from=reading.whole_number(query, "amount_from"),
        amount_to=reading.whole_number(query, "amount_to"),
        basis=reading.choice(query, "basis", BASES, "requested"),
        since=since,
        until=until,
    )


def list_payments(wish: PaymentWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first by the basis. Raises BadCursor, and Invalid for a period that runs backwards."""
    if wish.since and wish.until and wish.until < wish.since:
        raise Invalid(field="until", reason="The period ends before it begins.")
    keys: Sequence[Any] = (_moment(wish), Payment.id)
    statement = _fitting(select(*keys), wish)
    if search := wish.search.strip():
        # Indexes hold the keys: of hundreds that are meant, only those shown are read themselves.
        found = union(*(statement.where(way) for way in ways_to_be_meant(search))).subquery()
        keys = tuple(found.c)
        statement = select(*keys)
    return page_of(statement, keys=keys, cursor=cursor, size=size, dressed=_shown)


def sum_payments(wish: PaymentWish) -> Totals | None:
    """Of all filtered rows in won, not of the page; None without a short period, or for many."""
    if not is_short(wish.since, wish.until):
        return None
    rows = select(Payment.captured_minor, Payment.refunded_minor)
    return add_up(_filtered(rows, wish), in_won=Payment.currency == "KRW")


def list_fitting(wish: PaymentWish, *, ids: Sequence[int] | None = None, limit: int) -> list[Any]:
    """(id, status) of all that fit the filter now, or of those among `ids`; at most `limit`."""
    fitting = _filtered(select(Payment.id, Payment.status), wish)
    if ids is not None:
        fitting = fitting.where(Payment.id.in_(ids))
    return list(db.session.execute(fitting.order_by(Payment.id).limit(limit)))


def list_of_customer(customer_id: int, *, limit: int = 10) -> list[Any]:
    statement = select(*COLUMNS).where(Payment.customer_id == customer_id)
    keys = (Payment.requested_at, Payment.id)
    return list(page_of(statement, keys=keys, cursor=None, size=limit).rows)


def _shown(page: Subquery) -> Select[*tuple[Any, ...]]:
    attempts = exists().where(Attempt.payment_id == page.c.id, Attempt.status.in_(UNCERTAIN))
    refunds = exists().where(Refund.payment_id == page.c.id, Refund.status.in_(REFUND_UNCERTAIN))
    return (
        select(
            *COLUMNS,
            Payment.customer_id,
            Customer.name.label("customer_name"),
            Customer.customer_ref,
            or_(attempts, refunds).label("is_uncertain"),
        )
        .join_from(page, Payment, Payment.id == page.c.id)
        .join(Customer, Customer.id == Payment.customer_id)
    )


def _is_uncertain() -> ColumnElement[bool]:
    """One union, not two conditions joined by OR: PostgreSQL then starts from these few rows."""
    uncertain = union(
        select(Attempt.payment_id).where(Attempt.status.in_(UNCERTAIN)),
        select(Refund.payment_id).where(Refund.status.in_(REFUND_UNCERTAIN)),
    ).subquery()
    is_it: ColumnElement[bool] = Payment.id.in_(select(uncertain.c.payment_id))
    return is_it


def _moment(wish: PaymentWish) -> InstrumentedAttribute[Any]:
    return Payment.paid_at if wish.basis == "paid" else Payment.requested_at


def _filtered(statement: Select[*tuple[Any, ...]], wish: PaymentWish) -> Select[*tuple[Any, ...]]:
    statement = _fitting(statement, wish)
    search = wish.search.strip()
    return statement.where(is_like(search)) if search else statement


def _fitting(statement: Select[*tuple[Any, ...]], wish: PaymentWish) -> Select[*tuple[Any, ...]]:
    """All filters, but not what is looked for."""
    if statuses := TABS.get(wish.tab, ()):
        statement = statement.where(Payment.status.in_([status.value for status in statuses]))
    if wish.tab == "uncertain":
        statement = statement.where(_is_uncertain())
    equal: tuple[tuple[InstrumentedAttribute[Any], str], ...] = (
        (Payment.status, wish.status),
        (Payment.method_kind, wish.method),
        (Payment.gateway_name, wish.gateway),
        (Payment.subject_type, KINDS.get(wish.kind, "")),
        (Payment.failure_class, wish.failure),
    )
    for column, value in equal:
        if value:
            statement = statement.where(column == value)
    if wish.amount_from is not None:
        statement = statement.where(Payment.amount_minor >= wish.amount_from)
    if wish.amount_to is not None:
        statement = statement.where(Payment.amount_minor <= wish.amount_to)
    moment = _moment(wish)
    if wish.basis == "paid":
        statement = statement.where(moment.is_not(None))
    if wish.since:
        statement = statement.where(moment >= seoul_midnight(wish.since))
    if wish.until:
        statement = statement.where(moment < seoul_midnight(wish.until + timedelta(days=1)))
    return statement
