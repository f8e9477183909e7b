"""Customers, and the cases opened for them."""

from typing import Any

from sqlalchemy import Select, func, select

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights.listing_payments import people_like
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.staff.models import StaffAccount
from opsapp.subscriptions.models import Subscription
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TicketStatus

PAGE_SIZE = 30
SHOWN_MAX = 20
ENTRIES_MAX = 50


def list_customers(*, search: str, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    statement = select(
        Customer.id, Customer.customer_ref, Customer.name, Customer.email, Customer.phone,
        Customer.created_at,
    )  # fmt: skip
    if search := search.strip()[:100]:
        statement = statement.where(Customer.id.in_(people_like(search)))
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


def list_tickets(
    *, tab: str, mine: int | None, cursor: str | None, size: int = PAGE_SIZE
) -> Page[Any]:
    """`tab` is a status or "unresolved". Raises BadCursor."""
    statement = _tickets()
    if tab == "unresolved":
        statement = statement.where(Ticket.status != TicketStatus.RESOLVED.value)
    elif tab != "all":
        statement = statement.where(Ticket.status == tab)
    if mine is not None:
        statement = statement.where(Ticket.assignee_id == mine)
    return page_of(statement, keys=(Ticket.opened_at, Ticket.id), cursor=cursor, size=size)


def list_urgent_tickets(*, limit: int = 8) -> list[Any]:
    """Unresolved ones, the answer that is due first before the others."""
    wanted = _tickets().where(Ticket.status != TicketStatus.RESOLVED.value)
    by_deadline = wanted.order_by(Ticket.answer_due_at, Ticket.id).limit(limit)
    return list(db.session.execute(by_deadline))


def _tickets() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Ticket.id, Ticket.reason, Ticket.summary, Ticket.status, Ticket.subject_type,
            Ticket.subject_id, Ticket.opened_at, Ticket.answer_due_at, Ticket.resolved_at,
            Ticket.customer_id, Customer.name.label("customer_name"), Customer.customer_ref,
            StaffAccount.name.label("assignee"),
        )
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(StaffAccount, StaffAccount.id == Ticket.assignee_id)
    )  # fmt: skip


def list_tickets_of(customer_id: int) -> list[Ticket]:
    wanted = select(Ticket).where(Ticket.customer_id == customer_id)
    return list(db.session.scalars(wanted.order_by(Ticket.id.desc()).limit(SHOWN_MAX)))


def get_ticket(ticket_id: int) -> tuple[Ticket, Customer | None, str | None]:
    """The ticket, its customer and who has it. Raises NotFound."""
    found = db.session.execute(
        select(Ticket, Customer, StaffAccount.name)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(StaffAccount, StaffAccount.id == Ticket.assignee_id)
        .where(Ticket.id == ticket_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="ticket", id=ticket_id)
    return found[0], found[1], found[2]


def list_entries_of(subject_type: str, subject_id: int) -> list[AuditEntry]:
    wanted = select(AuditEntry).where(
        AuditEntry.subject_type == subject_type, AuditEntry.subject_id == subject_id
    )
    return list(db.session.scalars(wanted.order_by(AuditEntry.id.desc()).limit(ENTRIES_MAX)))


def count_unresolved(*, ceiling: int = 1000) -> int:
    """Never more than `ceiling` rows are looked at: the screen says "1,000+"."""
    some = select(Ticket.id).where(Ticket.status != TicketStatus.RESOLVED.value).limit(ceiling)
    return db.session.scalars(select(func.count()).select_from(some.subquery())).one()
