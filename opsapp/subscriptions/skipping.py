"""Periods that nobody is asked to pay: those that passed while a subscription stood still."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.settings import current
from opsapp.subscriptions import queries, rules
from opsapp.subscriptions.models import BillingPeriod, Subscription


@within_transaction
def skip_missed_of(
    subscriptions: Sequence[Any], *, because: str, by: Actor, spare_running: bool = False
) -> int:
    """Go on with the first period due today or later; returns how many were passed over.

    Each of them gets its row without a payment, so that the history has no holes. Objects or rows
    with a subscription's columns, locked by the caller.

    With `spare_running` the period that runs today is not passed over: whoever may stop and go on
    at will would else stand still on each day of payment, and be served between them for nothing.
    """
    today = clock.seoul_date(clock.now())
    skipped = {
        row: range(row.next_period_index, _first_wanted(row, today, spare_running=spare_running))
        for row in subscriptions
    }
    missed = {row: indexes for row, indexes in skipped.items() if indexes}
    periods = [period for row, indexes in missed.items() for period in _unpaid(row, indexes)]
    bulk_insert(BillingPeriod, periods)
    bulk_update(Subscription, [_moved_on(row, each.stop) for row, each in missed.items()])
    record_many(
        [
            Entry(
                "subscription.periods_skipped",
                queries.SUBJECT,
                row.id,
                because=because,
                detail={"from_index": indexes.start, "count": len(indexes)},
            )
            for row, indexes in missed.items()
        ],
        by=by,
    )
    return len(periods)


def _first_wanted(subscription: Any, today: date, *, spare_running: bool) -> int:
    first = rules.first_index_on_or_after(today, subscription)
    is_running = spare_running and first and rules.due_on(subscription, first) > today
    return first - 1 if is_running else first


def _unpaid(subscription: Any, indexes: Iterable[int]) -> list[dict[str, Any]]:
    hour = current().charge_hour
    return [
        {
            "subscription_id": subscription.id,
            "period_index": index,
            "due_at": rules.due_at(subscription, index, hour=hour),
            "payment_id": None,
        }
        for index in indexes
    ]


def _moved_on(subscription: Any, index: int) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "next_period_index": index,
        "next_due_at": rules.due_at(subscription, index, hour=current().charge_hour),
        "is_announced": False,
        "is_behind": False,
    }
