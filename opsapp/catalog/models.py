from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, false, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money


class Seller(Base):
    """Whose goods are sold here. What has no seller is the house's own."""

    __tablename__ = "sellers"
    __table_args__ = (CheckConstraint("fee_bp BETWEEN 0 AND 9000", name="fee_sane"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    # Basis points of what the customer pays for a line; VAT of 10 % of the fee comes on top.
    fee_bp: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class Plan(Base):
    """A rhythm under a name. Its price, trial and term are those of the version in force."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("interval IN ('day', 'week', 'month')", name="interval_known"),
        CheckConstraint("interval_count BETWEEN 1 AND 366", name="interval_count_sane"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    interval: Mapped[str]
    interval_count: Mapped[int]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    seller_id: Mapped[int | None] = mapped_column(ForeignKey("sellers.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class PlanVersion(Base):
    """What a plan costs from a day on. Version 1 is the plan's own row."""

    __tablename__ = "plan_versions"
    __table_args__ = (
        UniqueConstraint("plan_id", "version"),
        UniqueConstraint("plan_id", "effective_on"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("trial_days BETWEEN 0 AND 366", name="trial_days_sane"),
        CheckConstraint("term_periods BETWEEN 1 AND 1200", name="term_periods_sane"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    version: Mapped[int]
    effective_on: Mapped[date]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    trial_days: Mapped[int] = mapped_column(default=0, server_default="0")
    term_periods: Mapped[int | None]
    # Whether those who subscribed before pay this price too, from their first period after the day.
    applies_to_existing: Mapped[bool] = mapped_column(default=False, server_default=false())
    added_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
