"""Periods that nobody is asked to pay: those that passed while a subscription stood still."""

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.settings import current
from opsapp.subscriptions import queries, rules
from opsapp.subscriptions.models import BillingPeriod, Subscription


@within_transaction
def skip_missed(subscription: Subscription, *, because: str, by: Actor) -> int:
    """Go on with the first period due today or later; returns how many were passed over.

    Each of them gets its row without a payment, so that the history has no holes.
    """
    today = clock.seoul_date(clock.now())
    first = rules.first_index_on_or_after(today, subscription)
    hour = current().charge_hour
    skipped = range(subscription.next_period_index, first)
    if not skipped:
        return 0
    bulk_insert(
        BillingPeriod,
        [
            {
                "subscription_id": subscription.id,
                "period_index": index,
                "due_at": rules.due_at(subscription, index, hour=hour),
                "payment_id": None,
            }
            for index in skipped
        ],
    )
    subscription.next_period_index = first
    subscription.next_due_at = rules.due_at(subscription, first, hour=hour)
    entry = Entry(
        "subscription.periods_skipped",
        queries.SUBJECT,
        subscription.id,
        because=because,
        detail={"from_index": skipped.start, "count": len(skipped)},
    )
    record(entry, by=by)
    return len(skipped)
