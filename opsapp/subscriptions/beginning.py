"""Beginning: a subscription that was ordered with other things, and its first payment.

Until that payment is there, the subscription is on hold and its order follows it: the recovery
policy is for later periods. Given up by the order, it ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.orders.events import LegFact, LegsPaid, LegsReleased, LegsReopened
from opsapp.orders.queries import list_legs_of_payments
from opsapp.orders.states import LegStatus
from opsapp.payments.events import PaymentFact
from opsapp.subscriptions import blocking, cancelling, queries, renewing, rules, subscribing
from opsapp.subscriptions.blocking import NewBlock
from opsapp.subscriptions.states import ENDED
from opsapp.subscriptions.subscribing import NewSubscription

BY = Actor("worker", "subscriptions.beginning")
UNPAID = "its first period is not paid yet"
NEVER_PAID = "its first period was never paid"


@dataclass(frozen=True, slots=True)
class Begun:
    """Without a payment its trial lasts, and nothing is owed yet."""

    subscription_id: int
    payment_id: int | None


@within_transaction
def begin(wishes: Sequence[NewSubscription], *, by: Actor) -> list[Begun]:
    """Subscribe, and ask for the first period now. In the order of the wishes.

    Raises what subscribing.subscribe and renewing.charge_now do.
    """
    ids = subscribing.subscribe(wishes, by=by)
    rows = queries.lock_subscriptions(ids)
    # One by one: a person waits, and a cart holds few of them.
    begun = [
        Begun(id_, None if rows[id_].trial_ends_on else renewing.charge_now(id_, by=by))
        for id_ in ids
    ]
    _hold([each.subscription_id for each in begun if each.payment_id is not None], by=by)
    return begun


@within_transaction
def on_legs_paid(event: LegsPaid) -> None:
    paid = _subscriptions(event.legs)
    if paid:
        blocking.lift_many(
            paid, cause=rules.FIRST_PERIOD, because="its first period was paid", by=BY
        )


@within_transaction
def on_legs_reopened(event: LegsReopened) -> None:
    _hold(_subscriptions(event.legs), by=BY)


@within_transaction
def on_legs_released(event: LegsReleased) -> None:
    """One by one: each takes back everything that is planned."""
    given_up = _subscriptions(event.legs)
    rows = queries.lock_subscriptions(given_up) if given_up else {}
    for subscription_id, row in rows.items():
        if row.status not in ENDED:
            cancelling.cancel(subscription_id, because=NEVER_PAID, by=BY)


def list_followed_by_orders(facts: Sequence[PaymentFact]) -> frozenset[int]:
    """Payments among them whose order says what follows from a failure: none of what has ended."""
    first = {fact.payment_id: fact.subject_id for fact in facts if not fact.period_index}
    legs = list_legs_of_payments(list(first)) if first else {}
    open_ = {id_ for id_, leg in legs.items() if leg.status != LegStatus.RELEASED}
    ended = queries.list_ended([first[id_] for id_ in open_]) if open_ else frozenset()
    return frozenset(id_ for id_ in open_ if first[id_] not in ended)


def _hold(subscription_ids: Sequence[int], *, by: Actor) -> None:
    """No service and no further period; the first one goes on being asked for."""
    blocks = [
        NewBlock(id_, rules.FIRST_PERIOD, UNPAID, service=True, billing=True, keeps_retries=True)
        for id_ in subscription_ids
    ]
    if blocks:
        blocking.place_many(blocks, by=by)


def _subscriptions(legs: Sequence[LegFact]) -> list[int]:
    """Of legs that something is paid for."""
    return sorted(
        leg.subscription_id
        for leg in legs
        if leg.subscription_id is not None and leg.payment_id is not None
    )
