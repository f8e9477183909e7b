"""The billing calendar: what is planned, paid, failed and given back, by Seoul day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, Select, cast, func, literal, select, union_all

from opsapp.customers.models import Customer
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import AttemptStatus, RefundStatus
from opsapp.subscriptions import selecting
from opsapp.subscriptions.models import Subscription

SHOWN = ("planned", "paid", "failed", "refunded")
PAGE_SIZE = 30
SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class Cell:
    """Sums are in won; what is charged in another currency is counted only."""

    count: int = 0
    sum_minor: int = 0


def count_month(first: date, last: date) -> dict[date, dict[str, Cell]]:
    """One statement. Planned is each subscription's next charge: no later one is known yet."""
    since, until = seoul_midnight(first), seoul_midnight(last + timedelta(days=1))
    parts = []
    for shown in SHOWN:
        rows = _rows(shown, since, until).subquery()
        won = func.sum(rows.c.amount_minor).filter(rows.c.currency == "KRW")
        day = cast(func.timezone("Asia/Seoul", rows.c.at), Date)
        parts.append(
            select(
                literal(shown).label("shown"),
                day.label("day"),
                func.count().label("count_"),
                func.coalesce(won, 0).label("sum_minor"),
            ).group_by(day)
        )
    found = db.session.execute(union_all(*parts))
    month: dict[date, dict[str, Cell]] = {}
    for row in found:
        month.setdefault(row.day, {})[row.shown] = Cell(row.count_, int(row.sum_minor))
    return month


def list_day(day: date, shown: str, *, cursor: str | None) -> Page[Any]:
    """What a cell of the calendar counts, the newest first. Raises BadCursor."""
    since, until = seoul_midnight(day), seoul_midnight(day + timedelta(days=1))
    rows = _rows(shown, since, until).subquery()
    statement = select(
        rows.c.id,
        rows.c.subscription_id,
        rows.c.payment_id,
        rows.c.at,
        rows.c.amount_minor,
        rows.c.currency,
        Subscription.ref,
        Subscription.status,
        Customer.name.label("customer_name"),
        Customer.customer_ref,
    )
    return page_of(
        statement.join(Subscription, Subscription.id == rows.c.subscription_id).join(
            Customer, Customer.id == Subscription.customer_id
        ),
        keys=(rows.c.id,),
        cursor=cursor,
        size=PAGE_SIZE,
    )


def _rows(shown: str, since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    """id, subscription_id, payment_id, at, amount_minor, currency of what the word counts."""
    match shown:
        case "planned":
            return _planned(since, until)
        case "paid":
            return _of_payments(Payment, Payment.paid_at, since, until)
        case "failed":
            failed = _of_payments(Attempt, Attempt.ended_at, since, until)
            declined = Attempt.status == AttemptStatus.DECLINED.value
            return failed.join(Payment, Payment.id == Attempt.payment_id).where(declined)
        case _:
            given_back = _of_payments(
                Refund, Refund.ended_at, since, until, amount=Refund.amount_minor
            )
            done = Refund.status == RefundStatus.SUCCEEDED.value
            return given_back.join(Payment, Payment.id == Refund.payment_id).where(done)


def _planned(since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    at = Subscription.next_due_at
    return select(
        Subscription.id,
        Subscription.id.label("subscription_id"),
        literal(None).label("payment_id"),
        at.label("at"),
        Subscription.amount_minor,
        Subscription.currency,
    ).where(selecting.is_chargeable(), selecting.is_before_its_end(), at >= since, at < until)


def _of_payments(
    row: type[Any], at: Any, since: datetime, until: datetime, *, amount: Any = None
) -> Select[*tuple[Any, ...]]:
    """Rows about payments of subscriptions; a table other than payments is joined by the caller."""
    return (
        select(
            row.id,
            Payment.subject_id.label("subscription_id"),
            Payment.id.label("payment_id"),
            at.label("at"),
            (Payment.amount_minor if amount is None else amount).label("amount_minor"),
            Payment.currency,
        )
        .select_from(row)
        .where(Payment.subject_type == SUBSCRIPTION, at >= since, at < until)
    )
