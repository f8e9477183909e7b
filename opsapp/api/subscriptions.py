"""Subscriptions: begun, paused, gone on with, cancelled, charged to another method."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint

from opsapp.api import access
from opsapp.api.access import scoped
from opsapp.api.paging import listed
from opsapp.api.schemas import (
    CancelWish,
    MethodChange,
    NewSubscription,
    Nothing,
    PauseWish,
    Period,
    Subscription,
    SubscriptionExpand,
    SubscriptionList,
    SubscriptionQuery,
)
from opsapp.insights import serving_customers, serving_subscriptions as serving
from opsapp.insights.serving_subscriptions import SubscriptionFilter
from opsapp.programs import installing
from opsapp.programs.rules import Scope
from opsapp.subscriptions import cancelling, pausing, subscribing, switching

routes = Blueprint("subscriptions", __name__, url_prefix="/subscriptions")

BECAUSE = "asked for by the shop's program"


@routes.post("")
@scoped(
    Scope.SUBSCRIPTIONS_WRITE,
    "createSubscription",
    body=NewSubscription,
    answers=Subscription,
    status=201,
)
def create(body: NewSubscription) -> Subscription:
    """Begin a subscription; its first period is charged by the next billing run.

    To have it charged at once, place an order with a line of the kind `subscription`.
    """
    wish = subscribing.NewSubscription(
        customer_id=serving_customers.get_customer_id(body.customer),
        plan_id=serving_customers.get_plan_id(body.plan),
        payment_method_id=serving_customers.get_method(body.payment_method).id,
        quantity=body.quantity,
    )
    [subscription_id] = subscribing.subscribe([wish], by=access.current_actor())
    return _show(serving.list_refs([subscription_id])[subscription_id])


@routes.get("")
@scoped(
    Scope.SUBSCRIPTIONS_READ,
    "listSubscriptions",
    query=SubscriptionQuery,
    answers=SubscriptionList,
)
def list_all(query: SubscriptionQuery) -> SubscriptionList:
    """The newest first."""
    wish = SubscriptionFilter(query.customer, query.status or "")
    page = serving.list_subscriptions(wish, cursor=query.cursor, size=query.limit)
    told = iter(_subscriptions(page.rows, query.expand))
    return SubscriptionList(**listed(page, lambda _row: next(told)))


@routes.get("/<subscription_id>")
@scoped(
    Scope.SUBSCRIPTIONS_READ,
    "getSubscription",
    query=SubscriptionExpand,
    answers=Subscription,
)
def show(subscription_id: str, query: SubscriptionExpand) -> Subscription:
    """One subscription."""
    return _subscriptions([serving.get_subscription(subscription_id)], query.expand)[0]


@routes.post("/<subscription_id>/pause")
@scoped(Scope.SUBSCRIPTIONS_WRITE, "pauseSubscription", body=PauseWish, answers=Subscription)
def pause(subscription_id: str, body: PauseWish) -> Subscription:
    """No new charge and no service, until a day or until it is resumed."""
    pausing.pause(
        serving.get_subscription(subscription_id).id,
        until=body.until,
        because=body.reason or BECAUSE,
        by=access.current_actor(),
    )
    return _show(subscription_id)


@routes.post("/<subscription_id>/resume")
@scoped(Scope.SUBSCRIPTIONS_WRITE, "resumeSubscription", body=Nothing, answers=Subscription)
def resume(subscription_id: str, body: Nothing) -> Subscription:
    """Go on after a pause."""
    pausing.resume(serving.get_subscription(subscription_id).id, by=access.current_actor())
    return _show(subscription_id)


@routes.post("/<subscription_id>/cancel")
@scoped(Scope.SUBSCRIPTIONS_WRITE, "cancelSubscription", body=CancelWish, answers=Subscription)
def cancel(subscription_id: str, body: CancelWish) -> Subscription:
    """End it with the running period, or now."""
    row_id, because = serving.get_subscription(subscription_id).id, body.reason or BECAUSE
    by = access.current_actor()
    if body.at_period_end:
        cancelling.cancel_at_period_end(row_id, because=because, by=by)
    else:
        cancelling.cancel(row_id, because=because, by=by)
    return _show(subscription_id)


@routes.post("/<subscription_id>/change-method")
@scoped(
    Scope.SUBSCRIPTIONS_WRITE,
    "changeSubscriptionMethod",
    body=MethodChange,
    answers=Subscription,
)
def change_method(subscription_id: str, body: MethodChange) -> Subscription:
    """Charge another method of the customer from now on; what is owed is tried with it at once."""
    switching.switch_method(
        serving.get_subscription(subscription_id).id,
        payment_method_id=serving_customers.get_method(body.payment_method).id,
        by=access.current_actor(),
    )
    return _show(subscription_id)


def _show(subscription_ref: str) -> Subscription:
    return _subscriptions([serving.get_subscription(subscription_ref)], ())[0]


def _subscriptions(rows: Sequence[Any], expand: Sequence[str]) -> list[Subscription]:
    periods = serving.list_periods([row.id for row in rows]) if "periods" in expand else None
    return [
        Subscription(
            livemode=installing.is_live(),
            id=row.ref,
            customer=row.customer_ref,
            plan=row.code,
            payment_method=row.method_ref,
            status=row.status,
            blocks=row.causes or [],
            quantity=row.quantity,
            amount=row.amount_minor,
            currency=row.currency,
            next_due_at=row.next_due_at,
            trial_ends_on=row.trial_ends_on,
            ends_on=row.ends_on,
            cancelled_on=row.cancelled_on,
            created_at=row.created_at,
            periods=None if periods is None else [_period(p) for p in periods[row.id]],
        )
        for row in rows
    ]


def _period(row: Any) -> Period:
    return Period(
        period_index=row.period_index,
        due_at=row.due_at,
        payment=row.payment_ref,
        status=row.status,
    )
