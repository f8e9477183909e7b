"""Cancelling: now, when no charge is possible any more, or at the end of the period."""

from dataclasses import dataclass
from datetime import date

from opsapp.consents import queries as consents
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.recovery import ending as recoveries
from opsapp.subscriptions import blocking, queries, rules, stopping
from opsapp.subscriptions.errors import ConsentTakenBack, MoveRefused
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import (
    CHARGEABLE,
    ENDED,
    SUBSCRIPTION,
    ChangeStatus,
    SubscriptionStatus,
)
from opsapp.subscriptions.stopping import Going, Stopped
from opsapp.tickets import resolving


@dataclass(frozen=True, slots=True)
class CancelPreview:
    """`going`: what would be taken back now. `ends_on`: the first day without service."""

    going: Going
    ends_on: date
    is_possible: bool


def preview_cancel(
    subscription_id: int, *, at_period_end: bool, going: Going | None = None
) -> CancelPreview:
    """Nothing is written; `going` saves a look that was taken already. Raises NotFound."""
    subscription = queries.get_subscription(subscription_id)
    going = going or stopping.look(subscription_id)
    if not at_period_end:
        today = clock.seoul_date(clock.now())
        return CancelPreview(going, today, subscription.status not in ENDED)
    return CancelPreview(going, end_of_period(subscription), subscription.status in CHARGEABLE)


@within_transaction
def cancel(subscription_id: int, *, by: Actor, because: str = "cancelled") -> Stopped:
    """End it now: planned charges are taken back, failed ones given up, notices recalled.

    Virtual accounts are closed, planned changes withdrawn. What else is at the gateway already goes
    on to its certain end: if it is paid it is refunded by itself, if it fails nothing follows.
    Cancelling twice changes nothing. Raises NotFound, MoveRefused.
    """
    payments, subscription = stopping.lock_all(subscription_id, stopping.GIVEN_UP)
    if subscription.status == SubscriptionStatus.CANCELLED:
        return Stopped(in_flight=stopping.look(subscription_id).in_flight)
    if not SUBSCRIPTION.allows(subscription.status, SubscriptionStatus.CANCELLED):
        raise MoveRefused(status=subscription.status, wanted="cancelled")
    SUBSCRIPTION.move(subscription, SubscriptionStatus.CANCELLED, because=because, by=by)
    subscription.cancelled_on = clock.seoul_date(clock.now())
    because = "the subscription was cancelled"
    blocking.clear([subscription_id], because=because, by=by)
    stopped = stopping.stop(subscription_id, payments, because=because, by=by)
    recoveries.end_for([subscription_id], because=because, by=by)
    for reason in rules.TICKET_REASONS:
        resolving.resolve_for(
            queries.SUBJECT, [subscription_id], reason, because="cancelled", by=by
        )
    values: dict[str, str | int] = {
        "ends_on": subscription.cancelled_on.isoformat(),
        "left": stopped.left,
    }
    _tell("subscription_cancelled", subscription, values, by=by)
    return stopped


@within_transaction
def cancel_at_period_end(subscription_id: int, *, because: str = "cancelled", by: Actor) -> date:
    """No period after the running one; returns the first day without service.

    What is owed of the running one is still collected until then. One whose period is over is
    cancelled now, one that is leaving already stays as it is. Raises NotFound, MoveRefused: of
    whatever stands still no period is running.
    """
    _, subscription = stopping.lock_all(subscription_id, stopping.GIVEN_UP)
    if subscription.status == SubscriptionStatus.CANCELLING and subscription.ends_on:
        return subscription.ends_on
    if subscription.status not in CHARGEABLE:
        raise MoveRefused(status=subscription.status, wanted="cancelled at the end of a period")
    today, ends_on = clock.seoul_date(clock.now()), end_of_period(subscription)
    if ends_on <= today:
        cancel(subscription_id, because=because, by=by)
        return today
    subscription.cancel_asked_on, subscription.ends_on = today, ends_on
    SUBSCRIPTION.move(subscription, SubscriptionStatus.CANCELLING, because=because, by=by)
    because = "the subscription ends with this period"
    stopping.revoke_foretelling([subscription_id], because=because, by=by)
    # One whose difference is being paid is let go on: it is of the running period.
    unpaid = ChangeStatus.AWAITING_PAYMENT
    stopping.withdraw_changes([subscription_id], but=unpaid, because=because, by=by)
    _tell("subscription_ending", subscription, {"ends_on": ends_on.isoformat()}, by=by)
    return ends_on


@within_transaction
def keep(subscription_id: int, *, by: Actor) -> None:
    """Take a cancellation back before its day; one that nobody cancelled stays as it is.

    Changes that were planned before it are not planned again. Raises NotFound, MoveRefused,
    ConsentTakenBack.
    """
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status in ENDED:
        raise MoveRefused(status=subscription.status, wanted="kept")
    if subscription.cancel_asked_on is None:
        return
    if consents.is_withdrawn(subscription_id, rules.RECURRING_CONSENT):
        raise ConsentTakenBack
    because = "the cancellation was taken back"
    sending.revoke(
        ["subscription_ending"], queries.SUBJECT, [subscription_id], because=because, by=by
    )
    subscription.cancel_asked_on = None
    subscription.ends_on = rules.end_of_term(subscription)
    subscription.is_announced = False
    target = blocking.headline_of(subscription)
    if target == subscription.status:
        entry = Entry("subscription.kept", queries.SUBJECT, subscription_id, because=because)
        record(entry, by=by)
        return
    SUBSCRIPTION.move(subscription, target, because=because, by=by)


def end_of_period(subscription: Subscription) -> date:
    """The day of the first period that is not charged yet; a fixed term may end before it."""
    end = rules.due_on(subscription, subscription.next_period_index)
    return min(end, subscription.ends_on) if subscription.ends_on else end


def _tell(
    kind: str, subscription: Subscription, values: dict[str, str | int], *, by: Actor
) -> None:
    """Who takes a cancellation back and cancels once more is told once more."""
    if not sending.send_again(kind, queries.SUBJECT, [subscription.id], values=values, by=by):
        notice = NewNotice(kind, queries.SUBJECT, subscription.id, subscription.customer_id, values)
        sending.queue_notices([notice], by=by)
