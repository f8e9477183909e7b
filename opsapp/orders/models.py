from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money


class Order(Base):
    """Whether it is paid is read from its payment, never stored twice."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("orders_customer", "customer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_ref: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    title: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), unique=True)
    placed_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
