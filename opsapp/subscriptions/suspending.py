"""Suspending: what the recovery policy ends in, falling behind before it, and being put right."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.payments import requesting
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions import blocking, queries, rules, stopping
from opsapp.subscriptions.blocking import NewBlock
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import (
    ENDED,
    SUBSCRIPTION,
    ChangeStatus,
    SubscriptionStatus,
)

_PLANNED = (PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT)
_KEPT_UP = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Suspension:
    subscription_id: int
    because: str


@dataclass(frozen=True, slots=True)
class Arrears:
    subscription_id: int
    because: str


@within_transaction
def suspend_many(wishes: Sequence[Suspension], *, by: Actor) -> frozenset[int]:
    """No service and no charge until they are put right; returns ids of those suspended anew.

    Planned charges of theirs are taken back, but those whose payments somebody holds just now:
    the claim refuses these. The caller holds the payments that brought it about.
    """
    suspended = blocking.place_many(
        [
            NewBlock(
                wish.subscription_id, rules.SUSPENSION, wish.because, service=True, billing=True
            )
            for wish in wishes
        ],
        by=by,
    )
    if suspended:
        ids, because = sorted(suspended), "the subscription was suspended"
        requesting.withdraw(queries.lock_free_payments_of(ids, _PLANNED), because=because, by=by)
        stopping.withdraw_changes(ids, but=ChangeStatus.PLANNED, because=because, by=by)
    return suspended


@within_transaction
def fall_behind(wishes: Sequence[Arrears], *, by: Actor) -> frozenset[int]:
    """A period is owed: active and trialing ones become past due; returns their ids."""
    because = {wish.subscription_id: wish.because for wish in wishes}
    rows = queries.lock_subscriptions(list(because))
    moves = [
        RowMove(row.id, row.status, SubscriptionStatus.PAST_DUE, because[row.id])
        for row in rows.values()
        if row.status in _KEPT_UP
    ]
    return SUBSCRIPTION.move_many(Subscription, moves, by=by)


@within_transaction
def put_right(subscription_ids: Sequence[int], *, because: str, by: Actor) -> frozenset[int]:
    """Nothing is owed any more: failures are forgotten and a suspension is lifted.

    Whatever else was said about them comes to light again: a pause, or that they end soon.
    Returns the ids of those that have not ended.
    """
    rows = queries.lock_subscriptions(subscription_ids)
    going_on = [row for row in rows.values() if row.status not in ENDED]
    for row in going_on:
        row.failures_in_row = 0
    blocking.lift_many([row.id for row in going_on], cause=rules.SUSPENSION, because=because, by=by)
    moves = [
        RowMove(row.id, row.status, SubscriptionStatus.ACTIVE, because)
        for row in going_on
        if row.status == SubscriptionStatus.PAST_DUE
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=by)
    return frozenset(row.id for row in going_on)
