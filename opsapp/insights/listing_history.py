"""A customer's history: the log, messages, notes, agreements and points on one line."""

from typing import Any

from sqlalchemy import (
    Text,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from opsapp.consents.models import Consent
from opsapp.customers.models import PaymentMethod, StaffNote
from opsapp.insights.lining_up import Line, log_line, notes_line
from opsapp.insights.showing_payments import payment_behind
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice
from opsapp.orders.models import Order
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.points.models import PointEntry
from opsapp.recovery.models import Recovery
from opsapp.staff.models import StaffAccount
from opsapp.subscriptions.models import Subscription
from opsapp.tickets.models import Ticket

PAGE_SIZE = 30
KINDS = (
    "payments", "subscriptions", "notices", "tickets", "notes", "methods", "points", "customer",
)  # fmt: skip
# Turns of the machine that tell a person nothing: each is followed by what came of it.
_UNTOLD = ("ready", "inflight", "at_window", "processing", "issuing", "scheduled", "requested")
_SOURCES = ("log", "notice", "note", "consent", "points")


def list_history(
    customer_id: int, *, kind: str = "", cursor: str | None = None, size: int = PAGE_SIZE
) -> Page[Any]:
    """The newest first, of all kinds or one of KINDS; one statement. Raises BadCursor."""
    arms = _arms(customer_id)
    chosen = [arm for name, arm in arms if kind in ("", name)]
    line = (union_all(*chosen) if len(chosen) > 1 else chosen[0]).subquery()
    staff = cast(func.concat("staff:", StaffAccount.id), Text)
    statement = select(
        *line.c,
        payment_behind(line.c.subject_type, line.c.subject_id).label("payment_id"),
        StaffAccount.name.label("actor_name"),
    ).outerjoin(StaffAccount, line.c.actor == staff)
    return page_of(statement, keys=(line.c.at, line.c.place), cursor=cursor, size=size)


def _arms(customer_id: int) -> list[tuple[str, Line]]:
    payments = select(Payment.id).where(Payment.customer_id == customer_id)
    subscriptions = select(Subscription.id).where(Subscription.customer_id == customer_id)
    logged: list[tuple[str, str, Any]] = [
        ("payments", "payment", payments),
        ("payments", "attempt", select(Attempt.id).where(Attempt.payment_id.in_(payments))),
        ("payments", "refund", select(Refund.id).where(Refund.payment_id.in_(payments))),
        ("payments", "order", select(Order.id).where(Order.customer_id == customer_id)),
        (
            "payments",
            "recovery",
            select(Recovery.id).where(Recovery.subscription_id.in_(subscriptions)),
        ),
        ("subscriptions", "subscription", subscriptions),
        (
            "subscriptions",
            "consent",
            select(Consent.id).where(Consent.customer_id == customer_id),
        ),
        ("tickets", "ticket", select(Ticket.id).where(Ticket.customer_id == customer_id)),
        (
            "methods",
            "payment_method",
            select(PaymentMethod.id).where(PaymentMethod.customer_id == customer_id),
        ),
        ("customer", "customer", select(literal(customer_id))),
    ]
    return [
        *((name, _placed(_logged(subject, ids), "log")) for name, subject, ids in logged),
        ("notices", _placed(_noticed(customer_id), "notice")),
        ("notes", _placed(notes_line(StaffNote.customer_id == customer_id), "note")),
        ("subscriptions", _placed(_agreed(customer_id), "consent")),
        ("points", _placed(_pointed(customer_id), "points")),
    ]


def _placed(line: Line, source: str) -> Line:
    """With a place that no other row of the same moment has: pages go on from it."""
    id_: Any = line.selected_columns.id
    rank = _SOURCES.index(source)
    return line.add_columns((id_ * len(_SOURCES) + rank).label("place"))


def _logged(subject_type: str, ids: Any) -> Line:
    return log_line(
        subject_type,
        ids,
        or_(AuditEntry.to_state.is_(None), AuditEntry.to_state.not_in(_UNTOLD)),
        # Each has a line of its own kind.
        AuditEntry.action.not_in(("note.written", "consent.given")),
        AuditEntry.action != "payment_method.requested",
    )


def _noticed(customer_id: int) -> Line:
    return select(
        func.coalesce(Notice.sent_at, Notice.created_at).label("at"),
        Notice.id.label("id"),
        literal("notice").label("source"),
        literal("notice").label("subject_type"),
        Notice.id.label("subject_id"),
        Notice.kind.label("what"),
        Notice.status.label("to_state"),
        func.coalesce(Notice.error, "").label("because"),
        literal("").label("actor"),
        func.jsonb_build_object("channel", Notice.channel).label("detail"),
    ).where(Notice.customer_id == customer_id)


def _agreed(customer_id: int) -> Line:
    return select(
        Consent.agreed_at.label("at"),
        Consent.id.label("id"),
        literal("consent").label("source"),
        literal("consent").label("subject_type"),
        Consent.id.label("subject_id"),
        Consent.kind.label("what"),
        cast(null(), Text).label("to_state"),
        Consent.terms_label.label("because"),
        Consent.recorded_by.label("actor"),
        func.jsonb_build_object("channel", Consent.channel).label("detail"),
    ).where(Consent.customer_id == customer_id)


def _pointed(customer_id: int) -> Line:
    return select(
        PointEntry.at.label("at"),
        PointEntry.id.label("id"),
        literal("points").label("source"),
        PointEntry.subject_type.label("subject_type"),
        PointEntry.subject_id.label("subject_id"),
        PointEntry.kind.label("what"),
        cast(null(), Text).label("to_state"),
        PointEntry.because.label("because"),
        literal("").label("actor"),
        func.jsonb_build_object(
            "change", PointEntry.change, "available", PointEntry.available_after
        ).label("detail"),
    ).where(PointEntry.customer_id == customer_id)
