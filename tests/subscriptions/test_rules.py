import calendar
import itertools
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from opsapp.subscriptions import rules

MONTHS = st.builds(lambda year, month: (year, month), st.integers(2024, 2032), st.integers(1, 12))
DAYS = st.dates(date(2024, 1, 1), date(2032, 12, 31))


@dataclass(frozen=True)
class Agreed:
    anchor_on: date
    anchor_day: int
    interval: str = "month"
    interval_count: int = 1


def monthly(month: tuple[int, int], anchor_day: int, count: int = 1) -> Agreed:
    return Agreed(rules.on_anchor_day(*month, anchor_day), anchor_day, "month", count)


@pytest.mark.parametrize("anchor_day", range(1, 32))
def test_every_anchor_day_is_kept_for_ten_years_from_every_month(anchor_day):
    """All starts of 2024 to 2032, all 120 periods: nothing here is left to chance."""
    last_days = {
        (year, month): calendar.monthrange(year, month)[1]
        for year in range(2024, 2043)
        for month in range(1, 13)
    }
    for start in ((year, month) for year in range(2024, 2033) for month in range(1, 13)):
        agreed = monthly(start, anchor_day)
        days = [rules.due_on(agreed, n) for n in range(120)]
        assert all(later > earlier for earlier, later in itertools.pairwise(days))
        for n, day in enumerate(days):
            assert (day.year * 12 + day.month) - (start[0] * 12 + start[1]) == n
            assert day.day == min(anchor_day, last_days[day.year, day.month])


@given(MONTHS, st.integers(1, 31), st.integers(2, 24))
def test_several_months_are_as_many_single_months(month, anchor_day, count):
    single, several = monthly(month, anchor_day), monthly(month, anchor_day, count)
    for n in range(20):
        assert rules.due_on(several, n) == rules.due_on(single, n * count)


@given(DAYS, st.integers(1, 31), st.sampled_from(["day", "week"]), st.integers(1, 366))
def test_days_and_weeks_are_plain_arithmetic(start, anchor_day, interval, count):
    agreed = Agreed(start, anchor_day, interval, count)
    length = timedelta(days=count if interval == "day" else 7 * count)
    for n in range(30):
        assert rules.due_on(agreed, n) == start + n * length


@given(
    DAYS, st.integers(1, 31), st.sampled_from(["day", "week", "month"]), st.integers(1, 40), DAYS
)
def test_the_first_period_from_a_day_is_the_first_and_not_before_it(
    start, anchor_day, interval, count, day
):
    agreed = Agreed(start, anchor_day, interval, count)
    if interval == "month":
        agreed = monthly((start.year, start.month), anchor_day, count)
    index = rules.first_index_on_or_after(day, agreed)
    assert index >= 0
    assert rules.due_on(agreed, index) >= day
    if index:
        assert rules.due_on(agreed, index - 1) < day


def test_the_thirty_first_comes_back_after_february():
    agreed = Agreed(date(2028, 1, 31), 31)
    days = [rules.due_on(agreed, n) for n in range(4)]
    assert days == [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]


def test_a_start_on_the_last_day_of_a_short_month_keeps_the_agreed_day():
    agreed = Agreed(date(2026, 2, 28), 30)
    assert rules.due_on(agreed, 1) == date(2026, 3, 30)


def test_a_period_is_due_at_midnight_in_seoul():
    due_at = rules.due_at(Agreed(date(2026, 3, 1), 1), 0, hour=0)
    assert due_at.isoformat() == "2026-02-28T15:00:00+00:00"
