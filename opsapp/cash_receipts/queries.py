from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.states import ENDED, OPEN
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.turns import is_claimable
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus

_LIVE = CashReceipt.status.not_in([status.value for status in ENDED])


@dataclass(frozen=True, slots=True)
class ClaimableReceipt:
    """A receipt that wants a turn, with what its gateway calls the payment."""

    receipt: CashReceipt
    gateway_order_id: str
    title: str
    now: datetime  # the database's clock

    @property
    def id(self) -> int:
        return self.receipt.id

    @property
    def gateway_name(self) -> str:
        return self.receipt.gateway_name


def receipt_context(ref: str) -> str:
    """Where a registration number stands; kernel.crypto opens it under no other."""
    return f"cash_receipts.registration|{ref}"


def get_receipt(receipt_id: int) -> CashReceipt:
    """Raises NotFound."""
    found = db.session.get(CashReceipt, receipt_id, populate_existing=True)
    if found is None:
        raise NotFound(noun="cash receipt", id=receipt_id)
    return found


def list_of_payment(payment_id: int) -> list[CashReceipt]:
    """The latest first."""
    theirs = select(CashReceipt).where(CashReceipt.payment_id == payment_id)
    return list(db.session.scalars(theirs.order_by(CashReceipt.id.desc())))


def lock_payment(payment_id: int) -> Payment:
    """Raises NotFound. Held while it is decided whether it may have a receipt."""
    found = db.session.scalar(locked(select(Payment).where(Payment.id == payment_id)))
    if found is None:
        raise NotFound(noun="payment", id=payment_id)
    return found


def lock_receipt(receipt_id: int) -> CashReceipt:
    """Raises NotFound."""
    found = db.session.scalar(locked(select(CashReceipt).where(CashReceipt.id == receipt_id)))
    if found is None:
        raise NotFound(noun="cash receipt", id=receipt_id)
    return found


def lock_receipts(receipt_ids: Sequence[int]) -> dict[int, CashReceipt]:
    wanted = select(CashReceipt).where(CashReceipt.id.in_(receipt_ids)).order_by(CashReceipt.id)
    rows = db.session.scalars(locked(wanted), execution_options={"populate_existing": True})
    return {row.id: row for row in rows}


def lock_live_of(payment_ids: Sequence[int]) -> list[tuple[CashReceipt, Payment]]:
    """Receipts of these payments that have not ended; the payments are locked already."""
    wanted = (
        select(CashReceipt, Payment)
        .join(Payment, Payment.id == CashReceipt.payment_id)
        .where(CashReceipt.payment_id.in_(payment_ids), _LIVE)
        .order_by(CashReceipt.id)
    )
    rows = db.session.execute(
        locked(wanted, of=CashReceipt), execution_options={"populate_existing": True}
    )
    return [(receipt, payment) for receipt, payment in rows]


def lock_claimable(receipt_ids: Sequence[int]) -> list[ClaimableReceipt]:
    """Rows that nobody holds; those another worker is just claiming are passed over."""
    # A payment whose money was taken back has no succeeded attempt, and its receipt is cancelled.
    own = aliased(Attempt)
    is_paid = own.status == AttemptStatus.SUCCEEDED.value
    best = (
        select(own.id)
        .where(own.payment_id == CashReceipt.payment_id)
        .order_by(is_paid.desc(), own.id.desc())
        .limit(1)
        .correlate(CashReceipt)
        .scalar_subquery()
    )
    claimable = (
        select(
            CashReceipt,
            Attempt.gateway_order_id,
            Payment.title,
            func.clock_timestamp().label("now"),
        )
        .join(Payment, Payment.id == CashReceipt.payment_id)
        .join(Attempt, Attempt.id == best)
        .where(
            CashReceipt.id.in_(receipt_ids),
            CashReceipt.status.in_([status.value for status in OPEN]),
            is_claimable(CashReceipt),
        )
        .order_by(CashReceipt.id)
    )
    rows = db.session.execute(locked(claimable, of=CashReceipt, skip=True))
    return [ClaimableReceipt(*row) for row in rows]
