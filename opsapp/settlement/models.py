from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base

KINDS = ("sale", "reversal")


class SellerShare(Base):
    """What a seller is owed for a line or a period, as computed when it was paid. Append-only.

    A reversal is a row of its own with positive amounts, and names the sale that it takes from.
    """

    __tablename__ = "seller_shares"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reverses_a_sale"),
        CheckConstraint(
            "gross_minor > 0 AND fee_minor >= 0 AND vat_minor >= 0 AND share_minor >= 0 "
            "AND gross_minor = fee_minor + vat_minor + share_minor",
            name="adds_up",
        ),
        CheckConstraint("line_id IS NOT NULL OR payment_id IS NOT NULL", name="of_something"),
        UniqueConstraint(
            "kind",
            "cause_type",
            "cause_id",
            "seller_id",
            "line_id",
            postgresql_nulls_not_distinct=True,
        ),
        Index("seller_shares_seller", "seller_id", "at", "id"),
        Index("seller_shares_payment", "payment_id"),
        Index("seller_shares_line", "line_id"),
        Index("seller_shares_reverses", "reverses_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    seller_id: Mapped[int] = mapped_column(ForeignKey("sellers.id"))
    kind: Mapped[str]
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("seller_shares.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("order_lines.id"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"))
    gross_minor: Mapped[int]  # of what the customer paid, in money and in points
    fee_minor: Mapped[int]
    vat_minor: Mapped[int]
    share_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    # "leg", "payment": paid; "share": paid again after that sale was undone, or undone as a whole;
    # "refund", "order_refund": given back in money, in points.
    cause_type: Mapped[str]
    cause_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
