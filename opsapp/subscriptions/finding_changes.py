"""Finding what is to change about subscriptions, and what stands in its way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import as_array, db, is_among, locked
from opsapp.kernel.errors import NotFound
from opsapp.payments.models import Payment
from opsapp.subscriptions.models import (
    BillingPeriod,
    Subscription,
    SubscriptionBlock,
    SubscriptionChange,
)
from opsapp.subscriptions.states import CHANGE_OPEN, ChangeStatus

CHANGE_SUBJECT = "subscription_change"
# Asked for every slice of a billing run: one text, whatever the number of subscriptions.
_OPEN_CHANGES = select(SubscriptionChange).where(
    is_among(SubscriptionChange.subscription_id, "ids"),
    SubscriptionChange.status.in_([status.value for status in CHANGE_OPEN]),
)


@dataclass(frozen=True, slots=True)
class RunningPeriod:
    """The last period that was made; `payment` is None where it was skipped."""

    due_on: date
    payment: Payment | None


def get_change(change_id: int) -> SubscriptionChange:
    """Raises NotFound."""
    change = db.session.get(SubscriptionChange, change_id)
    if change is None:
        raise NotFound(noun="change", id=change_id)
    return change


def list_changes(change_ids: Sequence[int]) -> list[SubscriptionChange]:
    wanted = select(SubscriptionChange).where(SubscriptionChange.id.in_(change_ids))
    fresh = {"populate_existing": True}
    return list(db.session.scalars(wanted.order_by(SubscriptionChange.id), execution_options=fresh))


def list_open_changes(subscription_ids: Sequence[int]) -> dict[int, SubscriptionChange]:
    """By subscription, which has one at most. One look at a small index."""
    fresh = {"populate_existing": True}
    ids = {"ids": as_array(subscription_ids)}
    found = db.session.scalars(_OPEN_CHANGES, ids, execution_options=fresh)
    return {change.subscription_id: change for change in found}


def list_changes_of(subscription_id: int, *, limit: int) -> list[Any]:
    """The newest first, with the names of both plans: (change, from_plan, to_plan)."""
    before, after = Plan.__table__.alias("before"), Plan.__table__.alias("after")
    statement = (
        select(SubscriptionChange, before.c.name.label("from_plan"), after.c.name.label("to_plan"))
        .join(before, before.c.id == SubscriptionChange.from_plan_id)
        .join(after, after.c.id == SubscriptionChange.to_plan_id)
        .where(SubscriptionChange.subscription_id == subscription_id)
        .order_by(SubscriptionChange.id.desc())
        .limit(limit)
    )
    return list(db.session.execute(statement))


def find_running_period(subscription_id: int) -> RunningPeriod | None:
    """None: nothing was billed here yet."""
    latest = (
        select(BillingPeriod.due_at, Payment)
        .outerjoin(Payment, Payment.id == BillingPeriod.payment_id)
        .where(BillingPeriod.subscription_id == subscription_id)
        .order_by(BillingPeriod.period_index.desc())
        .limit(1)
    )
    found = db.session.execute(latest).one_or_none()
    return None if found is None else RunningPeriod(seoul_date(found.due_at), found[1])


def find_change_block(subscription_id: int) -> SubscriptionBlock | None:
    """What forbids changes now, the oldest first."""
    block = (
        select(SubscriptionBlock)
        .where(
            SubscriptionBlock.subscription_id == subscription_id,
            SubscriptionBlock.lifted_at.is_(None),
            SubscriptionBlock.blocks_change,
        )
        .order_by(SubscriptionBlock.id)
        .limit(1)
    )
    return db.session.scalars(block).one_or_none()


def list_never_charged(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those of them of which no period was ever asked to be paid."""
    charged = select(BillingPeriod.subscription_id).where(
        BillingPeriod.subscription_id.in_(subscription_ids), BillingPeriod.payment_id.is_not(None)
    )
    return frozenset(subscription_ids) - frozenset(db.session.scalars(charged))


def list_unwanted_changes(change_ids: Sequence[int]) -> frozenset[int]:
    """Changes whose difference nobody wants to be paid any more: asked before each charge."""
    unwanted = select(SubscriptionChange.id).where(
        SubscriptionChange.id.in_(change_ids),
        SubscriptionChange.status != ChangeStatus.AWAITING_PAYMENT.value,
    )
    return frozenset(db.session.scalars(unwanted))


def list_changed_subscriptions(change_ids: Sequence[int]) -> list[int]:
    """Whose changes these are, in the order of locks."""
    if not change_ids:
        return []
    theirs = select(SubscriptionChange.subscription_id).where(SubscriptionChange.id.in_(change_ids))
    return list(db.session.scalars(theirs.order_by(SubscriptionChange.subscription_id)))


def lock_untold(until: date, *, limit: int) -> list[Any]:
    """Changes of price that begin by then and of which the customer knows nothing yet."""
    untold = (
        select(
            SubscriptionChange.id,
            SubscriptionChange.from_amount_minor,
            SubscriptionChange.to_amount_minor,
            SubscriptionChange.currency,
            SubscriptionChange.effective_on,
            SubscriptionChange.needs_consent,
            Subscription.id.label("subscription_id"),
            Subscription.customer_id,
            Subscription.interval,
            Subscription.interval_count,
            Subscription.anchor_on,
            Subscription.anchor_day,
            Subscription.next_period_index,
            Plan.name.label("plan_name"),
            PaymentMethod.kind,
            PaymentMethod.label,
            PaymentMethod.last4,
            Customer.locale,
        )
        .join(Subscription, Subscription.id == SubscriptionChange.subscription_id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Plan, Plan.id == SubscriptionChange.to_plan_id)
        .where(
            SubscriptionChange.status == ChangeStatus.PLANNED.value,
            SubscriptionChange.kind == "price",
            SubscriptionChange.told_at.is_(None),
            SubscriptionChange.effective_on <= until,
        )
        .order_by(SubscriptionChange.effective_on, SubscriptionChange.id)
        .limit(limit)
    )
    return list(db.session.execute(locked(untold, of=SubscriptionChange, skip=True)))
