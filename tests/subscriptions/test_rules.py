import calendar
import itertools
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from opsapp.subscriptions import rules
from opsapp.subscriptions.rules import Step

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


@settings(max_examples=300)
@given(MONTHS, st.integers(1, 31))
def test_monthly_dates_keep_their_day_for_ten_years(month, anchor_day):
    days = [rules.due_on(monthly(month, anchor_day), n) for n in range(120)]
    gaps = {(later - earlier).days for earlier, later in itertools.pairwise(days)}
    assert gaps <= {28, 29, 30, 31}
    for day in days:
        assert day.day == min(anchor_day, calendar.monthrange(day.year, day.month)[1])


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


def recover(failures: int, failure_class: str | None, retry_mode: str | None, attempt: int = 1):
    return rules.recover(
        failures_in_row=failures,
        attempt_number=attempt,
        failure_class=failure_class,
        retry_mode=retry_mode,
    )


def test_a_customers_failure_is_tried_after_one_day_then_after_three():
    first = recover(0, "authentication_failure", "later")
    second = recover(1, "authentication_failure", "later")
    assert (first.step, rules.retry_after(first)) == (Step.RETRY, timedelta(days=1))
    assert (second.step, rules.retry_after(second)) == (Step.RETRY, timedelta(days=3))


def test_the_second_failure_opens_a_ticket_and_the_third_suspends():
    tickets = [recover(n, "authentication_failure", "later").ticket for n in range(3)]
    assert tickets == [None, "repeated_failure", None]
    assert recover(2, "authentication_failure", "later").step is Step.SUSPEND


@pytest.mark.parametrize("failure_class", ["gateway_error", "configuration_error"])
def test_what_is_not_the_customers_fault_does_not_count(failure_class):
    recovery = recover(2, failure_class, "operator")
    assert (recovery.step, recovery.failures_in_row) == (Step.RETRY, 2)
    assert rules.retry_after(recovery) == timedelta(hours=1)


def test_a_gateway_that_never_recovers_ends_with_a_person():
    recovery = recover(0, "gateway_error", "later", attempt=rules.ATTEMPTS_MAX)
    assert (recovery.step, recovery.ticket) == (Step.WAIT, "gateway_keeps_failing")


@pytest.mark.parametrize("mode", ["none", "after_fix"])
def test_what_cannot_work_is_not_tried_again(mode):
    recovery = recover(0, "expired_or_suspended", mode)
    assert (recovery.step, recovery.ticket) == (Step.WAIT, "method_unusable")
    assert recovery.method_is_dead == (mode == "none")


def test_a_deposit_that_never_came_counts_like_a_decline():
    recovery = recover(0, None, None)
    assert (recovery.step, recovery.failures_in_row, recovery.retry_days) == (Step.RETRY, 1, 1)
