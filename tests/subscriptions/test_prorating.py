"""What a part of a period is worth, and where periods fall after a change of rhythm."""

import itertools
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hypothesis import given, strategies as st

from opsapp.kernel.money import Money
from opsapp.subscriptions import rules
from opsapp.subscriptions.prorating import begin_anew, bridge, same_days, share

amounts = st.integers(1, 100_000_000).map(lambda minor: Money(minor, "KRW"))
days = st.dates(date(2024, 1, 1), date(2032, 12, 31))
rhythms = st.sampled_from(
    [("day", 1), ("day", 45), ("week", 1), ("week", 2), ("month", 1), ("month", 3), ("month", 12)]
)


@dataclass(frozen=True)
class Agreed:
    anchor_on: date
    anchor_day: int
    interval: str
    interval_count: int


@st.composite
def running(draw):
    """The days that are left of a real period, and its length."""
    anchor_on = draw(days)
    interval, count = draw(rhythms)
    agreed = Agreed(anchor_on, draw(st.integers(anchor_on.day, 31)), interval, count)
    index = draw(st.integers(0, 30))
    begun, over = rules.due_on(agreed, index), rules.due_on(agreed, index + 1)
    period = (over - begun).days
    return draw(st.integers(0, period)), period


@given(amounts, running())
def test_used_and_unused_days_add_up_to_what_was_paid(amount, left):
    unused, period = left
    credit = share(amount, unused, period)
    used = amount - credit
    assert credit.minor >= 0
    assert used.minor >= 0
    assert credit + used == amount
    exact = amount.minor * unused
    assert credit.minor * period <= exact < (credit.minor + 1) * period, "rounded down to the won"


@given(amounts, amounts, running())
def test_a_change_and_the_change_back_cancel_each_other(old, new, left):
    unused, period = left
    there = same_days(old, new, unused=unused, period=period)
    back = same_days(new, old, unused=unused, period=period)
    assert there.to_pay + there.let_go == back.to_refund
    assert there.to_refund == back.to_pay + back.let_go


@given(amounts, amounts, running())
def test_exactly_one_side_pays_and_never_more_than_the_difference(old, new, left):
    unused, period = left
    for exact in (
        same_days(old, new, unused=unused, period=period),
        begin_anew(old, new, unused=unused, period=period),
        bridge(new, days=unused, period=period),
    ):
        figures = replace(exact, smallest=100)
        assert min(figures.to_pay.minor, figures.to_refund.minor, figures.let_go.minor) == 0
        assert figures.to_refund <= old, "nobody gets back more than was paid for the period"
        assert figures.to_pay <= new
        moved = figures.to_pay.minor + figures.let_go.minor - figures.to_refund.minor
        assert moved == figures.price.minor - figures.credit.minor
        assert 0 <= figures.let_go.minor < 100


@given(days, rhythms, st.integers(1, 31), st.integers(0, 120))
def test_after_any_change_of_rhythm_periods_go_on_from_the_day_that_was_meant(
    day, rhythm, anchor_day, index
):
    interval, count = rhythm
    if interval == "month":
        day = rules.on_anchor_day(day.year, day.month, anchor_day)
    anchor_on = rules.anchor_for(
        index, day, anchor_day=anchor_day, interval=interval, interval_count=count
    )
    agreed = Agreed(anchor_on, anchor_day, interval, count)
    assert rules.due_on(agreed, index) == day
    following = [rules.due_on(agreed, index + n) for n in range(14)]
    assert all(a < b for a, b in itertools.pairwise(following))
    if interval == "month":
        assert all(d == rules.on_anchor_day(d.year, d.month, anchor_day) for d in following)
    else:
        step = timedelta(**{f"{interval}s": count})
        assert all(b - a == step for a, b in itertools.pairwise(following))
