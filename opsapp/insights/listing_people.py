"""Customers, and the cases opened for them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights import reading_wishes as reading
from opsapp.insights.finding_people import is_one_of, people_like
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.subscriptions.models import Subscription
from opsapp.tickets.models import Ticket

PAGE_SIZE = 30
SHOWN_MAX = 20
ENTRIES_MAX = 50


@dataclass(frozen=True, slots=True)
class CustomerWish:
    search: str = ""


def read_wish(query: Query) -> CustomerWish:
    return CustomerWish(reading.search(query))


def list_customers(wish: CustomerWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    statement = select(
        Customer.id, Customer.customer_ref, Customer.name, Customer.email, Customer.phone,
        Customer.created_at,
    )  # fmt: skip
    if search := wish.search:
        statement = statement.where(is_one_of(Customer.id, people_like(search)))
    return page_of(statement, keys=(Customer.id,), cursor=cursor, size=size)


def get_customer(customer_id: int) -> Customer:
    """Raises NotFound."""
    found = db.session.get(Customer, customer_id)
    if found is None:
        raise NotFound(noun="customer", id=customer_id)
    return found


def list_methods(customer_id: int) -> list[PaymentMethod]:
    wanted = select(PaymentMethod).where(PaymentMethod.customer_id == customer_id)
    return list(db.session.scalars(wanted.order_by(PaymentMethod.id.desc()).limit(SHOWN_MAX)))


def list_subscriptions_of(customer_id: int) -> list[Any]:
    return list(
        db.session.execute(
            select(
                Subscription.id, Subscription.ref, Subscription.status, Subscription.amount_minor,
                Subscription.currency, Subscription.next_due_at, Plan.name.label("plan_name"),
            )
            .join(Plan, Plan.id == Subscription.plan_id)
            .where(Subscription.customer_id == customer_id)
            .order_by(Subscription.id.desc())
            .limit(SHOWN_MAX)
        )
    )  # fmt: skip


def list_tickets_of(customer_id: int) -> list[Ticket]:
    wanted = select(Ticket).where(Ticket.customer_id == customer_id)
    return list(db.session.scalars(wanted.order_by(Ticket.id.desc()).limit(SHOWN_MAX)))


def list_entries_of(subject_type: str, subject_id: int) -> list[AuditEntry]:
    wanted = select(AuditEntry).where(
        AuditEntry.subject_type == subject_type, AuditEntry.subject_id == subject_id
    )
    return list(db.session.scalars(wanted.order_by(AuditEntry.id.desc()).limit(ENTRIES_MAX)))
