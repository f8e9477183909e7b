"""The payments list: filters and one search box, in one statement of indexed parts."""

import string
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal_column, select, union
from sqlalchemy.orm import InstrumentedAttribute

from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights.rules import Totals, is_short
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import Invalid
from opsapp.kernel.paging import Page, page_of
from opsapp.orders.models import Order, OrderLeg
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import AttemptStatus, PaymentStatus, RefundStatus
from opsapp.subscriptions.models import Subscription

PAGE_SIZE = 30
SEARCH_LENGTH_MAX = 100
# A first-6 or a common name may fit many customers; the list shows the newest payments of these.
PEOPLE_MAX = 2000

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
    amount_from: int | None = None
    amount_to: int | None = None
    basis: str = "requested"
    since: date | None = None
    until: date | None = None


def list_payments(wish: PaymentWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first by the basis. Raises BadCursor, and Invalid for a period that runs backwards."""
    if wish.since and wish.until and wish.until < wish.since:
        raise Invalid(field="until", reason="The period ends before it begins.")
    is_uncertain = _is_uncertain()
    statement = select(
        *COLUMNS,
        Customer.id.label("customer_id"),
        Customer.name.label("customer_name"),
        Customer.customer_ref,
        is_uncertain.label("is_uncertain"),
    ).join(Customer, Customer.id == Payment.customer_id)
    if wish.tab == "uncertain":
        statement = statement.where(is_uncertain)
    statement = _filtered(statement, wish)
    keys = (_moment(wish), Payment.id)
    return page_of(statement, keys=keys, cursor=cursor, size=size)


def sum_payments(wish: PaymentWish) -> Totals | None:
    """Of all filtered rows in won, not of the page; None without a short period."""
    if not is_short(wish.since, wish.until):
        return None
    statement = select(
        func.count(),
        func.coalesce(func.sum(Payment.captured_minor), 0),
        func.coalesce(func.sum(Payment.refunded_minor), 0),
    ).where(Payment.currency == "KRW")
    if wish.tab == "uncertain":
        statement = statement.where(_is_uncertain())
    count, captured, refunded = db.session.execute(_filtered(statement, wish)).one()
    return Totals(count=count, captured_minor=int(captured), refunded_minor=int(refunded))


def list_of_customer(customer_id: int, *, limit: int = 10) -> list[Any]:
    statement = select(*COLUMNS).where(Payment.customer_id == customer_id)
    keys = (Payment.requested_at, Payment.id)
    return list(page_of(statement, keys=keys, cursor=None, size=limit).rows)


def _is_uncertain() -> ColumnElement[bool]:
    """One union, not two conditions joined by OR: PostgreSQL then starts from these few rows."""
    uncertain = union(
        select(Attempt.payment_id).where(Attempt.status.in_(UNCERTAIN)),
        select(Refund.payment_id).where(Refund.status.in_(REFUND_UNCERTAIN)),
    ).subquery()
    return Payment.id.in_(select(uncertain.c.payment_id))


def _moment(wish: PaymentWish) -> InstrumentedAttribute[Any]:
    return Payment.paid_at if wish.basis == "paid" else Payment.requested_at


def _filtered(statement: Select[*tuple[Any, ...]], wish: PaymentWish) -> Select[*tuple[Any, ...]]:
    if statuses := TABS.get(wish.tab, ()):
        statement = statement.where(Payment.status.in_([status.value for status in statuses]))
    equal: tuple[tuple[InstrumentedAttribute[str], str], ...] = (
        (Payment.status, wish.status),
        (Payment.method_kind, wish.method),
        (Payment.gateway_name, wish.gateway),
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
    if search := wish.search.strip()[:SEARCH_LENGTH_MAX]:
        statement = statement.where(Payment.id.in_(_matching(search)))
    return statement


def _matching(search: str) -> Select[Any]:
    """Payments by any of their names: each arm of the union is one index look-up."""
    order_ids = select(Attempt.payment_id).where(Attempt.gateway_order_id == search)
    arms: list[Select[Any]] = [
        select(Payment.id).where(Payment.ref == search),
        select(Payment.id).where(Payment.approval_number == search),
        select(OrderLeg.payment_id)
        .join(Order, Order.id == OrderLeg.order_id)
        .where(Order.order_ref == search, OrderLeg.payment_id.is_not(None)),
        order_ids,
        select(Attempt.payment_id).where(Attempt.gateway_key == search),
        select(Payment.id).where(Payment.customer_id.in_(people_like(search))),
        select(Payment.id).where(
            Payment.subject_type == "subscription",
            Payment.subject_id.in_(select(Subscription.id).where(Subscription.ref == search)),
        ),
    ]
    digits = "".join(c for c in search if c in string.digits)
    if digits == search and len(digits) in (4, 6):
        # Some card companies hide the last digit too: 1234 is then kept as 123*.
        is_it = (
            PaymentMethod.last4.in_([digits, f"{digits[:3]}*"])
            if len(digits) == 4
            else PaymentMethod.first6 == digits
        )
        held = select(PaymentMethod.id).where(is_it).limit(PEOPLE_MAX)
        owners = select(PaymentMethod.customer_id).where(is_it).limit(PEOPLE_MAX)
        arms.append(
            select(Attempt.payment_id)
            .join(Payment, Payment.id == Attempt.payment_id)
            .where(Payment.customer_id.in_(owners), Attempt.payment_method_id.in_(held))
        )
    if digits == search and len(digits) <= 18:
        arms.append(select(Payment.id).where(Payment.id == int(digits)))
    found = union(*arms).subquery()
    return select(found.c[0])


def people_like(search: str) -> Select[Any]:
    """Customers by number, name (inside it too), e-mail or the last digits of the phone."""
    arms: list[Select[Any]] = [
        select(Customer.id).where(Customer.customer_ref == search),
        select(Customer.id).where(Customer.email == search.lower()),
    ]
    digits = "".join(c for c in search if c in string.digits)
    if len(digits) >= 4 and all(c in string.digits or c in "- " for c in search):
        tail = func.right(Customer.phone, literal_column("4")) == digits[-4:]
        plain = func.replace(Customer.phone, "-", "")
        arms.append(select(Customer.id).where(tail, plain.endswith(digits, autoescape=True)))
    elif not digits:
        arms.append(
            select(Customer.id)
            .where(Customer.name.contains(search, autoescape=True))
            .limit(PEOPLE_MAX)
        )
    found = union(*arms).subquery()
    return select(found.c[0])
