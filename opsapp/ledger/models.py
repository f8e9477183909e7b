from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money


class LedgerTransfer(Base):
    """One amount from a credited to a debited account: balanced by construction.

    The database refuses to change or delete a row, and to write the same fact twice.
    """

    __tablename__ = "ledger_transfers"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("debit_account <> credit_account", name="accounts_differ"),
        UniqueConstraint("kind", "subject_type", "subject_id"),
        Index("ledger_transfers_payment", "payment_id"),
        Index("ledger_transfers_debit", "debit_account", "at"),
        Index("ledger_transfers_credit", "credit_account", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    debit_account: Mapped[str]
    credit_account: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    payment_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
