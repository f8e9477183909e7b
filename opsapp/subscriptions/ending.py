"""Ending: what comes to its day by itself. Fixed terms, cancellations at a period's end, blocks."""

from collections.abc import Sequence
from datetime import date

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.recovery import ending as recoveries
from opsapp.subscriptions import blocking, queries, rules, stopping
from opsapp.subscriptions.models import Subscription, SubscriptionBlock
from opsapp.subscriptions.states import ENDED, SUBSCRIPTION, SubscriptionStatus
from opsapp.tickets import resolving

BY = Actor("timetable", "subscriptions.end_due")


@within_transaction
def end_due(*, limit: int = 200) -> int:
    """End up to `limit` subscriptions whose last day is over, and lift blocks whose day has come.

    Returns how many were taken up: call it again until it returns 0. One of which a charge is at
    the gateway ends as soon as the answer is there, so that money for its last period is no money
    after its end.
    """
    today = clock.seoul_date(clock.now())
    return _end(today, limit=limit) + _lift(today, limit=limit)


def _end(today: date, *, limit: int) -> int:
    ids = queries.list_over(today, limit=limit)
    if not ids:
        return 0
    # House order: payments before the subscriptions.
    payments = queries.lock_payments_of(ids, stopping.GIVEN_UP)
    payments += stopping.lock_payments_of_changes(ids, stopping.GIVEN_UP)
    rows = [row for row in queries.lock_subscriptions(ids).values() if _is_over(row, today)]
    because = "the subscription is over"
    stopping.stop_many([row.id for row in rows], payments, because=because, by=BY)
    sent = queries.list_at_gateway([row.id for row in rows])
    over = [row for row in rows if row.id not in sent]
    ended = [row.id for row in over]
    SUBSCRIPTION.move_many(Subscription, [_move(row, today) for row in over], by=BY)
    blocking.clear(ended, because=because, by=BY)
    recoveries.end_for(ended, because=because, by=BY)
    for reason in rules.TICKET_REASONS:
        resolving.resolve_for(queries.SUBJECT, ended, reason, because=because, by=BY)
    sending.queue_notices([_notice(row) for row in over if row.cancel_asked_on], by=BY)
    return len(over)


def _is_over(row: Subscription, today: date) -> bool:
    return row.status not in ENDED and row.ends_on is not None and row.ends_on <= today


def _move(row: Subscription, today: date) -> RowMove:
    if row.cancel_asked_on is not None:
        target, because = SubscriptionStatus.CANCELLED, "cancelled at the end of its period"
    else:
        target, because = SubscriptionStatus.EXPIRED, "its fixed term is over"
    left_on = today if row.cancel_asked_on else None
    return RowMove(row.id, row.status, target, because, also={"cancelled_on": left_on})


def _notice(row: Subscription) -> NewNotice:
    values = {"ends_on": row.ends_on.isoformat() if row.ends_on else "", "left": 0}
    kind = "subscription_cancelled"
    return NewNotice(kind, queries.SUBJECT, row.id, row.customer_id, values)


def _lift(today: date, *, limit: int) -> int:
    """Pauses with a day of return, above all; a customer is told of that."""
    over = blocking.list_over(today, limit=limit)
    lifted = 0
    for cause in rules.CAUSES:
        theirs = [block for block in over if block.cause == cause]
        if not theirs:
            continue
        ids = [block.subscription_id for block in theirs]
        lifted += len(blocking.lift_many(ids, cause=cause, because="its day has come", by=BY))
        if cause == rules.PAUSE:
            _tell_of_resuming(theirs)
    return lifted


def _tell_of_resuming(blocks: Sequence[SubscriptionBlock]) -> None:
    rows = queries.lock_subscriptions([block.subscription_id for block in blocks])
    sending.queue_notices(
        [
            NewNotice(
                "subscription_resumed",
                blocking.SUBJECT,
                block.id,
                rows[block.subscription_id].customer_id,
                {},
            )
            for block in blocks
        ],
        by=BY,
    )
