"""Today's figures beside those of the same weekday last week, in Seoul days.

Each is defined as its list is: whoever follows a figure finds as many rows as it said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, literal, null, or_, select, union_all

from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.db import db
from opsapp.payments.models import Payment, Refund
from opsapp.payments.states import PaymentStatus, RefundStatus
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import CHARGEABLE

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DayFigures:
    """Gross: approvals of the day. Cancelled: refunds carried out that day. In won."""

    gross_minor: int
    refunded_minor: int

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.refunded_minor


@dataclass(frozen=True, slots=True)
class Rate:
    """Approved today, and asked for today and failed. `before`: the share a week ago."""

    gateway_name: str
    method_kind: str
    approved: int
    failed: int
    before: float | None

    @property
    def share(self) -> float | None:
        return _share(self.approved, self.failed)


@dataclass(frozen=True, slots=True)
class Failures:
    failure_class: str | None
    count: int
    before: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    rates: Sequence[Rate]
    failures: Sequence[Failures]


def compare_days(now: datetime) -> tuple[DayFigures, DayFigures]:
    """Today until now, and the same weekday last week until that time of day."""
    midnight = seoul_midnight(seoul_date(now))
    windows = ((midnight, now), (midnight - _WEEK, now - _WEEK))
    parts = [part for since, until in windows for part in _parts(since, until)]
    row = db.session.execute(select(*[part.scalar_subquery() for part in parts])).one()
    today, before = (DayFigures(*map(int, row[at : at + 2])) for at in (0, 2))
    return today, before


def count_outcomes(now: datetime) -> Outcomes:
    """Of today, and of a week ago until this time of day; in one statement."""
    rows = db.session.execute(
        union_all(
            _counted(Payment.paid_at, now, is_approved=True),
            _counted(Payment.requested_at, now, is_approved=False),
        )
    ).all()
    return Outcomes(_rates(rows), _failures(rows))


def forecast_tomorrow(now: datetime) -> Any:
    """How many subscriptions fall due tomorrow, and their sum in won."""
    tomorrow = seoul_date(now) + timedelta(days=1)
    return db.session.execute(
        select(
            func.count().label("count"),
            func.coalesce(
                func.sum(Subscription.amount_minor).filter(Subscription.currency == "KRW"), 0
            ).label("sum_minor"),
        ).where(
            Subscription.status.in_([status.value for status in CHARGEABLE]),
            Subscription.next_due_at >= seoul_midnight(tomorrow),
            Subscription.next_due_at < seoul_midnight(tomorrow + timedelta(days=1)),
        )
    ).one()


def _counted(moment: Any, now: datetime, *, is_approved: bool) -> Select[*tuple[Any, ...]]:
    midnight = seoul_midnight(seoul_date(now))
    is_today = and_(moment >= midnight, moment <= now)
    is_before = and_(moment >= midnight - _WEEK, moment <= now - _WEEK)
    class_ = null() if is_approved else Payment.failure_class
    ways = (Payment.gateway_name, Payment.method_kind)
    counted = select(
        (moment >= midnight).label("is_today"),
        *ways,
        literal(is_approved).label("is_approved"),
        class_.label("failure_class"),
        func.count(),
    ).where(or_(is_today, is_before))
    if not is_approved:
        counted = counted.where(Payment.status == PaymentStatus.FAILED.value)
        return counted.group_by("is_today", *ways, Payment.failure_class)
    return counted.group_by("is_today", *ways)


def _rates(rows: Sequence[Any]) -> list[Rate]:
    """The way that is asked most comes first."""
    counted: dict[tuple[str, str], dict[tuple[bool, bool], int]] = {}
    for is_today, gateway_name, method_kind, is_approved, _class, count in rows:
        of_way = counted.setdefault((gateway_name, method_kind), {})
        key = (is_today, is_approved)
        of_way[key] = of_way.get(key, 0) + count
    rates = [
        Rate(
            gateway_name,
            method_kind,
            found.get((True, True), 0),
            found.get((True, False), 0),
            _share(found.get((False, True), 0), found.get((False, False), 0)),
        )
        for (gateway_name, method_kind), found in counted.items()
    ]
    asked = [rate for rate in rates if rate.approved or rate.failed]
    return sorted(asked, key=lambda rate: (-(rate.approved + rate.failed), rate.gateway_name))


def _failures(rows: Sequence[Any]) -> list[Failures]:
    counted: dict[str | None, list[int]] = {}
    for is_today, _gateway, _method, is_approved, failure_class, count in rows:
        if not is_approved:
            counted.setdefault(failure_class, [0, 0])[0 if is_today else 1] += count
    found = [Failures(each, today, before) for each, (today, before) in counted.items() if today]
    return sorted(found, key=lambda each: (-each.count, each.failure_class or ""))


def _share(approved: int, failed: int) -> float | None:
    ended = approved + failed
    return approved / ended if ended else None


def _parts(since: datetime, until: datetime) -> list[Any]:
    paid = (Payment.paid_at >= since) & (Payment.paid_at <= until) & (Payment.currency == "KRW")
    return [
        select(func.coalesce(func.sum(Payment.captured_minor), literal(0))).where(paid),
        select(func.coalesce(func.sum(Refund.amount_minor), literal(0))).where(
            Refund.ended_at >= since,
            Refund.ended_at <= until,
            Refund.currency == "KRW",
            Refund.status == RefundStatus.SUCCEEDED.value,
        ),
    ]
