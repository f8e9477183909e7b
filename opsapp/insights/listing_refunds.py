"""The refunds list: what was given back, when, by whom, and how much in all."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, case, literal, select, union

from opsapp.insights import reading_wishes as reading
from opsapp.insights.adding_up import add_up
from opsapp.insights.finding_owners import name_of_actor
from opsapp.insights.finding_payments import is_like
from opsapp.insights.finding_people import is_one_of
from opsapp.insights.reading_wishes import Query
from opsapp.insights.rules import Totals, is_short
from opsapp.kernel.clock import seoul_midnight
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
    search: str = ""


def read_wish(query: Query) -> RefundWishList:
    """Raises Invalid."""
    since, until = reading.period(query)
    status = reading.choice(query, "status", RefundStatus)
    return RefundWishList(status, since, until, reading.search(query))


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
        name_of_actor(Refund.requested_by).label("requested_by_name"),
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


def names_of(page: Page[Any]) -> dict[str, str]:
    """Who asked, where that was one of the staff."""
    rows = [row for row in page.rows if row.requested_by_name is not None]
    return {row.requested_by: row.requested_by_name for row in rows}


def sum_refunds(wish: RefundWishList) -> Totals | None:
    """Of all filtered rows in won, not of the page; a refusal counts, but gives nothing back.

    None without a short period, or for many.
    """
    if not is_short(wish.since, wish.until):
        return None
    is_given_back = Refund.status == RefundStatus.SUCCEEDED.value
    rows = select(literal(0), case((is_given_back, Refund.amount_minor), else_=0))
    return add_up(_filtered(rows, wish), in_won=Refund.currency == "KRW")


def _filtered(
    statement: Select[*tuple[Any, ...]], wish: RefundWishList
) -> Select[*tuple[Any, ...]]:
    if search := wish.search:
        found = union(
            select(Refund.id).where(Refund.ref == search),
            select(Refund.id).join(Payment, Payment.id == Refund.payment_id).where(is_like(search)),
        ).subquery()
        statement = statement.where(is_one_of(Refund.id, select(found.c[0])))
    if wish.status:
        statement = statement.where(Refund.status == wish.status)
    if wish.since:
        statement = statement.where(Refund.ended_at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        statement = statement.where(Refund.ended_at < end)
    return statement
