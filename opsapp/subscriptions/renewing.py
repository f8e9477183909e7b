"""The billing run: due subscriptions become payments, periods and a new due date."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from opsapp.customers.errors import MethodNotUsable
from opsapp.customers.queries import list_unreadable
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.payments import requesting
from opsapp.payments.requesting import PaymentOrder
from opsapp.payments.states import PaymentStatus
from opsapp.settings import current
from opsapp.subscriptions import pausing, queries, rules
from opsapp.subscriptions.errors import ChargedAhead, ChargeUnderWay, NotChargeable
from opsapp.subscriptions.models import BillingPeriod, Subscription
from opsapp.subscriptions.states import CHARGEABLE, SUBSCRIPTION, SubscriptionStatus
from opsapp.tickets.opening import NewTicket, open_tickets

BY = Actor("timetable", "subscriptions.renew_due")
_TITLE_LENGTH_MAX = 80  # the gateway takes 100 for plan name and date


@within_transaction
def renew_due(*, limit: int = 500) -> int:
    """Turn up to `limit` due subscriptions into payments; returns how many were taken up.

    Call it again until it returns 0. It sends nothing: the payments' attempts are due at once
    and the relay hands them to workers. A subscription that is more than one period behind is
    charged for the oldest missing period now and for one more on each following day: nobody
    finds several months taken in one night after an outage. Each such step is logged. One whose
    stored keys cannot be opened is set aside, so that it does not stop the others.
    """
    now = clock.now()
    due = queries.lock_due(now, limit=limit)
    unreadable = list_unreadable([row.payment_method_id for row in due])
    charged = [row for row in due if row.payment_method_id not in unreadable]
    if charged:
        _charge(charged, now=now, hurry=False, by=BY)
    locked_out = [row.id for row in due if row.payment_method_id in unreadable]
    _set_aside(list(queries.lock_subscriptions(locked_out).values()), now=now)
    if room := limit - len(due):
        stranded = queries.lock_stranded(now, limit=room)
        _set_aside(stranded, now=now)
        return len(due) + len(stranded)
    return len(due)


@within_transaction
def charge_now(subscription_id: int, *, by: Actor) -> int:
    """A person waits: collect the oldest failed period, or the next one ahead of its day.

    A suspension is lifted by it: nothing may be charged while it lasts. Returns the payment's
    id. Raises NotFound, NotChargeable, ChargeUnderWay, ChargedAhead, MethodNotUsable.
    """
    now = clock.now()
    # House order: the payment before the subscription.
    failed = queries.lock_payments_of([subscription_id], [PaymentStatus.FAILED])
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status == SubscriptionStatus.SUSPENDED:
        pausing.go_on(subscription, because="charged by staff", by=by)
    if subscription.status not in CHARGEABLE:
        raise NotChargeable(status=subscription.status)
    method_id = subscription.payment_method_id
    method = queries.list_method_states([method_id])[method_id]
    if not method.is_active:
        raise MethodNotUsable(field="payment_method", status=method.status)
    if failed:
        requesting.request_another_attempt(
            failed[0], payment_method_id=method_id, due_at=now, by=by, hurry=True
        )
        return failed[0]
    if queries.has_open_payment(subscription_id):
        raise ChargeUnderWay
    index, hour = subscription.next_period_index, current().charge_hour
    if index and rules.due_at(subscription, index - 1, hour=hour) > now:
        raise ChargedAhead(day=rules.due_on(subscription, index - 1))
    row = queries.get_renewed(subscription_id)
    [payment_id] = _charge([row], now=now, hurry=True, by=by)
    return payment_id


def _charge(due: Sequence[Row[Any]], *, now: datetime, hurry: bool, by: Actor) -> list[int]:
    """The payments of the rows' next periods, and the rows moved on by one period."""
    orders = [_order(row) for row in due]
    payments = requesting.request_payments(orders, by=by, hurry=hurry)
    made = [(row, payments.get(order.key)) for row, order in zip(due, orders, strict=True)]
    hour = current().charge_hour
    bulk_insert(
        BillingPeriod,
        [
            {
                "subscription_id": row.id,
                "period_index": row.next_period_index,
                "due_at": rules.due_at(row, row.next_period_index, hour=hour),
                "payment_id": payment_id,
            }
            for row, payment_id in made
        ],
    )
    _move_on(due, now=now, by=by)
    return [payment_id for _, payment_id in made if payment_id is not None]


def _order(row: Row[Any]) -> PaymentOrder:
    return PaymentOrder(
        subject_type=queries.SUBJECT,
        subject_id=row.id,
        customer_id=row.customer_id,
        payment_method_id=row.payment_method_id,
        title=f"{row.plan_name[:_TITLE_LENGTH_MAX]} {rules.due_on(row, row.next_period_index)}",
        amount=Money(row.amount_minor, row.currency),
        period_index=row.next_period_index,
    )


def _move_on(due: Sequence[Row[Any]], *, now: datetime, by: Actor) -> None:
    hour, tomorrow = current().charge_hour, _tomorrow(now)
    moved, behind = [], []
    for row in due:
        index = row.next_period_index + 1
        next_due_at = rules.due_at(row, index, hour=hour)
        if next_due_at <= now:
            behind.append(
                Entry(
                    "subscription.catching_up",
                    queries.SUBJECT,
                    row.id,
                    because="more than one period behind: the next one follows tomorrow",
                    detail={"period_index": row.next_period_index},
                )
            )
            next_due_at = tomorrow
        moved.append({"id": row.id, "next_period_index": index, "next_due_at": next_due_at})
    bulk_update(Subscription, moved)
    record_many(behind, by=by)


def _set_aside(stranded: Sequence[Subscription], *, now: datetime) -> None:
    """Due, but the method cannot be charged: past due, and a person is told.

    The period stays the next one: it is looked at again each day, and charged as soon as there
    is a method that works.
    """
    if not stranded:
        return
    because = "due, and its payment method cannot be charged"
    moves = [
        RowMove(row.id, row.status, SubscriptionStatus.PAST_DUE, because)
        for row in stranded
        if row.status == SubscriptionStatus.ACTIVE
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=BY)
    tomorrow = _tomorrow(now)
    for row in stranded:
        row.next_due_at = tomorrow
    open_tickets(
        [
            NewTicket(queries.SUBJECT, row.id, row.customer_id, rules.METHOD_UNUSABLE, because)
            for row in stranded
        ],
        by=BY,
    )


def _tomorrow(now: datetime) -> datetime:
    next_day = clock.seoul_date(now) + timedelta(days=1)
    return clock.seoul_midnight(next_day, hour=current().charge_hour)
