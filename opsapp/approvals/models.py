from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.approvals.states import APPROVAL
from opsapp.kernel.db import Base


class MoneyPolicy(Base):
    """One version of what a person may do alone; the highest is in force. Append-only."""

    __tablename__ = "money_policies"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    terms: Mapped[dict[str, Any]]  # rules.Terms as JSON
    because: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class Approval(Base):
    """Something that waits for a second person, and what became of it."""

    __tablename__ = "approvals"
    __table_args__ = (
        APPROVAL.check(),
        CheckConstraint(
            "status NOT IN ('approved', 'returned') OR is_bypass OR decided_by <> requested_by",
            name="two_people",
        ),
        CheckConstraint("NOT is_bypass OR status = 'approved'", name="bypass_approves"),
        CheckConstraint(
            "(status = 'requested') = (decided_by IS NULL)", name="decided_by_somebody"
        ),
        Index("approvals_subject", "subject_type", "subject_id"),
        Index(
            "one_open_approval_per_subject",
            "subject_type",
            "subject_id",
            unique=True,
            postgresql_where=text("status = 'requested'"),
        ),
        Index("approvals_waiting", "expires_at", postgresql_where=text("status = 'requested'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_type: Mapped[str]  # "refund" | "bulk_job"
    subject_id: Mapped[int]
    act: Mapped[str]  # "refund", or the act of the bulk job
    rows: Mapped[int]  # how many it is done to
    sums: Mapped[dict[str, Any]]  # minor units by currency; empty where no money moves
    why: Mapped[str]  # rules: over_limit, other_currency, many_rows, large_sum
    because: Mapped[str]  # the requester's reason
    status: Mapped[str] = mapped_column(default=APPROVAL.start.value)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    answer_due_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(server_default="")
    is_bypass: Mapped[bool] = mapped_column(server_default=text("false"))
