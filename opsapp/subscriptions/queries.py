from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, tuple_

from opsapp.catalog.models import Plan
from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import MethodStatus
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.payments.models import Payment
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions.models import BillingPeriod, Subscription
from opsapp.subscriptions.states import CHARGEABLE, SubscriptionStatus

SUBJECT = "subscription"
PAYMENT = "payment"
# A method in one of these will not charge again by itself.
DEAD_METHODS = (
    MethodStatus.REFUSED,
    MethodStatus.EXPIRED,
    MethodStatus.BLOCKED,
    MethodStatus.DELETING,
    MethodStatus.NEEDS_HUMAN,
    MethodStatus.DELETED,
)


@dataclass(frozen=True, slots=True)
class PlanTerms:
    amount_minor: int
    currency: str
    interval: str
    interval_count: int


@dataclass(frozen=True, slots=True)
class MethodState:
    customer_id: int
    status: str

    @property
    def is_dead(self) -> bool:
        return self.status in DEAD_METHODS

    @property
    def is_active(self) -> bool:
        return self.status == MethodStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class HeldContract:
    started_on: date
    anchor_day: int

    def __str__(self) -> str:
        return f"start {self.started_on}, day {self.anchor_day}"


def get_subscription(subscription_id: int) -> Subscription:
    subscription = db.session.get(Subscription, subscription_id)
    if subscription is None:
        raise NotFound(noun="subscription", id=subscription_id)
    return subscription


def list_subscriptions(
    *,
    limit: int,
    statuses: Sequence[SubscriptionStatus] = (),
    before: tuple[datetime, int] | None = None,
) -> list[Subscription]:
    """A page, the newest first; `before` is (created_at, id) of the last row seen."""
    page = select(Subscription)
    if statuses:
        page = page.where(Subscription.status.in_([status.value for status in statuses]))
    if before:
        page = page.where(tuple_(Subscription.created_at, Subscription.id) < before)
    newest_first = (Subscription.created_at.desc(), Subscription.id.desc())
    return list(db.session.scalars(page.order_by(*newest_first).limit(limit)))


def list_of_customer(customer_id: int) -> list[Subscription]:
    theirs = select(Subscription).where(Subscription.customer_id == customer_id)
    return list(db.session.scalars(theirs.order_by(Subscription.id.desc())))


def get_renewed(subscription_id: int) -> Any:
    """What a billing run needs to know of one subscription."""
    row = select(*_RENEWED, Plan.name.label("plan_name")).join(
        Plan, Plan.id == Subscription.plan_id
    )
    return db.session.execute(row.where(Subscription.id == subscription_id)).one()


def list_periods(subscription_id: int, *, limit: int) -> list[Row[tuple[BillingPeriod, Payment]]]:
    """The latest periods; a skipped one has no payment."""
    periods = (
        select(BillingPeriod, Payment)
        .join(Payment, Payment.id == BillingPeriod.payment_id, isouter=True)
        .where(BillingPeriod.subscription_id == subscription_id)
        .order_by(BillingPeriod.period_index.desc())
        .limit(limit)
    )
    return list(db.session.execute(periods))


def list_terms(plan_ids: Sequence[int]) -> dict[int, PlanTerms]:
    columns = (Plan.amount_minor, Plan.currency, Plan.interval, Plan.interval_count)
    rows = db.session.execute(select(Plan.id, *columns).where(Plan.id.in_(plan_ids)))
    return {row[0]: PlanTerms(*row[1:]) for row in rows}


def list_method_states(method_ids: Sequence[int]) -> dict[int, MethodState]:
    columns = (PaymentMethod.id, PaymentMethod.customer_id, PaymentMethod.status)
    rows = db.session.execute(select(*columns).where(PaymentMethod.id.in_(method_ids)))
    return {row.id: MethodState(row.customer_id, row.status) for row in rows}


def list_charged_to(method_id: int) -> list[int]:
    """Subscriptions that go on and are charged to this method, in the order of locks."""
    return list(db.session.scalars(_charged_to([method_id]).order_by(Subscription.id)))


def list_used_methods(method_ids: Sequence[int]) -> frozenset[int]:
    """Those among the methods that a subscription which goes on is charged to."""
    used = _charged_to(method_ids).with_only_columns(Subscription.payment_method_id)
    return frozenset(db.session.scalars(used))


def _charged_to(method_ids: Sequence[int]) -> Select[int]:
    # By way of the customer: that is what the index of subscriptions begins with.
    return (
        select(Subscription.id)
        .join(PaymentMethod, PaymentMethod.customer_id == Subscription.customer_id)
        .where(
            PaymentMethod.id.in_(method_ids),
            Subscription.payment_method_id == PaymentMethod.id,
            Subscription.status != SubscriptionStatus.CANCELLED.value,
        )
    )


def list_held_contracts(import_refs: Sequence[str]) -> dict[str, HeldContract]:
    columns = (Subscription.import_ref, Subscription.anchor_on, Subscription.anchor_day)
    held = select(*columns).where(Subscription.import_ref.in_(import_refs))
    return {row[0]: HeldContract(*row[1:]) for row in db.session.execute(held) if row[0]}


def list_unissued_methods(import_refs: Sequence[str]) -> list[int]:
    """Methods of these contracts that still want a billing key."""
    unissued = (
        select(PaymentMethod.id)
        .join(Subscription, Subscription.payment_method_id == PaymentMethod.id)
        .where(
            Subscription.import_ref.in_(import_refs),
            PaymentMethod.status == MethodStatus.REQUESTED.value,
        )
        .order_by(PaymentMethod.id)
    )
    return list(db.session.scalars(unissued))


def list_without_default_method(customer_ids: Sequence[int]) -> frozenset[int]:
    dead = [MethodStatus.DELETED.value, MethodStatus.REFUSED.value]
    having = select(PaymentMethod.customer_id).where(
        PaymentMethod.customer_id.in_(customer_ids),
        PaymentMethod.is_default,
        PaymentMethod.status.not_in(dead),
    )
    return frozenset(customer_ids) - frozenset(db.session.scalars(having))


def list_unpaid_subjects(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those of them that still have a failed payment."""
    failed = select(Payment.subject_id).where(
        _is_of(subscription_ids), Payment.status == PaymentStatus.FAILED
    )
    return frozenset(db.session.scalars(failed))


def list_stopped(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those that must not be charged any more, whatever was planned or in hand before.

    Suspended ones are not among them: what the recovery policy ends, staff may still collect.
    """
    standing = (SubscriptionStatus.PAUSED.value, SubscriptionStatus.CANCELLED.value)
    stopped = select(Subscription.id).where(
        Subscription.id.in_(subscription_ids), Subscription.status.in_(standing)
    )
    return frozenset(db.session.scalars(stopped))


def count_by_status() -> dict[str, int]:
    rows = db.session.execute(
        select(Subscription.status, func.count()).group_by(Subscription.status)
    )
    return dict(rows.all())


def count_due(now: datetime) -> int:
    """Subscriptions that the next runs of renewing will take up."""
    due = (
        select(func.count())
        .select_from(Subscription)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(Subscription.next_due_at <= now, or_(_is_renewable(), _is_stranded()))
    )
    return db.session.scalars(due).one()


def has_open_payment(subscription_id: int) -> bool:
    """Whether something is planned, under way or waited for already."""
    going = [PaymentStatus.PENDING.value, PaymentStatus.AWAITING_DEPOSIT.value]
    open_ = exists().where(_is_of([subscription_id]), Payment.status.in_(going))
    return bool(db.session.scalars(select(open_)).one())


def find_latest_period_at(subscription_id: int) -> datetime | None:
    """When its last period was made, in business time."""
    return db.session.scalars(
        select(func.max(BillingPeriod.created_at)).where(
            BillingPeriod.subscription_id == subscription_id
        )
    ).one()


def lock_subscription(subscription_id: int) -> Subscription:
    subscription = db.session.scalars(
        locked(select(Subscription).where(Subscription.id == subscription_id))
    ).one_or_none()
    if subscription is None:
        raise NotFound(noun="subscription", id=subscription_id)
    return subscription


def lock_subscriptions(subscription_ids: Sequence[int]) -> dict[int, Subscription]:
    wanted = (
        select(Subscription).where(Subscription.id.in_(subscription_ids)).order_by(Subscription.id)
    )
    return {row.id: row for row in db.session.scalars(locked(wanted))}


def lock_troubled(subscription_ids: Sequence[int]) -> list[Subscription]:
    """Those of them that a payment puts right again: nearly none, in a good run."""
    wanted = (
        select(Subscription)
        .where(Subscription.id.in_(subscription_ids), _is_troubled())
        .order_by(Subscription.id)
    )
    return list(db.session.scalars(locked(wanted)))


def lock_touched(*, paid: Sequence[int], failed: Sequence[int]) -> None:
    """What lock_troubled(paid) and lock_subscriptions(failed) will lock, in one go."""
    wanted = (
        select(Subscription.id)
        .where(
            or_(
                Subscription.id.in_(failed),
                and_(Subscription.id.in_(paid), _is_troubled()),
            )
        )
        .order_by(Subscription.id)
    )
    db.session.execute(locked(wanted))


def lock_due(now: datetime, *, limit: int) -> list[Row[Any]]:
    """Due subscriptions with a method that works; rows of another run are passed over."""
    due = (
        select(*_RENEWED, Plan.name.label("plan_name"))
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .where(Subscription.next_due_at <= now, _is_renewable())
        .order_by(Subscription.next_due_at)
        .limit(limit)
    )
    return list(db.session.execute(locked(due, of=Subscription, skip=True)))


def lock_stranded(now: datetime, *, limit: int) -> list[Subscription]:
    """Due, but their method will never charge again by itself."""
    stranded = (
        select(Subscription)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(Subscription.next_due_at <= now, _is_stranded())
        .order_by(Subscription.next_due_at)
        .limit(limit)
    )
    return list(db.session.scalars(locked(stranded, of=Subscription, skip=True)))


def lock_payments_of(
    subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]
) -> list[int]:
    """Ids of their payments in these states. Taken before the subscriptions: house order."""
    return list(db.session.scalars(locked(_payments_of(subscription_ids, statuses))))


def lock_free_payments_of(
    subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]
) -> list[int]:
    """The same, passing over what somebody holds.

    For callers that hold the subscriptions already: they must not wait for a payment whose
    holder waits for the subscription.
    """
    theirs = _payments_of(subscription_ids, statuses)
    return list(db.session.scalars(locked(theirs, skip=True)))


_RENEWED = (
    Subscription.id,
    Subscription.customer_id,
    Subscription.payment_method_id,
    Subscription.amount_minor,
    Subscription.currency,
    Subscription.interval,
    Subscription.interval_count,
    Subscription.anchor_on,
    Subscription.anchor_day,
    Subscription.next_period_index,
)


def _is_troubled() -> ColumnElement[bool]:
    standing = [SubscriptionStatus.PAST_DUE, SubscriptionStatus.SUSPENDED]
    return or_(Subscription.failures_in_row > 0, Subscription.status.in_(standing))


def _is_renewable() -> ColumnElement[bool]:
    return and_(_is_chargeable(), PaymentMethod.status == MethodStatus.ACTIVE.value)


def _is_stranded() -> ColumnElement[bool]:
    dead = PaymentMethod.status.in_([status.value for status in DEAD_METHODS])
    return and_(_is_chargeable(), dead)


def _is_chargeable() -> ColumnElement[bool]:
    return Subscription.status.in_([status.value for status in CHARGEABLE])


def _is_of(subscription_ids: Sequence[int]) -> ColumnElement[bool]:
    return and_(Payment.subject_type == SUBJECT, Payment.subject_id.in_(subscription_ids))


def _payments_of(subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]) -> Select[int]:
    wanted = Payment.status.in_([status.value for status in statuses])
    return select(Payment.id).where(_is_of(subscription_ids), wanted).order_by(Payment.id)
