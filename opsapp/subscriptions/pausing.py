"""Standing still and going on: by staff or by the customer."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.recovery import ending as recoveries
from opsapp.subscriptions import blocking, queries, rules, stopping
from opsapp.subscriptions.errors import MoveRefused
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import CHARGEABLE, ENDED, SubscriptionStatus
from opsapp.subscriptions.stopping import Going, Stopped

_MAY_PAUSE = (*CHARGEABLE, SubscriptionStatus.SUSPENDED)


class OpenRetries(StrEnum):
    """What happens to what is planned or has failed already."""

    WITHDRAW = "withdraw"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class PausePreview:
    """`going`: what is planned now. `next_on`: the charge that will not be made."""

    going: Going
    next_on: date
    is_possible: bool


def preview_pause(subscription_id: int) -> PausePreview:
    """Nothing is written. Raises NotFound."""
    subscription = queries.get_subscription(subscription_id)
    is_blocked = subscription.is_billing_blocked
    blocks = blocking.list_open_blocks(subscription_id) if is_blocked else []
    return PausePreview(
        stopping.look(subscription_id),
        clock.seoul_date(subscription.next_due_at),
        _may_pause(subscription, {block.cause for block in blocks}),
    )


@within_transaction
def pause(
    subscription_id: int,
    *,
    until: date | None = None,
    open_retries: str = OpenRetries.WITHDRAW,
    because: str = "",
    by: Actor,
) -> Stopped:
    """No new charge from now on, and no service; on the day `until` it goes on by itself.

    Retries that are planned are taken back and their periods given up; virtual accounts are closed.
    With `open_retries` "keep" they go on, and only new periods stop. What else is at the gateway
    goes on to its end and counts as its period's payment; what has failed stays visible as failed.
    Pausing twice changes nothing. Raises NotFound, MoveRefused, Invalid.
    """
    keeps = _read(open_retries) is OpenRetries.KEEP
    payments, subscription = stopping.lock_all(subscription_id, stopping.PLANNED)
    causes = {block.cause for block in blocking.list_open_blocks(subscription_id)}
    if rules.PAUSE in causes:
        return Stopped(in_flight=stopping.look(subscription_id).in_flight)
    if not _may_pause(subscription, causes):
        raise MoveRefused(status=subscription.status, wanted="paused")
    blocking.place(
        subscription_id,
        cause=rules.PAUSE,
        service=True,
        billing=True,
        until=until,
        keeps_retries=keeps,
        because=because or "paused",
        by=by,
    )
    _tell_of_pause(subscription, until, by=by)
    if keeps:
        because = "the subscription was paused"
        revoked = stopping.revoke_foretelling(
            [subscription_id], but_changes=True, because=because, by=by
        )
        after = stopping.look(subscription_id)
        return Stopped(notices_revoked=revoked, in_flight=after.in_flight)
    subscription.failures_in_row = 0
    stopped = stopping.stop(subscription_id, payments, because="the subscription was paused", by=by)
    recoveries.end_for([subscription_id], because="paused", by=by)
    return stopped


@within_transaction
def resume(subscription_id: int, *, by: Actor) -> None:
    """Go on with the next period from today; what passed in the meantime is not charged.

    Lifts what the status says: a suspension before a pause. A hold stays. Resuming one that goes
    on changes nothing. Raises NotFound, MoveRefused.
    """
    subscription = queries.lock_subscription(subscription_id)
    because = f"resumed after it was {subscription.status}"
    match subscription.status:
        case SubscriptionStatus.SUSPENDED:
            go_on(subscription, because=because, by=by)
        case SubscriptionStatus.PAUSED:
            _tell_of_resuming(subscription, by=by)
            blocking.lift(subscription_id, cause=rules.PAUSE, because=because, by=by)
        case status if status in ENDED:
            raise MoveRefused(status=status, wanted="resumed")


@within_transaction
def go_on(subscription: Subscription, *, because: str, by: Actor) -> None:
    """Lift the suspension of a locked subscription, with a clean count of failures."""
    subscription.failures_in_row = 0
    blocking.lift(subscription.id, cause=rules.SUSPENSION, because=because, by=by)


@within_transaction
def hold(subscription_id: int, *, service: bool = True, because: str, by: Actor) -> Stopped:
    """Staff stop everything, as after a suspected fraud: no charge, no change, and no service.

    What is planned is taken back, as in a pause; with the service going on, periods that pass are
    owed when the hold is lifted. Holding twice changes nothing. Raises NotFound, MoveRefused,
    Invalid.
    """
    reason = _readable(because)
    payments, subscription = stopping.lock_all(subscription_id, stopping.PLANNED)
    is_new = blocking.place(
        subscription_id,
        cause=rules.HOLD,
        change=True,
        service=service,
        billing=True,
        because=reason,
        by=by,
    )
    if not is_new:
        return Stopped(in_flight=stopping.look(subscription_id).in_flight)
    subscription.failures_in_row = 0
    stopped = stopping.stop(subscription_id, payments, because="the subscription is held", by=by)
    recoveries.end_for([subscription_id], because="the subscription is held", by=by)
    return stopped


@within_transaction
def release(subscription_id: int, *, because: str, by: Actor) -> None:
    """End the hold; a pause or a suspension beside it stays. Raises NotFound, MoveRefused."""
    reason = _readable(because)
    if not blocking.lift(subscription_id, cause=rules.HOLD, because=reason, by=by):
        status = queries.get_subscription(subscription_id).status
        raise MoveRefused(status=status, wanted="released")


def _may_pause(subscription: Subscription, causes: Collection[str]) -> bool:
    """Whoever has cancelled already leaves at the end of the period: nothing is to be paused.

    Before the first period is paid its charge would be taken back, and the order give it up.
    """
    is_leaving = subscription.cancel_asked_on is not None
    is_begun = rules.FIRST_PERIOD not in causes
    return subscription.status in _MAY_PAUSE and is_begun and not is_leaving


def _read(open_retries: str) -> OpenRetries:
    try:
        return OpenRetries(open_retries)
    except ValueError:
        raise Invalid(field="open_retries", reason="must be withdraw or keep.") from None


def _readable(because: str) -> str:
    reason = " ".join(because.split())
    if not 2 <= len(reason) <= rules.REASON_LENGTH_MAX:
        raise Invalid(field="because", reason="Say why, in at most 200 characters.")
    return reason


def _tell_of_pause(subscription: Subscription, until: date | None, *, by: Actor) -> None:
    """Once per pause, not once in its life."""
    values = {"until": until.isoformat()} if until else {}
    _tell("subscription_paused", subscription, values, by=by)


def _tell_of_resuming(subscription: Subscription, *, by: Actor) -> None:
    _tell("subscription_resumed", subscription, {}, by=by)


def _tell(kind: str, subscription: Subscription, values: dict[str, str], *, by: Actor) -> None:
    [pause_] = [
        block for block in blocking.list_open_blocks(subscription.id) if block.cause == rules.PAUSE
    ]
    notice = NewNotice(kind, blocking.SUBJECT, pause_.id, subscription.customer_id, values)
    sending.queue_notices([notice], by=by)
