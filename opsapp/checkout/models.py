from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func, true
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.checkout.states import CHECKOUT
from opsapp.kernel.db import Base
from opsapp.kernel.money import Money


class Checkout(Base):
    """What a shopper is asked to pay by a link. The order is placed when they choose how."""

    __tablename__ = "checkouts"
    __table_args__ = (
        CHECKOUT.check(),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        Index("checkouts_listed", "opened_at", "id"),
        Index("checkouts_open", "status", "expires_at"),
        Index("checkouts_customer", "customer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    order_ref: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    # What was to be paid now when the link was opened; what a subscription costs may change.
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    cart: Mapped[dict[str, Any] | None]  # {"lines": [...]}; NULL: one line of title and amount
    on_failure: Mapped[str] = mapped_column(default="hold", server_default="hold")
    return_url: Mapped[str | None]  # of the shop: where its result page leads
    points_allowed: Mapped[bool] = mapped_column(default=True, server_default=true())
    status: Mapped[str] = mapped_column(default=CHECKOUT.start.value)
    # NULL until a way to pay was chosen.
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), unique=True)
    opened_by: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
