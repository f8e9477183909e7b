from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.recovery.states import POLICY, RECOVERY


class RecoveryPolicy(Base):
    """One version of the policy of one cohort. What it says is never rewritten."""

    __tablename__ = "recovery_policies"
    __table_args__ = (
        POLICY.check(),
        CheckConstraint("cohort IN ('A', 'B')", name="cohort_known"),
        CheckConstraint("share BETWEEN 1 AND 100", name="share_sane"),
        Index(
            "one_active_policy_per_cohort",
            "cohort",
            unique=True,
            postgresql_where=text("status = 'active'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str]
    cohort: Mapped[str]
    share: Mapped[int]  # percent of the subscriptions, of cohort B; A has the others
    status: Mapped[str] = mapped_column(default=POLICY.start.value)
    terms: Mapped[dict[str, Any]]  # rules.Policy as JSON
    because: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    activated_by: Mapped[str | None]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class Recovery(Base):
    """What is done about one payment that failed: one row per payment, however often it fails."""

    __tablename__ = "recoveries"
    __table_args__ = (
        RECOVERY.check(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("recovered_minor BETWEEN 0 AND amount_minor", name="recovered_within"),
        CheckConstraint("status <> 'scheduled' OR next_at IS NOT NULL", name="planned_has_time"),
        Index("recoveries_subscription", "subscription_id"),
        Index(
            "recoveries_due",
            "next_at",
            postgresql_where=text("status = 'scheduled'"),
        ),
        Index(
            "recoveries_board",
            "opened_at",
            "id",
            postgresql_where=text(
                "status IN ('monitoring', 'scheduled', 'processing', 'exhausted')"
            ),
            # What the board filters and counts by; so thousands are counted without their rows.
            postgresql_include=[
                "status",
                "next_step",
                "failures",
                "snoozed_until",
                "reason",
                "subscription_id",
            ],
        ),
        Index(
            "recoveries_closed",
            "closed_at",
            postgresql_where=text("closed_at IS NOT NULL"),
            postgresql_include=["policy_id", "currency", "status", "recovered_minor"],
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), unique=True)
    subscription_id: Mapped[int]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    policy_id: Mapped[int] = mapped_column(ForeignKey("recovery_policies.id"))
    status: Mapped[str] = mapped_column(default=RECOVERY.start.value)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    failures: Mapped[int]  # of its series: another payment does not begin it anew
    tries: Mapped[int]  # attempts of the payment that failed, whoever was to blame
    gateway_tries: Mapped[int]  # of them, by the gateway's fault or our own
    staff_tries: Mapped[int]  # of them, asked for by staff
    gateway_name: Mapped[str]
    failure_class: Mapped[str | None]
    failure_code: Mapped[str | None]
    reason: Mapped[str]  # rules.Reason
    next_step: Mapped[str]  # rules.Next
    next_at: Mapped[datetime | None]  # of the next automatic step
    warned_at: Mapped[datetime | None]  # since then the customer is on the way to the final action
    snoozed_until: Mapped[datetime | None]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    last_failed_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    recovered_minor: Mapped[int] = mapped_column(default=0, server_default="0")
