"""Catching up: several missing periods of a subscription at once, when staff approve it."""

from collections.abc import Sequence
from datetime import datetime

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.settings import current
from opsapp.subscriptions import announcing, queries, rules, running, selecting
from opsapp.subscriptions.errors import NothingToCatchUp
from opsapp.subscriptions.models import Subscription

APPROVED_AT_ONCE_MAX = 5_000


@within_transaction
def approve_catch_up(subscription_ids: Sequence[int] = (), *, because: str, by: Actor) -> int:
    """Let all periods that are missing by now follow at once; returns how many subscriptions.

    Of all that are behind, if none is named, at most APPROVED_AT_ONCE_MAX of them. Each missing
    period stays a payment of its own. All are announced now, and charged after the lead. Raises
    Invalid, NothingToCatchUp.
    """
    reason = running.checked_reason(because)
    found = selecting.lock_behind(subscription_ids, limit=APPROVED_AT_ONCE_MAX)
    now, hour = clock.now(), current().charge_hour
    last = {row.id: _last_missing(row, now, hour=hour) for row in found}
    # Another billing day may have put off what was missing.
    behind = [row for row in found if last[row.id] >= row.next_period_index]
    if not behind:
        raise NothingToCatchUp
    charged_at = announcing.announce_missing(last)
    bulk_update(
        Subscription,
        [
            {
                "id": row.id,
                "catch_up_to": last[row.id],
                "is_behind": False,
                "next_due_at": charged_at,
                "is_announced": False,
            }
            for row in behind
        ],
    )
    record_many(
        [
            Entry(
                "subscription.catch_up_approved",
                queries.SUBJECT,
                row.id,
                because=reason,
                detail={"from_index": row.next_period_index, "to_index": last[row.id]},
            )
            for row in behind
        ],
        by=by,
    )
    return len(behind)


def _last_missing(row: Subscription, now: datetime, *, hour: int) -> int:
    """Index of the last period that should have been charged by now, of those of service."""
    today = clock.seoul_date(now)
    first_to_come = rules.first_index_on_or_after(today, row)
    is_due_today = rules.due_at(row, first_to_come, hour=hour) <= now
    last = first_to_come if is_due_today else first_to_come - 1
    if row.ends_on is None:
        return last
    return min(last, rules.first_index_on_or_after(row.ends_on, row) - 1)
