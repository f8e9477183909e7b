"""The list of cash receipts: which were asked for, issued, cancelled, and which need a person."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select, union

from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.states import ReceiptStatus
from opsapp.insights import reading_wishes as reading
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import Payment

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class ReceiptWish:
    """The days are those on which a receipt was asked for."""

    status: str = ""
    search: str = ""
    since: date | None = None
    until: date | None = None


def read_wish(query: Query) -> ReceiptWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    status = reading.choice(query, "status", ReceiptStatus)
    return ReceiptWish(status, reading.search(query), since, until)


def list_receipts(wish: ReceiptWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    statement = select(
        CashReceipt.id, CashReceipt.payment_id, CashReceipt.kind, CashReceipt.registration,
        CashReceipt.amount_minor, CashReceipt.cancelled_minor, CashReceipt.currency,
        CashReceipt.status, CashReceipt.asked_at, CashReceipt.issue_number,
        CashReceipt.failure_code, CashReceipt.gateway_name, Payment.title, Payment.ref,
    ).join(Payment, Payment.id == CashReceipt.payment_id)  # fmt: skip
    if wish.status:
        statement = statement.where(CashReceipt.status == wish.status)
    if wish.search:
        named = select(Payment.id).where(Payment.ref == wish.search)
        # One union, not three conditions joined by OR: each arm is one index look-up.
        found = union(
            select(CashReceipt.id).where(CashReceipt.issue_number == wish.search),
            select(CashReceipt.id).where(CashReceipt.ref == wish.search),
            select(CashReceipt.id).where(CashReceipt.payment_id.in_(named)),
        ).subquery()
        statement = statement.where(CashReceipt.id.in_(select(found.c[0])))
    if wish.since:
        statement = statement.where(CashReceipt.asked_at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        statement = statement.where(CashReceipt.asked_at < end)
    keys = (CashReceipt.asked_at, CashReceipt.id)
    return page_of(statement, keys=keys, cursor=cursor, size=size)
