"""One case with all that it is about, as it stands now, and what a person would do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.locale import current_locale, kst_day, won
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.money import Money
from opsapp.payments.models import Attempt, Payment, Refund, UnmatchedMoney
from opsapp.recovery.models import Recovery
from opsapp.recovery.states import OPEN as RECOVERY_OPEN
from opsapp.settings import current
from opsapp.staff.models import StaffAccount
from opsapp.subscriptions.models import Subscription
from opsapp.tickets import reading
from opsapp.tickets.models import Ticket
from opsapp.tickets.reading import Written
from opsapp.tickets.states import TicketStatus

SHOWN_MAX = 10
ENTRIES_MAX = 100
_SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class TicketPicture:
    """`payment`: what the case is about, or the latest one of its subscription.

    `others`: the customer's other unresolved cases; `merged`: what was merged into this one.
    """

    ticket: Ticket
    customer: Customer | None
    assignee: str | None
    payment: Any | None
    subscription: Any | None
    refunds: Sequence[Any]
    written: Sequence[Written]
    entries: Sequence[AuditEntry]
    others: Sequence[Ticket]
    merged: Sequence[Ticket]

    @property
    def failure_code(self) -> str | None:
        return self.payment.failure_code if self.payment is not None else None


def show_ticket(ticket_id: int) -> TicketPicture:
    """Raises NotFound."""
    ticket, customer, assignee = _find(ticket_id)
    payment_id, subscription_id = _subjects(ticket)
    subscription = _subscription(subscription_id, payment_id)
    payment = _payment(payment_id, subscription)
    neighbours = _neighbours(ticket)
    return TicketPicture(
        ticket,
        customer,
        assignee,
        payment,
        subscription,
        _refunds(payment.id) if payment is not None else (),
        reading.list_written(ticket_id),
        _entries(ticket_id),
        [each for each in neighbours if each.status != TicketStatus.RESOLVED],
        [each for each in neighbours if each.merged_into_id == ticket_id],
    )


def macro_values(picture: TicketPicture, locale: str) -> Mapping[str, str]:
    """What fills in a macro, in the customer's language; without what this case has not."""
    token = current_locale.set(locale)
    try:
        values = {"shop": current().shop_name}
        if (payment := picture.payment) is not None:
            values["amount"] = won(Money(payment.amount_minor, payment.currency))
            values["title"] = payment.title
            if payment.paid_at is not None:
                values["paid_on"] = kst_day(payment.paid_at)
        if (subscription := picture.subscription) is not None:
            values.setdefault(
                "amount", won(Money(subscription.amount_minor, subscription.currency))
            )
            values.setdefault("title", subscription.plan_name)
            values["next_on"] = kst_day(subscription.next_due_at)
    finally:
        current_locale.reset(token)
    return values


def _find(ticket_id: int) -> tuple[Ticket, Customer | None, str | None]:
    found = db.session.execute(
        select(Ticket, Customer, StaffAccount.name)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(StaffAccount, StaffAccount.id == Ticket.assignee_id)
        .where(Ticket.id == ticket_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="ticket", id=ticket_id)
    return found[0], found[1], found[2]


def _subjects(ticket: Ticket) -> tuple[int | None, int | None]:
    """The payment and the subscription that it was opened about."""
    match ticket.subject_type:
        case "payment":
            return ticket.subject_id, None
        case "subscription":
            return None, ticket.subject_id
        case "unmatched_money":
            of_case = select(UnmatchedMoney.payment_id).where(
                UnmatchedMoney.id == ticket.subject_id
            )
            return db.session.scalars(of_case).one_or_none(), None
        case _:
            return None, None


def _subscription(subscription_id: int | None, payment_id: int | None) -> Any | None:
    if subscription_id is None and payment_id is None:
        return None
    recovery = (
        select(Recovery.id)
        .where(
            Recovery.subscription_id == Subscription.id,
            Recovery.status.in_([status.value for status in RECOVERY_OPEN]),
        )
        .order_by(Recovery.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    of_payment = select(Payment.subject_id).where(
        Payment.id == payment_id, Payment.subject_type == _SUBSCRIPTION
    )
    is_it: ColumnElement[bool] = (
        Subscription.id == subscription_id
        if subscription_id is not None
        else Subscription.id == of_payment.scalar_subquery()
    )
    return db.session.execute(
        select(
            Subscription.id, Subscription.status, Subscription.amount_minor, Subscription.currency,
            Subscription.next_due_at, Subscription.failures_in_row, Plan.name.label("plan_name"),
            recovery.label("recovery_id"),
        )
        .join(Plan, Plan.id == Subscription.plan_id)
        .where(is_it)
    ).one_or_none()  # fmt: skip


def _payment(payment_id: int | None, subscription: Any | None) -> Any | None:
    if payment_id is None and subscription is None:
        return None
    is_it = (
        Payment.id == payment_id
        if payment_id is not None
        else and_(
            Payment.subject_type == _SUBSCRIPTION,
            Payment.subject_id == (subscription.id if subscription is not None else None),
        )
    )
    stuck = (
        select(func.max(Attempt.id))
        .where(Attempt.payment_id == Payment.id, Attempt.status.in_(("unknown", "needs_human")))
        .scalar_subquery()
    )
    return db.session.execute(
        select(
            Payment.id, Payment.ref, Payment.title, Payment.amount_minor, Payment.currency,
            Payment.status, Payment.paid_at, Payment.requested_at, Payment.subject_type,
            Payment.subject_id, Payment.failure_class, Payment.failure_code, Payment.gateway_name,
            stuck.label("uncertain_attempt_id"),
        )
        .where(is_it)
        .order_by(Payment.id.desc())
        .limit(1)
    ).one_or_none()  # fmt: skip


def _refunds(payment_id: int) -> Sequence[Any]:
    wanted = (
        select(Refund.id, Refund.status, Refund.amount_minor, Refund.currency, Refund.requested_at)
        .where(Refund.payment_id == payment_id)
        .order_by(Refund.id.desc())
        .limit(SHOWN_MAX)
    )
    return db.session.execute(wanted).all()


def _entries(ticket_id: int) -> Sequence[AuditEntry]:
    """Oldest first."""
    wanted = select(AuditEntry).where(
        AuditEntry.subject_type == "ticket", AuditEntry.subject_id == ticket_id
    )
    latest = wanted.order_by(AuditEntry.id.desc()).limit(ENTRIES_MAX)
    return list(reversed(list(db.session.scalars(latest))))


def _neighbours(ticket: Ticket) -> Sequence[Ticket]:
    """The same customer's unresolved ones, and what was merged into this one."""
    of_customer = and_(
        Ticket.customer_id.is_not(None),  # two cases of nobody have nothing in common
        Ticket.customer_id == ticket.customer_id,
        Ticket.status != TicketStatus.RESOLVED.value,
    )
    wanted = select(Ticket).where(
        or_(of_customer, Ticket.merged_into_id == ticket.id), Ticket.id != ticket.id
    )
    return list(db.session.scalars(wanted.order_by(Ticket.id.desc()).limit(SHOWN_MAX)))
