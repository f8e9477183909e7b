from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.cash_receipts.states import OPEN, RECEIPT
from opsapp.kernel.db import Base
from opsapp.kernel.money import Money
from opsapp.kernel.turns import Claimable, due_index

KINDS = ("income_deduction", "expense_proof")


class CashReceipt(Claimable, Base):
    """One receipt of one payment; a cancel is asked for on the same row, part by part."""

    __tablename__ = "cash_receipts"
    __table_args__ = (
        RECEIPT.check(),
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(
            "cancelled_minor >= 0 AND cancelling_minor >= 0 "
            "AND cancelled_minor + cancelling_minor <= amount_minor "
            "AND cancel_wanted_minor BETWEEN 0 AND amount_minor",
            name="cancelled_within_amount",
        ),
        Index(
            "one_live_receipt_per_payment",
            "payment_id",
            unique=True,
            postgresql_where=text("status NOT IN ('cancelled', 'failed', 'withdrawn')"),
        ),
        Index("cash_receipts_listed", "asked_at", "id"),
        Index("cash_receipts_status", "status", "asked_at", "id"),
        Index("cash_receipts_payment", "payment_id"),
        Index(
            "cash_receipts_issue_number",
            "issue_number",
            postgresql_where=text("issue_number IS NOT NULL"),
        ),
        due_index("cash_receipts", OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    gateway_name: Mapped[str]
    kind: Mapped[str]
    # Phone or business number: masked for eyes; sealed until it was issued, then forgotten.
    registration: Mapped[str]
    registration_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    # What the payment had given back already when the amount was fixed.
    refunded_before_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    cancel_wanted_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    cancelling_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    cancelled_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    status: Mapped[str] = mapped_column(default=RECEIPT.start.value)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    # Seoul day of the request that is being answered: gateways list receipts by it.
    sent_on: Mapped[date | None]
    receipt_key: Mapped[str | None]
    cancel_key: Mapped[str | None]  # of the cancel that the tax office is working on
    issue_number: Mapped[str | None]
    receipt_url: Mapped[str | None]
    failure_code: Mapped[str | None]
    ended_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def standing(self) -> Money:
        """What it says at the tax office now."""
        return Money(self.amount_minor - self.cancelled_minor, self.currency)
