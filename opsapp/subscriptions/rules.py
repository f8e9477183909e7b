"""Dates of billing periods and what follows a failed renewal. Dates are those of Asia/Seoul."""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.errors import Invalid
from opsapp.recovery import rules as recovery
from opsapp.subscriptions.states import SubscriptionStatus

# Reasons of tickets.
METHOD_UNUSABLE = recovery.METHOD_UNUSABLE
TICKET_REASONS = recovery.TICKET_REASONS
METHOD_STUCK = "registration_stuck"
DELETION_STUCK = "deletion_stuck"

# Kinds of notices about a subscription's payments: recalled when it is cancelled.
SUSPENDED_NOTICE = "subscription_suspended"
NOTICE_KINDS = (SUSPENDED_NOTICE, "payment_failed", "payment_method_unusable")

# Causes of blocks.
PAUSE, SUSPENSION, HOLD = "pause", "suspension", "hold"
FIRST_PERIOD = "first_period"  # not paid yet: see beginning
CAUSES = (PAUSE, SUSPENSION, HOLD, FIRST_PERIOD)
REASON_LENGTH_MAX = 200
RECURRING_CONSENT = "recurring_payment"


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the one status of a subscription is made of."""

    ended: SubscriptionStatus | None = None
    causes: frozenset[str] = frozenset()  # of its open blocks
    is_leaving: bool = False  # cancelled at the end of a period
    owes: bool = False
    is_in_trial: bool = False


class Agreed(Protocol):
    """The rhythm of a subscription, as a row or an object has it."""

    @property
    def anchor_on(self) -> date: ...

    @property
    def anchor_day(self) -> int: ...

    @property
    def interval(self) -> str: ...

    @property
    def interval_count(self) -> int: ...


class Fixed(Agreed, Protocol):
    @property
    def term_periods(self) -> int | None: ...


@lru_cache(maxsize=4096)
def due_date(
    anchor_on: date, anchor_day: int, interval: str, interval_count: int, index: int
) -> date:
    """The day of period `index`; period 0 falls on `anchor_on`.

    Months are counted from the anchor, never from the period before: stepping from 31 January
    over February would stay on the 28th for ever. `anchor_day` is the day that was agreed, which
    `anchor_on` cannot tell when it is the last day of a short month.
    """
    steps = index * interval_count
    match interval:
        case "day":
            return anchor_on + timedelta(days=steps)
        case "week":
            return anchor_on + timedelta(weeks=steps)
        case "month":
            if index == 0:
                return anchor_on
            year, month0 = divmod(anchor_on.year * 12 + anchor_on.month - 1 + steps, 12)
            return on_anchor_day(year, month0 + 1, anchor_day)
    raise ValueError(f"not an interval: {interval!r}")


def anchor_for(
    index: int, day: date, *, anchor_day: int, interval: str, interval_count: int
) -> date:
    """The day of period 0 that lets period `index` fall on `day`.

    Of months, `day` has to be their anchor day (or the last of a shorter month). After a change of
    rhythm the day is one of counting only: nobody was billed on it. Raises Invalid.
    """
    steps = index * interval_count
    try:
        match interval:
            case "day":
                return day - timedelta(days=steps)
            case "week":
                return day - timedelta(weeks=steps)
        if index == 0:
            return day
        year, month0 = divmod(day.year * 12 + day.month - 1 - steps, 12)
        return on_anchor_day(year, month0 + 1, anchor_day)
    except (ValueError, OverflowError):
        raise Invalid(field="plan", reason="Too many periods for this rhythm.") from None


def on_anchor_day(year: int, month: int, anchor_day: int) -> date:
    """That day of the month, or the month's last."""
    return date(year, month, min(anchor_day, calendar.monthrange(year, month)[1]))


def first_anchor_day(day: date, anchor_day: int) -> date:
    """The first anchor day of a month that is not before `day`."""
    this_month = on_anchor_day(day.year, day.month, anchor_day)
    if this_month >= day:
        return this_month
    year, month0 = divmod(day.year * 12 + day.month, 12)
    return on_anchor_day(year, month0 + 1, anchor_day)


def due_on(agreed: Agreed, index: int) -> date:
    return due_date(
        agreed.anchor_on, agreed.anchor_day, agreed.interval, agreed.interval_count, index
    )


def due_at(agreed: Agreed, index: int, *, hour: int) -> datetime:
    """The charge hour of period `index`, in UTC."""
    return seoul_midnight(due_on(agreed, index), hour=hour)


def end_of_term(fixed: Fixed) -> date | None:
    """The first day without service; None: it goes on until somebody ends it."""
    return None if fixed.term_periods is None else due_on(fixed, fixed.term_periods)


def first_index_on_or_after(day: date, agreed: Agreed) -> int:
    """The smallest index, at least 0, whose due date is not before `day`."""
    days = (day - agreed.anchor_on).days
    months = (day.year - agreed.anchor_on.year) * 12 + day.month - agreed.anchor_on.month
    passed = {"day": days, "week": days // 7, "month": months}[agreed.interval]
    index = max(0, passed // agreed.interval_count - 1)
    while due_on(agreed, index) < day:
        index += 1
    return index


def headline(standing: Standing) -> SubscriptionStatus:
    """What is said first about a subscription; a hold is said beside it."""
    said = (
        (SubscriptionStatus.SUSPENDED, SUSPENSION in standing.causes),
        (SubscriptionStatus.PAUSED, PAUSE in standing.causes),
        (SubscriptionStatus.CANCELLING, standing.is_leaving),
        (SubscriptionStatus.PAST_DUE, standing.owes),
        (SubscriptionStatus.TRIALING, standing.is_in_trial),
    )
    return standing.ended or next((s for s, holds in said if holds), SubscriptionStatus.ACTIVE)
