from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base

CLASSES = (
    "authentication_failure",
    "expired_or_suspended",
    "gateway_error",
    "fraud_suspected",
    "customer_cancelled",
    "configuration_error",
    "state_conflict",
)
RETRY_MODES = ("later", "after_fix", "none", "query_then_retry", "same_request", "operator")
OUTCOMES = ("not_charged", "unknown", "query")


class FailureCode(Base):
    """One version of what a gateway's code means. Versions are added and never rewritten."""

    __tablename__ = "failure_codes"
    __table_args__ = (
        CheckConstraint(f"failure_class IN {CLASSES}", name="class_known"),
        CheckConstraint(f"retry_mode IN {RETRY_MODES}", name="retry_mode_known"),
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome_known"),
        # What certainly did not charge needs no inquiry; what needs one is not certain.
        CheckConstraint(
            "outcome <> 'not_charged' OR retry_mode NOT IN ('query_then_retry', 'same_request')",
            name="definite_needs_no_inquiry",
        ),
        UniqueConstraint("source", "code", "version"),
        Index(
            "one_current_failure_code",
            "source",
            "code",
            unique=True,
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]  # one company's set of codes: toss_api, stripe_decline, ...
    code: Mapped[str]
    version: Mapped[int]
    is_current: Mapped[bool]
    failure_class: Mapped[str]
    subclass: Mapped[str]
    retry_mode: Mapped[str]
    outcome: Mapped[str]
    hint_ko: Mapped[str]  # the customer reads it
    hint_en: Mapped[str]
    script_ko: Mapped[str]  # the agent reads it
    script_en: Mapped[str]
    provenance: Mapped[str]
    note: Mapped[str]
    because: Mapped[str]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class FailureDictionary(Base):
    """One row: when the dictionary was last changed. Whoever changes it holds this row."""

    __tablename__ = "failure_dictionary"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revised_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class UnmappedCode(Base):
    """A code that a gateway answered and the dictionary does not know, until somebody adds it."""

    __tablename__ = "unmapped_codes"
    __table_args__ = (
        UniqueConstraint("source", "code"),
        Index("unmapped_codes_open", "id", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    code: Mapped[str]
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    times: Mapped[int] = mapped_column(server_default="1")
    attempt_id: Mapped[int | None]  # the latest example; a registration has none
    resolved_at: Mapped[datetime | None]
