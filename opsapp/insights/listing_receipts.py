"""The list of cash receipts: which were asked for, issued, cancelled, and which need a person."""

from typing import Any

from sqlalchemy import select

from opsapp.cash_receipts.models import CashReceipt
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import Payment

PAGE_SIZE = 30


def list_receipts(*, status: str, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    statement = select(
        CashReceipt.id, CashReceipt.payment_id, CashReceipt.kind, CashReceipt.registration,
        CashReceipt.amount_minor, CashReceipt.cancelled_minor, CashReceipt.currency,
        CashReceipt.status, CashReceipt.asked_at, CashReceipt.issue_number,
        CashReceipt.failure_code, CashReceipt.gateway_name, Payment.title, Payment.ref,
    ).join(Payment, Payment.id == CashReceipt.payment_id)  # fmt: skip
    if status:
        statement = statement.where(CashReceipt.status == status)
    keys = (CashReceipt.asked_at, CashReceipt.id)
    return page_of(statement, keys=keys, cursor=cursor, size=size)
