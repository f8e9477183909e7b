from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money
from opsapp.orders.states import KINDS, LEG, ON_FAILURE


class Order(Base):
    """What a shopper bought at once. What is paid is read from its legs, never stored twice."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("points BETWEEN 0 AND amount_minor", name="points_within_amount"),
        CheckConstraint(f"on_failure IN {ON_FAILURE}", name="on_failure_known"),
        Index("orders_customer", "customer_id"),
        Index("orders_listed", "placed_at", "id"),
        Index(
            "orders_ref_grams",
            "order_ref",
            postgresql_using="gin",
            postgresql_ops={"order_ref": "gin_trgm_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_ref: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    title: Mapped[str]
    amount_minor: Mapped[int]  # what is owed now; later periods are their subscription's
    points: Mapped[int] = mapped_column(default=0, server_default="0")  # of it, paid by points
    currency: Mapped[str] = mapped_column(String(3))
    on_failure: Mapped[str] = mapped_column(default="hold", server_default="hold")
    # Until then the shopper may pay a failed leg; NULL: nobody waits for a certain day.
    hold_until: Mapped[datetime | None]
    placed_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class OrderLeg(Base):
    """What is charged together: all one-off lines, or one subscription's first period."""

    __tablename__ = "order_legs"
    __table_args__ = (
        LEG.check(),
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("points BETWEEN 0 AND amount_minor", name="points_within_amount"),
        CheckConstraint("points = 0 OR kind = 'one_off'", name="points_for_one_off"),
        UniqueConstraint("order_id", "number"),
        Index("order_legs_open", "order_id", postgresql_where=text("status = 'open'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    number: Mapped[int]
    kind: Mapped[str]
    amount_minor: Mapped[int]  # of which `points`; 0 while a subscription's trial lasts
    points: Mapped[int] = mapped_column(default=0, server_default="0")
    currency: Mapped[str] = mapped_column(String(3))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    subscription_id: Mapped[int | None] = mapped_column(unique=True)  # of a higher room
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("point_reservations.id"))
    status: Mapped[str] = mapped_column(default=LEG.start.value)
    settled_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def money(self) -> Money:
        """What its payment collects."""
        return Money(self.amount_minor - self.points, self.currency)


class OrderLine(Base):
    """One thing bought. `amount_minor` is owed now, shipping within it; 0 in a trial."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint(
            "unit_price_minor >= 0 AND shipping_minor >= 0", name="prices_not_negative"
        ),
        CheckConstraint("tax_free_minor BETWEEN 0 AND amount_minor", name="tax_free_within_amount"),
        CheckConstraint("returned_minor BETWEEN 0 AND amount_minor", name="returned_within_amount"),
        CheckConstraint("(kind = 'subscription') = (plan_id IS NOT NULL)", name="plan_if_recurs"),
        UniqueConstraint("order_id", "number"),
        Index("order_lines_leg", "leg_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    leg_id: Mapped[int] = mapped_column(ForeignKey("order_legs.id"))
    number: Mapped[int]
    kind: Mapped[str]
    seller_id: Mapped[int | None] = mapped_column(ForeignKey("sellers.id"))  # NULL: the house
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"))
    product_ref: Mapped[str] = mapped_column(default="", server_default="")
    title: Mapped[str]
    quantity: Mapped[int]
    unit_price_minor: Mapped[int]
    shipping_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    tax_free_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    amount_minor: Mapped[int]
    returned_minor: Mapped[int] = mapped_column(default=0, server_default="0")


class OrderRefund(Base):
    """What was given back of a leg, in money and in points; the money part follows its refund."""

    __tablename__ = "order_refunds"
    __table_args__ = (
        CheckConstraint(
            "money_minor >= 0 AND points >= 0 AND amount_minor > 0 "
            "AND amount_minor = money_minor + points",
            name="adds_up",
        ),
        CheckConstraint("(money_minor > 0) = (refund_id IS NOT NULL)", name="money_is_refunded"),
        Index("order_refunds_order", "order_id", "id"),
        Index("order_refunds_leg", "leg_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    request_id: Mapped[str] = mapped_column(unique=True)  # issued with the form
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    leg_id: Mapped[int] = mapped_column(ForeignKey("order_legs.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("order_lines.id"))
    amount_minor: Mapped[int]
    money_minor: Mapped[int]
    points: Mapped[int]
    # They go back with the money, or not at all: the money could still be taken back.
    points_follow: Mapped[bool] = mapped_column(server_default=text("false"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refunds.id"), unique=True)
    reason: Mapped[str]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class OrderRefundLine(Base):
    """How much of a refund belongs to which line. Append-only."""

    __tablename__ = "order_refund_lines"
    __table_args__ = (
        CheckConstraint(
            "money_minor >= 0 AND points >= 0 AND money_minor + points > 0", name="not_empty"
        ),
    )

    order_refund_id: Mapped[int] = mapped_column(
        ForeignKey("order_refunds.id"), primary_key=True, autoincrement=False
    )
    line_id: Mapped[int] = mapped_column(
        ForeignKey("order_lines.id"), primary_key=True, autoincrement=False
    )
    money_minor: Mapped[int]
    points: Mapped[int]
