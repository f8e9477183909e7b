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
from opsapp.subscriptions import (
    announcing,
    applying_changes,
    finding_runs,
    gating,
    pausing,
    queries,
    rules,
    running,
    selecting,
)
from opsapp.subscriptions.errors import (
    BillingHeld,
    ChargedAhead,
    ChargeUnderWay,
    ConsentMissing,
    LastPeriodCharged,
    NotChargeable,
)
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
    finds several months taken in one night after an outage, unless staff approve it
    (catching_up). Each such step is logged. One whose stored keys cannot be opened is set aside,
    so that it does not stop the others. What was not announced in time is announced, and waits.
    While staff hold a run, nothing is taken up.
    """
    now = clock.now()
    due = selecting.lock_due(now, announcing.find_lead(), limit=limit)
    if due and not _take_up(due, now=now):
        return 0
    taken = len(due)
    if room := limit - taken:
        stranded = selecting.lock_stranded(now, limit=room)
        _set_aside(stranded, now=now)
        taken += len(stranded)
    if room := limit - taken:
        taken += announcing.hold_back(now, limit=room)
    return taken


def room_left() -> int:
    """How many more payments may be made now: none while staff hold a run, or while as many as
    the settings allow wait for a worker.
    """
    if finding_runs.has_paused_run():
        return 0
    most = current().unsent_max
    return most - selecting.count_unsent(clock.now(), most=most)


@within_transaction
def charge_now(subscription_id: int, *, by: Actor) -> int:
    """A person waits: collect the oldest failed period, or the next one ahead of its day.

    A suspension is lifted by it: nothing may be charged while it lasts. Returns the payment's
    id. Raises NotFound, NotChargeable, ChargeUnderWay, ChargedAhead, MethodNotUsable,
    LastPeriodCharged, ConsentMissing, BillingHeld.
    """
    now = clock.now()
    # House order: the payment before the subscription.
    failed = queries.lock_payments_of([subscription_id], [PaymentStatus.FAILED])
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status == SubscriptionStatus.SUSPENDED:
        pausing.go_on(subscription, because="charged by staff", by=by)
    if subscription.status not in CHARGEABLE:
        raise NotChargeable(status=subscription.status)
    if subscription.is_billing_blocked:
        raise BillingHeld
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
    if subscription.ends_on and rules.due_on(subscription, index) >= subscription.ends_on:
        raise LastPeriodCharged(day=subscription.ends_on)
    [row] = applying_changes.apply_to([selecting.get_renewed(subscription_id)], by=by)
    if because := gating.list_refused([row], now).get(subscription_id):
        raise ConsentMissing(because=because)
    [payment_id] = _charge([row], now=now, run_id=None, hurry=True, by=by)
    return payment_id


def _take_up(due: Sequence[Row[Any]], *, now: datetime) -> bool:
    """Charge them all but those that may not or cannot be; False: staff hold a run."""
    run_id = running.join_run(now)
    if run_id is None:
        return False
    unreadable = list_unreadable([row.payment_method_id for row in due])
    charged = _pass_gate([row for row in due if row.payment_method_id not in unreadable], now=now)
    if charged:
        _charge(charged, now=now, run_id=run_id, hurry=False, by=BY)
    locked_out = [row.id for row in due if row.payment_method_id in unreadable]
    if locked_out:
        _set_aside(list(queries.lock_subscriptions(locked_out).values()), now=now)
    return True


def _pass_gate(due: Sequence[Row[Any]], *, now: datetime) -> list[Row[Any]]:
    """With what was planned for their period, those that may be charged at their price."""
    rows = applying_changes.apply_to(due, by=BY)
    refused = gating.list_refused(rows, now)
    if refused:
        gating.note_refused(rows, refused, look_again_at=_tomorrow(now), by=BY)
    return [row for row in rows if row.id not in refused]


def _charge(
    due: Sequence[Row[Any]], *, now: datetime, run_id: int | None, hurry: bool, by: Actor
) -> list[int]:
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
                "run_id": run_id,
            }
            for row, payment_id in made
        ],
    )
    _end_trials(due, by=by)
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


def _end_trials(due: Sequence[Row[Any]], *, by: Actor) -> None:
    because = "its trial is over"
    moves = [
        RowMove(row.id, row.status, SubscriptionStatus.ACTIVE, because)
        for row in due
        if row.status == SubscriptionStatus.TRIALING
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=by)


def _move_on(due: Sequence[Row[Any]], *, now: datetime, by: Actor) -> None:
    hour, tomorrow = current().charge_hour, _tomorrow(now)
    moved, behind = [], []
    for row in due:
        index = row.next_period_index + 1
        next_due_at = rules.due_at(row, index, hour=hour)
        is_approved = row.catch_up_to is not None and index <= row.catch_up_to
        if is_behind := next_due_at <= now and not is_approved:
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
        elif is_approved:
            next_due_at = max(next_due_at, now)  # what was approved is announced for that day
        moved.append(
            {
                "id": row.id,
                "next_period_index": index,
                "next_due_at": next_due_at,
                "is_behind": is_behind,
                "is_announced": False,
            }
        )
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
        if SUBSCRIPTION.allows(row.status, SubscriptionStatus.PAST_DUE)
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
