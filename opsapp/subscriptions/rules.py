"""Dates of billing periods and what follows a failed renewal. Dates are those of Asia/Seoul."""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from opsapp.kernel.clock import seoul_midnight
from opsapp.payments.rules import CUSTOMER_CLASSES

# The recovery calendar: after the first failure in a row wait 1 day, after the second 3.
RETRY_DAYS = (1, 3)
TICKET_AT_FAILURE = 2
SUSPEND_AT_FAILURE = 3
GATEWAY_RETRY_AFTER = timedelta(hours=1)
ATTEMPTS_MAX = 24  # of one payment, whoever is to blame

# Reasons of tickets.
REPEATED_FAILURE = "repeated_failure"
METHOD_UNUSABLE = "method_unusable"
GATEWAY_KEEPS_FAILING = "gateway_keeps_failing"
TICKET_REASONS = (REPEATED_FAILURE, METHOD_UNUSABLE, GATEWAY_KEEPS_FAILING)
METHOD_STUCK = "registration_stuck"
DELETION_STUCK = "deletion_stuck"

# Kinds of notices about a subscription's payments: recalled when it is cancelled.
SUSPENDED_NOTICE = "subscription_suspended"
NOTICE_KINDS = (SUSPENDED_NOTICE, "payment_failed", "payment_method_unusable")

NO_RETRY_MODES = frozenset({"none", "after_fix"})
DEAD_CLASS = "expired_or_suspended"


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


class Step(StrEnum):
    RETRY = "retry"
    WAIT = "wait"  # for a person: a new method, or staff
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What follows a failure. `ticket` is the reason of the ticket to open, if any."""

    step: Step
    failures_in_row: int
    retry_days: int = 0  # at the same Seoul hour; 0 with RETRY: in an hour
    ticket: str | None = None
    method_is_dead: bool = False


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


def on_anchor_day(year: int, month: int, anchor_day: int) -> date:
    """That day of the month, or the month's last."""
    return date(year, month, min(anchor_day, calendar.monthrange(year, month)[1]))


def due_on(agreed: Agreed, index: int) -> date:
    return due_date(
        agreed.anchor_on, agreed.anchor_day, agreed.interval, agreed.interval_count, index
    )


def due_at(agreed: Agreed, index: int, *, hour: int) -> datetime:
    """The charge hour of period `index`, in UTC."""
    return seoul_midnight(due_on(agreed, index), hour=hour)


def first_index_on_or_after(day: date, agreed: Agreed) -> int:
    """The smallest index, at least 0, whose due date is not before `day`."""
    days = (day - agreed.anchor_on).days
    months = (day.year - agreed.anchor_on.year) * 12 + day.month - agreed.anchor_on.month
    passed = {"day": days, "week": days // 7, "month": months}[agreed.interval]
    index = max(0, passed // agreed.interval_count - 1)
    while due_on(agreed, index) < day:
        index += 1
    return index


def recover(
    *,
    failures_in_row: int,
    attempt_number: int,
    failure_class: str | None,
    retry_mode: str | None,
) -> Recovery:
    """What follows one more failed attempt, after `failures_in_row` that counted before it.

    A deposit that never came has no failure class; it counts like a decline. What the gateway or
    our own set-up got wrong does not count: the customer is tried again in an hour.
    """
    if failure_class is not None and failure_class not in CUSTOMER_CLASSES:
        # Nothing is wrong with the customer's method: staff have to talk to the gateway.
        if retry_mode in NO_RETRY_MODES or attempt_number >= ATTEMPTS_MAX:
            return Recovery(Step.WAIT, failures_in_row, ticket=GATEWAY_KEEPS_FAILING)
        return Recovery(Step.RETRY, failures_in_row)
    failures = failures_in_row + 1
    is_dead = retry_mode == "none" and failure_class == DEAD_CLASS
    repeated = REPEATED_FAILURE if failures == TICKET_AT_FAILURE else None
    if failures >= SUSPEND_AT_FAILURE:
        return Recovery(Step.SUSPEND, failures, method_is_dead=is_dead)
    if retry_mode in NO_RETRY_MODES:
        ticket = repeated or METHOD_UNUSABLE
        return Recovery(Step.WAIT, failures, ticket=ticket, method_is_dead=is_dead)
    return Recovery(Step.RETRY, failures, retry_days=RETRY_DAYS[failures - 1], ticket=repeated)


def retry_after(recovery: Recovery) -> timedelta:
    """Seoul has no summer time, so whole days keep the hour."""
    return timedelta(days=recovery.retry_days) if recovery.retry_days else GATEWAY_RETRY_AFTER
