"""Dating: on which day a period falls, for statements that ask it of many subscriptions."""

from datetime import date
from functools import cache

from sqlalchemy import ColumnElement, Date, DateTime, Integer, case, cast, func

from opsapp.subscriptions.models import Subscription


@cache
def next_day() -> ColumnElement[date]:
    """The day of the next period by the calendar, as rules.due_on tells it.

    next_due_at may come later: when the period is missing, was refused or waits for its notice.
    What it costs, and whether it is one of service, is a matter of its own day.
    """
    steps = cast(Subscription.next_period_index * Subscription.interval_count, Integer)
    return case(
        (Subscription.interval == "day", Subscription.anchor_on + steps),
        (Subscription.interval == "week", Subscription.anchor_on + steps * 7),
        (Subscription.next_period_index == 0, Subscription.anchor_on),
        else_=_in_month(steps),
    )


def _in_month(steps: ColumnElement[int]) -> ColumnElement[date]:
    """The anchor day that many months after the anchor's, or the last of a shorter month."""
    anchor_on = cast(Subscription.anchor_on, DateTime)
    first = func.date_trunc("month", anchor_on) + func.make_interval(0, steps)
    last = first + func.make_interval(0, 1) - func.make_interval(0, 0, 0, 1)
    anchor_day = first + func.make_interval(0, 0, 0, cast(Subscription.anchor_day - 1, Integer))
    return cast(func.least(anchor_day, last), Date)
