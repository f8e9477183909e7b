"""Standing still and going on: by staff or by the customer."""

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.payments import requesting
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions import queries, skipping
from opsapp.subscriptions.errors import MoveRefused
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import SUBSCRIPTION, SubscriptionStatus

_PLANNED = (PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT)


@within_transaction
def pause(subscription_id: int, *, by: Actor) -> None:
    """No charge from now on; retries that were planned are taken back and their periods given up.

    Virtual accounts are closed. What else is at the gateway goes on to its end, and what has failed
    stays visible as failed: only a person may try it again. Pausing twice changes nothing. Raises
    NotFound, MoveRefused.
    """
    planned = queries.lock_payments_of([subscription_id], _PLANNED)
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status == SubscriptionStatus.PAUSED:
        return
    _require(subscription, SubscriptionStatus.PAUSED)
    SUBSCRIPTION.move(subscription, SubscriptionStatus.PAUSED, because="paused", by=by)
    planned += queries.lock_free_payments_of([subscription_id], _PLANNED)
    requesting.withdraw(sorted(set(planned)), because="the subscription was paused", by=by)
    subscription.failures_in_row = 0


@within_transaction
def resume(subscription_id: int, *, by: Actor) -> None:
    """Go on with the next period from today; what passed in the meantime is not charged.

    Also lifts a suspension. Resuming an active one changes nothing. Raises NotFound, MoveRefused.
    """
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status == SubscriptionStatus.ACTIVE:
        return
    if subscription.status not in (SubscriptionStatus.PAUSED, SubscriptionStatus.SUSPENDED):
        raise MoveRefused(status=subscription.status, wanted="resumed")
    go_on(subscription, because=f"resumed after it was {subscription.status}", by=by)


@within_transaction
def go_on(subscription: Subscription, *, because: str, by: Actor) -> None:
    """Make a locked paused or suspended subscription active, with a clean count of failures."""
    SUBSCRIPTION.move(subscription, SubscriptionStatus.ACTIVE, because=because, by=by)
    subscription.failures_in_row = 0
    skipping.skip_missed(subscription, because=because, by=by)


def _require(subscription: Subscription, wanted: SubscriptionStatus) -> None:
    if not SUBSCRIPTION.allows(subscription.status, wanted):
        raise MoveRefused(status=subscription.status, wanted=wanted.value)
