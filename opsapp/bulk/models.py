from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.bulk.states import BULK, OPEN, ROW
from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable, due_index


class BulkJob(Claimable, Base):
    """One act on all that fitted a filter when staff confirmed it."""

    __tablename__ = "bulk_jobs"
    __table_args__ = (
        BULK.check(),
        CheckConstraint("total > 0", name="not_empty"),
        CheckConstraint("subject_type IN ('subscription', 'payment')", name="subject_known"),
        due_index("bulk_jobs", OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    request_id: Mapped[str] = mapped_column(unique=True)  # a form sent twice is one job
    subject_type: Mapped[str] = mapped_column(server_default="subscription")
    act: Mapped[str]
    because: Mapped[str]  # in staff's own words
    filter_text: Mapped[str]  # the address of the list that it was ordered from
    total: Mapped[int]
    # Minor units by currency of what its rows give back; empty where no money moves.
    sums: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    status: Mapped[str] = mapped_column(default=BULK.start.value)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    ended_at: Mapped[datetime | None]


class BulkRow(Base):
    """What became of one subject: written in the transaction of the act itself."""

    __tablename__ = "bulk_rows"
    __table_args__ = (
        ROW.check(),
        UniqueConstraint("job_id", "subject_id"),
        Index("bulk_rows_of_job", "job_id", "status", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("bulk_jobs.id"))
    subject_id: Mapped[int]
    amount_minor: Mapped[int | None]  # what the act gives back, as it was shown
    status: Mapped[str] = mapped_column(default=ROW.start.value)
    because: Mapped[str] = mapped_column(default="", server_default="")  # code of a refusal
