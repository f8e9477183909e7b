from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money
from opsapp.subscriptions.states import SUBSCRIPTION


class Subscription(Base):
    """What a customer pays for again and again. Period n falls on anchor_on + n intervals."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        SUBSCRIPTION.check(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("interval IN ('day', 'week', 'month')", name="interval_known"),
        Index(
            "subscriptions_due",
            "next_due_at",
            postgresql_where=text("status IN ('active', 'past_due')"),
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
    # Price and rhythm as agreed; a later change of the plan does not touch them.
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    interval: Mapped[str]
    interval_count: Mapped[int]
    anchor_on: Mapped[date]  # day of period 0; anchor_day keeps 29-31 right for ever
    anchor_day: Mapped[int]
    next_period_index: Mapped[int]
    next_due_at: Mapped[datetime]
    failures_in_row: Mapped[int] = mapped_column(default=0, server_default="0")
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
    __table_args__ = (UniqueConstraint("subscription_id", "period_index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    period_index: Mapped[int]
    due_at: Mapped[datetime]
    # NULL: skipped while paused or suspended, or waiting for approval to be caught up.
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
