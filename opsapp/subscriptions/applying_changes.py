"""Applying changes: subscriptions become what was asked for, and their customers are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from opsapp.catalog.queries import list_terms_of
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, db, within_transaction
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.settings import current
from opsapp.subscriptions import finding_changes, gating, queries, rules, selecting
from opsapp.subscriptions.finding_changes import CHANGE_SUBJECT
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.previewing_changes import BILLING_DAY, PLAN, Side, ends_after
from opsapp.subscriptions.states import CHANGE, ChangeStatus

NOTICE = "plan_changed"
TOLD_BY = (NOTICE, "price_change")

Pair = tuple[SubscriptionChange, Subscription]


@dataclass(frozen=True, slots=True)
class _Agreed:
    """A rhythm that a subscription is to have."""

    anchor_on: date
    anchor_day: int
    interval: str
    interval_count: int


@within_transaction
def apply_to(rows: Sequence[Row[Any]], *, by: Actor) -> list[Row[Any]]:
    """Rows of selecting, locked and about to be charged: what was planned for the period applies.

    Rows that were changed come back as they are now. A higher price without its consent stays
    planned: gating refuses the charge.
    """
    open_ = finding_changes.list_open_changes([row.id for row in rows])
    if not open_:
        return list(rows)
    due = {
        row.id: change_
        for row in rows
        if (change_ := open_.get(row.id)) is not None
        and change_.status == ChangeStatus.PLANNED
        and change_.effective_on <= rules.due_on(row, row.next_period_index)
    }
    refused = gating.list_without_consent(list(due.values()), clock.now())
    applied = {id_: change_ for id_, change_ in due.items() if id_ not in refused}
    if not applied:
        return list(rows)
    subscriptions = queries.lock_subscriptions(sorted(applied))
    apply([(each, subscriptions[id_]) for id_, each in applied.items()], by=by, with_period=True)
    fresh = {row.id: row for row in selecting.list_renewed(sorted(applied))}
    return [fresh.get(row.id, row) for row in rows]


@within_transaction
def tell(pairs: Sequence[Pair], *, by: Actor) -> None:
    """What was changed, and from when."""
    terms = list_terms_of({(row.to_plan_id, row.to_plan_version) for row, _subscription in pairs})
    sending.queue_notices(
        [
            NewNotice(
                NOTICE,
                CHANGE_SUBJECT,
                row.id,
                subscription.customer_id,
                {
                    "plan": terms[row.to_plan_id, row.to_plan_version].name,
                    "amount_minor": row.to_amount_minor,
                    "currency": row.currency,
                    "from_on": row.effective_on.isoformat(),
                },
            )
            for row, subscription in pairs
        ],
        by=by,
    )


@within_transaction
def apply(pairs: Sequence[Pair], *, by: Actor, with_period: bool = False) -> None:
    """The subscriptions, which are locked, become what the changes say.

    `with_period`: another rhythm begins with the next period, not with the running one.
    """
    if not pairs:
        return
    now = clock.now()
    terms = list_terms_of({(row.to_plan_id, row.to_plan_version) for row, _ in pairs})
    rows = []
    for row, subscription in pairs:
        agreed = terms[row.to_plan_id, row.to_plan_version]
        after = Side(
            row.to_plan_id,
            row.to_plan_version,
            agreed.name,
            agreed.interval,
            agreed.interval_count,
            row.to_quantity,
            Money(row.to_amount_minor, row.currency),
            row.to_anchor_day,
            agreed.term_periods,
        )
        rows.append(_columns(row, subscription, after, with_period=with_period))
    because = "its day has come" if with_period else "the difference was paid"
    moves = [
        RowMove(row.id, row.status, ChangeStatus.APPLIED, because, also={"applied_at": now})
        for row, _ in pairs
        if row.status != ChangeStatus.APPLIED
    ]
    CHANGE.move_many(SubscriptionChange, moves, by=by)
    bulk_update(Subscription, rows)
    for _change, subscription in pairs:
        db.session.expire(subscription)


def _columns(
    row: SubscriptionChange, subscription: Subscription, after: Side, *, with_period: bool
) -> dict[str, Any]:
    index = subscription.next_period_index
    agreed: _Agreed | Subscription = subscription
    same = (subscription.interval, subscription.interval_count, subscription.anchor_day)
    if same != (after.interval, after.interval_count, after.anchor_day):
        agreed = _rhythm(row, subscription, after, with_period=with_period)
    starts_on = rules.due_on(agreed, index)
    next_due_at: datetime = subscription.next_due_at
    if agreed is not subscription:
        next_due_at = rules.due_at(agreed, index, hour=current().charge_hour)
    is_other_plan = row.kind == PLAN
    return {
        "id": subscription.id,
        "plan_id": after.plan_id,
        "plan_version": after.plan_version,
        "quantity": after.quantity,
        "amount_minor": after.amount.minor,
        "interval": after.interval,
        "interval_count": after.interval_count,
        "anchor_on": agreed.anchor_on,
        "anchor_day": agreed.anchor_day,
        "next_due_at": next_due_at,
        "term_periods": _last_index(index, after) if is_other_plan else subscription.term_periods,
        "ends_on": ends_after(subscription, after, kind=row.kind, starts_on=starts_on),
        "is_announced": False,
    }


def _last_index(index: int, after: Side) -> int | None:
    """A term of another plan begins with the next period; terms are counted from period 0."""
    return None if after.term_periods is None else index + after.term_periods


def _rhythm(
    row: SubscriptionChange, subscription: Subscription, after: Side, *, with_period: bool
) -> _Agreed:
    """Index arithmetic: periods keep their numbers, and the next one falls where it should."""
    index = subscription.next_period_index
    if row.kind == BILLING_DAY:
        fixed, day = index, row.effective_on
    elif with_period or index == 0:
        fixed, day = index, rules.due_on(subscription, index)
    else:
        fixed, day = index - 1, row.effective_on
    rhythm = {"interval": after.interval, "interval_count": after.interval_count}
    anchor_on = rules.anchor_for(fixed, day, anchor_day=after.anchor_day, **rhythm)  # type: ignore[arg-type]
    return _Agreed(anchor_on, after.anchor_day, after.interval, after.interval_count)
