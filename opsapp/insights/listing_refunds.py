"""The refunds list: what was given back, when, by whom, and how much in all."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.insights.rules import Totals, is_short
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import Invalid
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import Payment, Refund
from opsapp.payments.states import RefundStatus

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class RefundWishList:
    """The days are those on which a refund ended: what was given back, not what was asked."""

    status: str = ""
    since: date | None = None
    until: date | None = None


def list_refunds(wish: RefundWishList, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor, and Invalid for a period that runs backwards."""
    if wish.since and wish.until and wish.until < wish.since:
        raise Invalid(field="until", reason="The period ends before it begins.")
    statement = select(
        Refund.id,
        Refund.ref,
        Refund.payment_id,
        Refund.status,
        Refund.amount_minor,
        Refund.currency,
        Refund.reason,
        Refund.requested_at,
        Refund.requested_by,
        Refund.ended_at,
        Refund.failure_code,
        Refund.unmatched_id,
        Refund.account_sealed.is_not(None).label("is_to_confirm"),
        Payment.title,
        Payment.ref.label("payment_ref"),
    ).join(Payment, Payment.id == Refund.payment_id)
    is_period = wish.since or wish.until
    keys = (Refund.ended_at if is_period else Refund.requested_at, Refund.id)
    return page_of(_filtered(statement, wish), keys=keys, cursor=cursor, size=size)


def sum_refunds(wish: RefundWishList) -> Totals | None:
    """Of all filtered rows in won, not of the page; a refusal counts, but gives nothing back.

    None without a short period.
    """
    if not is_short(wish.since, wish.until):
        return None
    given_back = func.sum(Refund.amount_minor).filter(Refund.status == RefundStatus.SUCCEEDED.value)
    statement = select(func.count(), func.coalesce(given_back, 0)).where(Refund.currency == "KRW")
    count, refunded = db.session.execute(_filtered(statement, wish)).one()
    return Totals(count=count, refunded_minor=int(refunded))


def _filtered(
    statement: Select[*tuple[Any, ...]], wish: RefundWishList
) -> Select[*tuple[Any, ...]]:
    if wish.status:
        statement = statement.where(Refund.status == wish.status)
    if wish.since:
        statement = statement.where(Refund.ended_at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        statement = statement.where(Refund.ended_at < end)
    return statement
