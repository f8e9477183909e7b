"""Judging: what the world promised, held against what it did, by figures of its own.

Nothing here trusts the product's sums: periods are counted from the calendar once more, charges
from the gateway's books, and each period that fell due must be accounted for exactly once.
"""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.simulation import queries
from opsapp.simulation.people import People
from opsapp.simulation.world import World

CHARGED = "charged once"
DECLINED = "declined"
SUSPENDED = "suspended"
PERSON = "needs a person"
ENDED = "ended"
PAUSED = "paused"
UNDER_WAY = "under way"
CLASSES = (CHARGED, DECLINED, SUSPENDED, PERSON, ENDED, PAUSED)

_STANDING = {"suspended": SUSPENDED, "paused": PAUSED, "cancelled": ENDED, "expired": ENDED}


@dataclass(slots=True)
class Finding:
    """`due` is counted from the calendar, the classes from what became of each period."""

    due: int
    sums: dict[str, int]
    violations: list[str]
    hash: str
    by_month: dict[str, dict[str, int]] = field(default_factory=dict)


def judge(world: World, people: People, *, until: date) -> Finding:
    """Of all that fell due on a day up to `until`; what came later had no time to end."""
    with transaction():
        subscriptions = queries.list_subscriptions()
        periods = queries.list_periods()
        facts = queries.list_facts()
        subjects = queries.list_subjects()
    of: dict[int, list[Any]] = {}
    for period in periods:
        of.setdefault(period.subscription_id, []).append(period)
    finding = Finding(0, dict.fromkeys(CLASSES, 0), [], "")
    for subscription in subscriptions:
        theirs = of.get(subscription.id, [])
        is_moved = subscription.ref in people.moved
        _account_for(subscription, theirs, until, finding, is_moved=is_moved)
    if finding.due != sum(finding.sums.values()):
        finding.violations.append(f"due {finding.due}, and the classes say {finding.sums}")
    finding.violations += _paid_twice(world, subjects)
    finding.violations += _charged_after_cancel(world, people)
    finding.hash = _hash(subscriptions, periods, facts)
    return finding


def _account_for(
    subscription: Any, periods: Sequence[Any], until: date, to: Finding, *, is_moved: bool
) -> None:
    """Each day of the calendar against the period of it; days without one say why."""
    end = _last_day(subscription, until)
    made = {seoul_date(period.due_at): period for period in periods}
    if is_moved:  # its rhythm was changed: what was made stands, and the rest follows from it
        days = sorted(day for day in made if day <= end)
        to.violations += _out_of_order(subscription, periods)
    else:
        days = list(_due_days(subscription, until=end))
        extra = sorted(day for day in made if day <= end and day not in days)
        to.violations += [f"{subscription.ref}: a period on {day}" for day in extra]
    for day in days:
        to.due += 1
        period = made.get(day)
        kind = _missing(subscription) if period is None else _class_of(subscription, period)
        if kind == UNDER_WAY:
            to.violations.append(f"{subscription.ref}: nothing has become of {day}")
            continue
        to.sums[kind] += 1
        month = to.by_month.setdefault(f"{day:%Y-%m}", dict.fromkeys(CLASSES, 0))
        month[kind] += 1


def _out_of_order(subscription: Any, periods: Sequence[Any]) -> list[str]:
    days = [seoul_date(period.due_at) for period in periods]
    is_rising = all(later > earlier for earlier, later in pairwise(days))
    return [] if is_rising else [f"{subscription.ref}: its periods are out of order"]


def _due_days(subscription: Any, *, until: date) -> Iterator[date]:
    """The calendar once more, counted step by step in another way than the product does."""
    day = subscription.anchor_on
    step = subscription.interval_count
    while day <= until:
        yield day
        if subscription.interval != "month":
            day += timedelta(days=step * (7 if subscription.interval == "week" else 1))
            continue
        year, month = day.year, day.month + step
        while month > 12:
            year, month = year + 1, month - 12
        last = calendar.monthrange(year, month)[1]
        day = date(year, month, min(subscription.anchor_day, last))


def _last_day(subscription: Any, until: date) -> date:
    """The last day with service, as far as the count goes."""
    if subscription.cancelled_on is not None:
        until = min(until, subscription.cancelled_on)
    if subscription.ends_on is not None:
        until = min(until, subscription.ends_on - timedelta(days=1))
    return until


def _class_of(subscription: Any, period: Any) -> str:
    """What became of one period that was made."""
    if period.succeeded == 1 and period.captured_minor:
        return CHARGED
    if period.is_stuck:
        return PERSON
    standing = _STANDING.get(subscription.status)
    if period.payment_id is None or period.status == "cancelled":
        return standing or PAUSED  # skipped or given up while it stood still
    if period.status in ("failed", "pending", "awaiting_deposit"):
        return standing or DECLINED
    return UNDER_WAY


def _missing(subscription: Any) -> str:
    """No period was made: it stands still; or its method or a consent is missing, and a person was
    told; or several are missing, which only a person may let be charged at once.
    """
    if standing := _STANDING.get(subscription.status):
        return standing
    if subscription.is_billing_blocked:
        return PAUSED
    is_told = subscription.status == "past_due" or subscription.has_ticket or subscription.is_behind
    return PERSON if is_told else UNDER_WAY


def _paid_twice(world: World, subjects: Mapping[str, tuple[str, int, int]]) -> list[str]:
    """By the gateway's books: for one thing, or under one title of one kind; what came back whole
    is no payment.
    """
    kept: dict[tuple[object, ...], set[str]] = {}
    for order in world.gateway.books.by_order.values():
        if not order.is_taken(world.now) or order.refunded() == order.amount:
            continue
        subject = subjects.get(order.order_id, ("unknown", 0, 0))
        for name in (subject, (subject[0], *order.what_for)):
            kept.setdefault(name, set()).add(order.order_id)
    return [
        f"{' '.join(map(str, name))}: paid {len(orders)} times"
        for name, orders in kept.items()
        if len(orders) > 1
    ]


def _charged_after_cancel(world: World, people: People) -> list[str]:
    """Whatever was sent after a cancel was confirmed must be back with the customer."""
    found = []
    for order in world.gateway.books.by_order.values():
        customer, title = order.what_for
        at = people.cancelled.get(customer)
        if at is None or order.sent_at <= at or not order.is_taken(world.now):
            continue
        if order.refunded() != order.amount:
            found.append(
                f"{customer} cancelled at {at} and was charged at {order.sent_at}: {title}"
            )
    return found


def _hash(
    subscriptions: Sequence[Any], periods: Sequence[Any], facts: Sequence[tuple[Any, ...]]
) -> str:
    refs = {row.id: row.ref for row in subscriptions}
    told = [
        tuple(row._mapping[name] for name in row._fields if name != "id") for row in subscriptions
    ]
    told += sorted((refs[row.subscription_id], *_without_ids(row)) for row in periods)
    digest = sha256()
    for line in (*told, *facts):
        digest.update(f"{'|'.join(map(str, line))}\n".encode())
    return digest.hexdigest()


def _without_ids(period: Any) -> tuple[str, ...]:
    kept = (
        period.period_index, period.due_at.isoformat(), period.status, period.captured_minor,
        period.refunded_minor, period.amount_minor, period.paid_at and period.paid_at.isoformat(),
        period.story,
    )  # fmt: skip
    return tuple(map(str, kept))
