"""Today's figures beside those of yesterday and of the same weekday last week, in Seoul days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select

from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.db import db
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import AttemptStatus, RefundStatus
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import CHARGEABLE


@dataclass(frozen=True, slots=True)
class DayFigures:
    """Gross: approvals of the day. Cancelled: refunds carried out that day. In won."""

    gross_minor: int
    refunded_minor: int
    approved: int
    declined: int

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.refunded_minor

    @property
    def approval_rate(self) -> float | None:
        ended = self.approved + self.declined
        return self.approved / ended if ended else None


def compare_days(now: datetime) -> tuple[DayFigures, DayFigures, DayFigures]:
    """Today until now, the same weekday last week until that time of day, all of yesterday."""
    midnight = seoul_midnight(seoul_date(now))
    day, week = timedelta(days=1), timedelta(days=7)
    windows = ((midnight, now), (midnight - week, now - week), (midnight - day, midnight))
    parts = [part for since, until in windows for part in _parts(since, until)]
    row = db.session.execute(select(*[part.scalar_subquery() for part in parts])).one()
    today, before, yesterday = (DayFigures(*map(int, row[at : at + 4])) for at in (0, 4, 8))
    return today, before, yesterday


def list_failures(now: datetime) -> list[Any]:
    """Today's declined attempts by class, the most frequent first."""
    midnight = seoul_midnight(seoul_date(now))
    return list(
        db.session.execute(
            select(Attempt.failure_class, func.count().label("count"))
            .where(
                Attempt.status == AttemptStatus.DECLINED.value,
                Attempt.ended_at >= midnight,
                Attempt.ended_at <= now,
            )
            .group_by(Attempt.failure_class)
            .order_by(func.count().desc())
        )
    )


def forecast_tomorrow(now: datetime) -> Any:
    """How many subscriptions fall due tomorrow, and their sum."""
    tomorrow = seoul_date(now) + timedelta(days=1)
    return db.session.execute(
        select(
            func.count().label("count"),
            func.coalesce(func.sum(Subscription.amount_minor), 0).label("sum_minor"),
        ).where(
            Subscription.status.in_([status.value for status in CHARGEABLE]),
            Subscription.next_due_at >= seoul_midnight(tomorrow),
            Subscription.next_due_at < seoul_midnight(tomorrow + timedelta(days=1)),
        )
    ).one()


def _parts(since: datetime, until: datetime) -> list[Any]:
    paid = (Payment.paid_at >= since) & (Payment.paid_at < until) & (Payment.currency == "KRW")
    return [
        select(func.coalesce(func.sum(Payment.captured_minor), literal(0))).where(paid),
        select(func.coalesce(func.sum(Refund.amount_minor), literal(0))).where(
            Refund.ended_at >= since,
            Refund.ended_at < until,
            Refund.status == RefundStatus.SUCCEEDED.value,
        ),
        select(func.count()).select_from(Payment).where(paid),
        select(func.count()).where(
            Attempt.status == AttemptStatus.DECLINED.value,
            Attempt.ended_at >= since,
            Attempt.ended_at < until,
        ),
    ]
