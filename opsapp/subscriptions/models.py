from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money
from opsapp.subscriptions.states import CHANGE, RUN, SUBSCRIPTION


class Subscription(Base):
    """What a customer pays for again and again. Period n falls on anchor_on + n intervals."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        SUBSCRIPTION.check(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("interval IN ('day', 'week', 'month')", name="interval_known"),
        Index(
            "subscriptions_due",
            "next_due_at",
            "id",
            postgresql_where=text(
                "status IN ('trialing', 'active', 'past_due') AND NOT is_billing_blocked"
            ),
        ),
        Index(
            "subscriptions_unannounced",
            "next_due_at",
            "id",
            postgresql_where=text(
                "status IN ('trialing', 'active', 'past_due') AND NOT is_billing_blocked "
                "AND NOT is_announced"
            ),
        ),
        Index(
            "subscriptions_next",
            "next_due_at",
            postgresql_where=text("status IN ('trialing', 'active', 'past_due')"),
            postgresql_include=["amount_minor", "currency"],  # what a period comes to
        ),
        Index("subscriptions_behind", "id", postgresql_where=text("is_behind")),
        Index(
            "subscriptions_ending",
            "ends_on",
            postgresql_where=text("ends_on IS NOT NULL AND status NOT IN ('cancelled', 'expired')"),
        ),
        Index("subscriptions_customer", "customer_id"),
        Index("subscriptions_listed", "created_at", "id"),
        Index("subscriptions_status", "status", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    # customer_ref|plan code of an imported contract: importing it again changes nothing.
    import_ref: Mapped[str | None] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    payment_method_id: Mapped[int] = mapped_column(ForeignKey("payment_methods.id"))
    status: Mapped[str] = mapped_column(default=SUBSCRIPTION.start.value)
    # Price and rhythm as agreed; a later version of the plan changes them only by a
    # SubscriptionChange. amount_minor is that of the whole quantity, each period.
    plan_version: Mapped[int] = mapped_column(default=1, server_default="1")
    quantity: Mapped[int] = mapped_column(default=1, server_default="1")
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    interval: Mapped[str]
    interval_count: Mapped[int]
    anchor_on: Mapped[date]  # day of period 0; anchor_day keeps 29-31 right for ever
    anchor_day: Mapped[int]
    next_period_index: Mapped[int]
    next_due_at: Mapped[datetime]
    failures_in_row: Mapped[int] = mapped_column(default=0, server_default="0")
    # Free until then: period 0 falls on this day.
    trial_ends_on: Mapped[date | None]
    # The first day without service: of a fixed term, or of a cancellation at a period's end.
    ends_on: Mapped[date | None]
    term_periods: Mapped[int | None]  # of a fixed term: the first period that is none of it
    # Cancelled at a period's end, whatever its status says meanwhile; ends_on says when.
    cancel_asked_on: Mapped[date | None]
    # Whether one of its open blocks stops billing: kept beside them for the index of what is due.
    is_billing_blocked: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Whether nothing is left to tell about its next charge. Only a hint for the announcer: what
    # may be charged is decided by the rows of advance_notices.
    is_announced: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Whether the period after the last one is overdue already; one a day follows, unless staff
    # let all up to catch_up_to follow at once.
    is_behind: Mapped[bool] = mapped_column(default=False, server_default=false())
    catch_up_to: Mapped[int | None]
    contract: Mapped[str] = mapped_column(default="")
    terms_version: Mapped[str] = mapped_column(default="")
    consented_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    cancelled_on: Mapped[date | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class BillingPeriod(Base):
    """Period n of a subscription is charged at most once: the database says so."""

    __tablename__ = "billing_periods"
    __table_args__ = (
        UniqueConstraint("subscription_id", "period_index"),
        Index("billing_periods_of_run", "run_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    period_index: Mapped[int]
    due_at: Mapped[datetime]
    # NULL: skipped while paused or suspended, or waiting for approval to be caught up.
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("billing_runs.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class SubscriptionBlock(Base):
    """Why a subscription stands still in part: each cause is placed and lifted by itself."""

    __tablename__ = "subscription_blocks"
    __table_args__ = (
        CheckConstraint(
            "cause IN ('pause', 'suspension', 'hold', 'first_period')", name="cause_known"
        ),
        CheckConstraint(
            "blocks_change OR blocks_service OR blocks_billing", name="blocks_something"
        ),
        Index(
            "one_open_block_per_cause",
            "subscription_id",
            "cause",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
        Index(
            "subscription_blocks_until",
            "until",
            postgresql_where=text("lifted_at IS NULL AND until IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    # pause: customer or staff; suspension: recovery; hold: staff, fraud; first_period: its order
    cause: Mapped[str]
    blocks_change: Mapped[bool]
    blocks_service: Mapped[bool]
    blocks_billing: Mapped[bool]
    # New periods are not charged; what had failed before is still tried again.
    keeps_retries: Mapped[bool] = mapped_column(default=False, server_default=false())
    because: Mapped[str]
    placed_by: Mapped[str]
    placed_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    until: Mapped[date | None]  # lifted by itself on this day
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]


class SubscriptionChange(Base):
    """Another plan, quantity, price or billing day: planned for a day, or applied at once.

    Its proration is a payment of its own when something is to be paid (subject
    "subscription_change"), a refund of the running period's payment when something goes back.
    """

    __tablename__ = "subscription_changes"
    __table_args__ = (
        CHANGE.check(),
        CheckConstraint("kind IN ('plan', 'quantity', 'billing_day', 'price')", name="kind_known"),
        CheckConstraint("to_amount_minor > 0", name="amount_positive"),
        CheckConstraint("to_quantity > 0", name="quantity_positive"),
        Index(
            "one_open_change_per_subscription",
            "subscription_id",
            unique=True,
            postgresql_where=text("status IN ('planned', 'awaiting_payment')"),
        ),
        Index("subscription_changes_of", "subscription_id", "id"),
        Index(
            "subscription_changes_untold",
            "effective_on",
            "id",
            postgresql_where=text("status = 'planned' AND kind = 'price' AND told_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=CHANGE.start.value)
    from_plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    to_plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    to_plan_version: Mapped[int]
    from_quantity: Mapped[int]
    to_quantity: Mapped[int]
    from_amount_minor: Mapped[int]
    to_amount_minor: Mapped[int]
    from_anchor_day: Mapped[int]
    to_anchor_day: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    effective_on: Mapped[date]
    # Above 0: asked for before it is applied. Below 0: refunded when it is applied.
    proration_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    # A higher price, or free to paid: charged only with a consent of the 30 days before.
    needs_consent: Mapped[bool] = mapped_column(default=False, server_default=false())
    because: Mapped[str] = mapped_column(default="")
    requested_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    told_at: Mapped[datetime | None]  # when the notice of another price was queued
    applied_at: Mapped[datetime | None]


class AdvanceNotice(Base):
    """What a customer was told about a charge to come: day, amount and method."""

    __tablename__ = "advance_notices"
    __table_args__ = (
        UniqueConstraint(
            "subscription_id",
            "period_index",
            "amount_minor",
            "due_at",
            name="advance_notices_told_once",
        ),
        Index("advance_notices_late", "made_at", postgresql_where=text("is_late")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    period_index: Mapped[int]
    due_at: Mapped[datetime]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    payment_method_id: Mapped[int] = mapped_column(ForeignKey("payment_methods.id"))
    made_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    attempted_at: Mapped[datetime | None]  # when a channel was first asked to carry it
    # Made when the charge was due already, which had to wait for it.
    is_late: Mapped[bool] = mapped_column(default=False, server_default=false())


class BillingRun(Base):
    """All renewals of one Seoul day."""

    __tablename__ = "billing_runs"
    __table_args__ = (RUN.check(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_on: Mapped[date] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default=RUN.start.value)
    started_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    ended_at: Mapped[datetime | None]
    # What came of it by the time it was done: counts and sums in minor units by outcome.
    report: Mapped[dict[str, Any] | None]
