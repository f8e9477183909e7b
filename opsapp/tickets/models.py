from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.tickets.rules import Priority
from opsapp.tickets.states import TICKET


class Ticket(Base):
    """One unresolved ticket per subject and reason: a second cause joins the first."""

    __tablename__ = "tickets"
    __table_args__ = (
        TICKET.check(),
        CheckConstraint(
            "priority IN ('urgent', 'high', 'normal', 'low')",
            name="priority_known",
        ),
        CheckConstraint("merged_into_id <> id", name="merged_elsewhere"),
        Index(
            "one_open_ticket_per_reason",
            "subject_type",
            "subject_id",
            "reason",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("tickets_opened", "status", "opened_at", "id"),
        Index("tickets_newest", "opened_at", "id"),
        Index(
            "tickets_urgent",
            "answer_due_at",
            "id",
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index(
            "tickets_of_assignee",
            "assignee_id",
            "answer_due_at",
            "id",
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("tickets_answer", "answer_due_at", "id"),
        Index("tickets_reason", "reason", "opened_at", "id"),
        Index(
            "tickets_other_priority",
            "priority",
            "opened_at",
            "id",
            postgresql_where=text("priority <> 'normal'"),
        ),
        Index(
            "tickets_given",
            "assignee_id",
            "opened_at",
            "id",
            postgresql_where=text("assignee_id IS NOT NULL"),
        ),
        Index("tickets_customer", "customer_id"),
        Index(
            "tickets_merged_into",
            "merged_into_id",
            postgresql_where=text("merged_into_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    customer_id: Mapped[int | None]
    reason: Mapped[str]  # "repeated_failure", "uncertain_attempt", "refund_stuck"
    summary: Mapped[str]
    status: Mapped[str] = mapped_column(default=TICKET.start.value)
    priority: Mapped[str] = mapped_column(
        default=Priority.NORMAL.value, server_default=Priority.NORMAL.value
    )
    assignee_id: Mapped[int | None]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    answer_due_at: Mapped[datetime]  # the SLA, business time; moved on by the time of waiting
    waiting_since: Mapped[datetime | None]  # for the customer: until then the SLA stands still
    snoozed_until: Mapped[datetime | None]  # out of the queue until then
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]  # one of rules.RESOLUTIONS
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))


class TicketMessage(Base):
    """What staff wrote: a note among themselves, or to the customer by a notice of its own."""

    __tablename__ = "ticket_messages"
    __table_args__ = (
        CheckConstraint("kind IN ('note', 'customer')", name="kind_known"),
        Index("ticket_messages_of", "ticket_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    # Where it was written, if that ticket was merged into this one.
    from_ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    kind: Mapped[str]
    request_id: Mapped[str] = mapped_column(unique=True)  # a form sent twice is one message
    text_sealed: Mapped[bytes]  # staff write about people: nobody reads it in the table
    locale: Mapped[str]  # in which language the customer is written to
    author: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class TicketMacro(Base):
    """A text that staff begin a message with, in both languages; may name {places} to fill."""

    __tablename__ = "ticket_macros"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    text_ko: Mapped[str]
    text_en: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
