from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, tuple_

from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import MethodStatus
from opsapp.kernel.db import as_array, db, is_among, locked
from opsapp.kernel.errors import NotFound
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import Next
from opsapp.recovery.states import COLLECTED, OPEN as RECOVERING, RecoveryStatus
from opsapp.subscriptions import dating
from opsapp.subscriptions.models import (
    BillingPeriod,
    Subscription,
    SubscriptionBlock,
    SubscriptionChange,
)
from opsapp.subscriptions.states import CHARGEABLE, ENDED, SubscriptionStatus

SUBJECT = "subscription"
PAYMENT = "payment"
# A fixed term of which something is owed ends when that is paid, or after this time.
OWED_FOR = timedelta(days=30)
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
            Subscription.status.not_in([status.value for status in ENDED]),
        )
    )


def list_unpaid_subjects(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those of them that still have a failed payment, other than one that was given up, and one
    that only a gateway's fault has failed: it is tried again at once.
    """
    by_fault_alone = and_(
        Recovery.status.in_([status.value for status in RECOVERING]),
        Recovery.next_step == Next.GATEWAY_RETRY.value,
        Recovery.failures == 0,
    )
    is_let_be = exists().where(
        Recovery.payment_id == Payment.id,
        or_(Recovery.status == RecoveryStatus.ENDED.value, by_fault_alone),
    )
    failed = select(Payment.subject_id).where(
        _is_of(subscription_ids), Payment.status == PaymentStatus.FAILED, ~is_let_be
    )
    return frozenset(db.session.scalars(failed))


def list_stopped(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those that must not be charged any more, whatever was planned or in hand before.

    The same condition as the database's own refusal, trigger no_charge_after_the_end.
    """
    return frozenset(db.session.scalars(_stopped(), {"ids": as_array(subscription_ids)}))


@cache
def _stopped() -> Select[int]:
    stops = exists().where(
        SubscriptionBlock.subscription_id == Subscription.id,
        SubscriptionBlock.lifted_at.is_(None),
        SubscriptionBlock.blocks_billing,
        SubscriptionBlock.keeps_retries.is_(False),
    )
    return select(Subscription.id).where(
        is_among(Subscription.id, "ids"),
        or_(
            Subscription.status.in_([status.value for status in ENDED]),
            and_(Subscription.is_billing_blocked, stops),
        ),
    )


def list_ended(subscription_ids: Sequence[int]) -> frozenset[int]:
    return frozenset(db.session.scalars(_ended(), {"ids": as_array(subscription_ids)}))


@cache
def _ended() -> Select[int]:
    return select(Subscription.id).where(
        is_among(Subscription.id, "ids"),
        Subscription.status.in_([status.value for status in ENDED]),
    )


def list_over(today: date, *, limit: int) -> list[int]:
    """Those whose last day is over and that have not ended, with no charge at a gateway.

    Of those that owe something, or have a period that is not charged yet, only those that were
    over long ago.
    """
    over = select(Subscription.id).where(is_over(today)).order_by(Subscription.ends_on)
    return list(db.session.scalars(over.limit(limit)))


def is_over(today: date | ColumnElement[date]) -> ColumnElement[bool]:
    is_missing = and_(
        Subscription.status.in_([status.value for status in CHARGEABLE]),
        ~Subscription.is_billing_blocked,
        dating.next_day() < Subscription.ends_on,
    )
    owes = and_(
        or_(Subscription.status == SubscriptionStatus.PAST_DUE.value, is_missing),
        Subscription.ends_on > today - OWED_FOR,
    )
    return and_(
        Subscription.ends_on <= today,
        Subscription.status.not_in([status.value for status in ENDED]),
        ~owes,
        ~_has_charge_at_gateway(),
    )


def list_at_gateway(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those of which a charge has been sent and is not certain yet."""
    sent = select(Subscription.id).where(
        Subscription.id.in_(subscription_ids), _has_charge_at_gateway()
    )
    return frozenset(db.session.scalars(sent))


def list_subjects(payment_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """What the payments are for."""
    rows = db.session.execute(
        select(Payment.id, Payment.subject_type, Payment.subject_id).where(
            Payment.id.in_(payment_ids)
        )
    )
    return {row.id: (row.subject_type, row.subject_id) for row in rows}


def list_changed(change_ids: Sequence[int]) -> dict[int, int]:
    """The subscription of each change."""
    change = SubscriptionChange
    rows = db.session.execute(
        select(change.id, change.subscription_id).where(change.id.in_(change_ids))
    )
    return {row.id: row.subscription_id for row in rows}


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
    found = db.session.scalars(_lock_subscriptions(), {"ids": as_array(subscription_ids)})
    return {row.id: row for row in found}


@cache
def _lock_subscriptions() -> Select[Subscription]:
    wanted = select(Subscription).where(is_among(Subscription.id, "ids"))
    return locked(wanted.order_by(Subscription.id))


def lock_troubled(
    subscription_ids: Sequence[int], *, payment_ids: Sequence[int]
) -> list[Subscription]:
    """Those of them that these payments put right again: nearly none, in a good run.

    Also one in good standing whose payment has a recovery: its tickets are to be closed.
    """
    values = {"ids": as_array(subscription_ids), "payment_ids": as_array(payment_ids)}
    return list(db.session.scalars(_lock_troubled(), values))


@cache
def _lock_troubled() -> Select[Subscription]:
    return locked(
        select(Subscription)
        .where(is_among(Subscription.id, "ids"), _is_troubled())
        .order_by(Subscription.id)
    )


def lock_touched(*, paid: Sequence[int], payment_ids: Sequence[int], failed: Sequence[int]) -> None:
    """What lock_troubled(paid) and lock_subscriptions(failed) will lock, in one go."""
    values = {
        "paid": as_array(paid),
        "payment_ids": as_array(payment_ids),
        "failed": as_array(failed),
    }
    db.session.execute(_lock_touched(), values)


@cache
def _lock_touched() -> Select[int]:
    is_touched = or_(
        is_among(Subscription.id, "failed"), and_(is_among(Subscription.id, "paid"), _is_troubled())
    )
    return locked(select(Subscription.id).where(is_touched).order_by(Subscription.id))


def lock_payments_of(
    subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]
) -> list[int]:
    """Ids of their payments in these states. Taken before the subscriptions: house order."""
    return list(db.session.scalars(locked(_payments_of(subscription_ids, statuses))))


def list_payments_of(
    subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]
) -> list[int]:
    """Ids of their payments in these states, as they are now."""
    return list(db.session.scalars(_payments_of(subscription_ids, statuses)))


def lock_free_payments_of(
    subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]
) -> list[int]:
    """The same, passing over what somebody holds.

    For callers that hold the subscriptions already: they must not wait for a payment whose
    holder waits for the subscription.
    """
    theirs = _payments_of(subscription_ids, statuses)
    return list(db.session.scalars(locked(theirs, skip=True)))


def _is_troubled() -> ColumnElement[bool]:
    """Binds `payment_ids`: what was paid now."""
    standing = [SubscriptionStatus.PAST_DUE, SubscriptionStatus.SUSPENDED]
    collected = [status.value for status in COLLECTED]
    recovering = select(Recovery.subscription_id).where(
        is_among(Recovery.payment_id, "payment_ids"), Recovery.status.not_in(collected)
    )
    return or_(
        Subscription.failures_in_row > 0,
        Subscription.status.in_(standing),
        Subscription.id.in_(recovering),
    )


def _has_charge_at_gateway() -> ColumnElement[bool]:
    at_gateway = (AttemptStatus.INFLIGHT, AttemptStatus.UNKNOWN, AttemptStatus.NEEDS_HUMAN)
    was_sent = and_(Attempt.status == AttemptStatus.READY.value, Attempt.first_sent_at.is_not(None))
    return exists().where(
        Payment.subject_type == SUBJECT,
        Payment.subject_id == Subscription.id,
        Payment.status == PaymentStatus.PENDING.value,
        Attempt.payment_id == Payment.id,
        or_(Attempt.status.in_([status.value for status in at_gateway]), was_sent),
    )


def _is_of(subscription_ids: Sequence[int]) -> ColumnElement[bool]:
    return and_(Payment.subject_type == SUBJECT, Payment.subject_id.in_(subscription_ids))


def _payments_of(subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]) -> Select[int]:
    wanted = Payment.status.in_([status.value for status in statuses])
    return select(Payment.id).where(_is_of(subscription_ids), wanted).order_by(Payment.id)
