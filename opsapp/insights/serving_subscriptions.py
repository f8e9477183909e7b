"""What the shop's programs read of subscriptions: by reference."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import Payment
from opsapp.subscriptions.models import BillingPeriod, Subscription, SubscriptionBlock

PERIODS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    customer_ref: str = ""
    status: str = ""


def get_subscription(subscription_ref: str) -> Any:
    """Raises NotFound."""
    wanted = _subscriptions().where(Subscription.ref == subscription_ref)
    found = db.session.execute(wanted).first()
    if found is None:
        raise NotFound(noun="subscription", id="")
    return found


def list_subscriptions(wish: SubscriptionFilter, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = _subscriptions()
    if wish.customer_ref:
        statement = statement.where(Customer.customer_ref == wish.customer_ref)
    if wish.status:
        statement = statement.where(Subscription.status == wish.status)
    keys = (Subscription.created_at, Subscription.id)
    return page_of(statement, keys=keys, cursor=cursor, size=size)


def list_refs(subscription_ids: Collection[int]) -> dict[int, str]:
    wanted = select(Subscription.id, Subscription.ref).where(Subscription.id.in_(subscription_ids))
    return {row.id: row.ref for row in db.session.execute(wanted)}


def list_periods(subscription_ids: Sequence[int]) -> dict[int, list[Any]]:
    """The latest dozen of each, the newest first."""
    place = func.row_number().over(
        partition_by=BillingPeriod.subscription_id, order_by=BillingPeriod.period_index.desc()
    )
    ranked = (
        select(
            BillingPeriod.subscription_id,
            BillingPeriod.period_index,
            BillingPeriod.due_at,
            Payment.ref.label("payment_ref"),
            Payment.status,
            place.label("place"),
        )
        .outerjoin(Payment, Payment.id == BillingPeriod.payment_id)
        .where(BillingPeriod.subscription_id.in_(subscription_ids))
        .subquery()
    )
    found: dict[int, list[Any]] = defaultdict(list)
    newest = select(ranked).where(ranked.c.place <= PERIODS_SHOWN)
    for row in db.session.execute(newest.order_by(ranked.c.subscription_id, ranked.c.place)):
        found[row.subscription_id].append(row)
    return found


def _subscriptions() -> Select[*tuple[Any, ...]]:
    causes = (
        select(func.array_agg(aggregate_order_by(SubscriptionBlock.cause, SubscriptionBlock.cause)))
        .where(
            SubscriptionBlock.subscription_id == Subscription.id,
            SubscriptionBlock.lifted_at.is_(None),
        )
        .scalar_subquery()
    )
    return (
        select(
            Subscription.id,
            Subscription.ref,
            Customer.customer_ref,
            Plan.code,
            PaymentMethod.ref.label("method_ref"),
            Subscription.status,
            causes.label("causes"),
            Subscription.quantity,
            Subscription.amount_minor,
            Subscription.currency,
            Subscription.next_due_at,
            Subscription.trial_ends_on,
            Subscription.ends_on,
            Subscription.cancelled_on,
            Subscription.created_at,
        )
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
    )
