"""Who comes, when, with what: drawn once, before the first day."""

from dataclasses import dataclass
from datetime import date, timedelta

from opsapp.customers.payment_methods import VIRTUAL_ACCOUNT
from opsapp.simulation.luck import Luck

# Code, interval, count, won; and their shares of all subscriptions.
PLANS = (
    ("daily", "day", 1, 900, 0.004),
    ("weekly", "week", 1, 4_900, 0.03),
    ("ten-days", "day", 10, 6_500, 0.01),
    ("monthly-a", "month", 1, 9_900, 0.45),
    ("monthly-b", "month", 1, 14_900, 0.33),
    ("quarterly", "month", 3, 39_000, 0.1),
    ("yearly", "month", 12, 99_000, 1.0),
)
ANCHORS = (1, 10, 20, 25, 29, 30, 31)
MONDAY = 0  # weekly ones are billed then, so that not every day has a handful
KINDS = {"transfer": 0.1, VIRTUAL_ACCOUNT: 0.03}
TRIAL, TERM = 0.08, 0.06  # of the subscriptions
TRIAL_DAYS, TERM_PERIODS = 14, 7


@dataclass(frozen=True, slots=True)
class Comer:
    """`starts_on`: the day on which they subscribe; after a trial the first charge is later."""

    ref: str
    plan: str
    kind: str
    starts_on: date
    anchor_day: int
    trial_days: int
    term_periods: int
    quantity: int


def draw(luck: Luck, ref: str, *, first_day: date, days: int) -> Comer:
    """Three quarters come in the first three months, the others before the last quarter."""
    plan = luck.choose({code: share for code, *_, share in PLANS}, "plan", ref) or "monthly-a"
    is_monthly = next(interval for code, interval, *_ in PLANS if code == plan) == "month"
    latest = min(days, 90) if luck.hits(0.75, "early", ref) else days * 3 // 4
    billed_on = first_day + timedelta(days=int(luck.draw("starts", ref) * latest))
    anchor = ANCHORS[int(luck.draw("anchor", ref) * len(ANCHORS))]
    if is_monthly:
        billed_on = _on_anchor(billed_on, anchor)
    elif plan == "weekly":
        billed_on += timedelta(days=(MONDAY - billed_on.weekday()) % 7)
    on_trial = luck.hits(TRIAL, "trial", ref) and billed_on >= first_day + timedelta(TRIAL_DAYS)
    return Comer(
        ref=ref,
        plan=plan,
        kind=luck.choose(KINDS, "kind", ref) or "card",
        starts_on=billed_on - timedelta(days=TRIAL_DAYS if on_trial else 0),
        anchor_day=anchor if is_monthly else billed_on.day,
        trial_days=TRIAL_DAYS if on_trial else 0,
        term_periods=TERM_PERIODS if luck.hits(TERM, "term", ref) else 0,
        quantity=1 + luck.hits(0.1, "quantity", ref),
    )


def _on_anchor(day: date, anchor_day: int) -> date:
    """The first day from then on that is this day of its month, or the month's last."""
    while day.day != anchor_day:
        tomorrow = day + timedelta(days=1)
        if tomorrow.day == 1 and day.day < anchor_day:
            break
        day = tomorrow
    return day
