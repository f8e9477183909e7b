from datetime import datetime

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.tickets.states import TICKET


class Ticket(Base):
    """One unresolved ticket per subject and reason: a second cause joins the first."""

    __tablename__ = "tickets"
    __table_args__ = (
        TICKET.check(),
        Index(
            "one_open_ticket_per_reason",
            "subject_type",
            "subject_id",
            "reason",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("tickets_opened", "status", "opened_at", "id"),
        Index(
            "tickets_urgent",
            "answer_due_at",
            "id",
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("tickets_customer", "customer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    customer_id: Mapped[int | None]
    reason: Mapped[str]  # "repeated_failure", "uncertain_attempt", "refund_stuck"
    summary: Mapped[str]
    status: Mapped[str] = mapped_column(default=TICKET.start.value)
    assignee_id: Mapped[int | None]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    answer_due_at: Mapped[datetime]  # the SLA, business time
    resolved_at: Mapped[datetime | None]
