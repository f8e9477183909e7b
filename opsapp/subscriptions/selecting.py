"""Selecting: what a billing run takes up and what is announced, by index and in slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
)

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.customers.states import MethodStatus
from opsapp.kernel.db import db, execute_plain, locked
from opsapp.payments.models import Attempt
from opsapp.payments.states import AttemptStatus
from opsapp.subscriptions import dating
from opsapp.subscriptions.models import (
    AdvanceNotice,
    Subscription,
    SubscriptionChange,
)
from opsapp.subscriptions.queries import DEAD_METHODS
from opsapp.subscriptions.states import CHARGEABLE, ChangeStatus

# Of a daily plan there is only a day between two charges.
HALF_A_DAY = timedelta(hours=12)
# What is charged a little later than it was told needs no second message.
LATER_MAX = timedelta(days=3)
_NOW = bindparam("now", type_=DateTime(timezone=True))

S = TypeVar("S", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True, slots=True)
class Lead:
    """What must lie between the message about a charge and the charge.

    `told_of`: what falls due so soon after the subscription came into being was told by the
    agreement itself.
    """

    lead: timedelta
    told_of: timedelta


def lock_due(now: datetime, lead: Lead, *, limit: int) -> list[Row[Any]]:
    """Due, announced in time, and with a method that works; rows of another run are passed over."""
    return list(execute_plain(_lock_due(lead), {"now": now, "most": limit}))


def lock_untold(now: datetime, lead: Lead, *, limit: int) -> list[Row[Any]]:
    """Due, and not announced, or not long enough ago.

    Rows have `told_id`, of what was announced, and `told_at`, when it was carried. Where no lead
    is asked for, those that only wait for a channel are left out: it is at it.
    """
    told_id = _of_next_period(AdvanceNotice.id)
    ids = list(execute_plain(_lock_untold(lead), {"now": now, "most": limit}).scalars())
    return _list_announced(ids, told_id.label("told_id"), _told_at().label("told_at"))


def lock_unannounced(now: datetime, until: datetime, lead: Lead, *, limit: int) -> list[Row[Any]]:
    """Those that fall due until then, and not looked at by the announcer since their last change.

    Rows have `told_id` and `told_at` of a message about the same sum and very nearly the same
    day, and `is_told`: the agreement itself told of it.
    """
    moments = {"now": now, "until": until, "most": limit}
    return _list_announced(
        list(execute_plain(_lock_unannounced(), moments).scalars()),
        _of_next_period(AdvanceNotice.id, _SAME_DAY).label("told_id"),
        _of_next_period(AdvanceNotice.attempted_at, _SAME_DAY).label("told_at"),
        _was_told_by_agreement(lead).label("is_told"),
    )


def lock_stranded(now: datetime, *, limit: int) -> list[Subscription]:
    """Due, but their method will never charge again by itself."""
    return list(db.session.scalars(_lock_stranded(), {"now": now, "most": limit}))


def lock_behind(subscription_ids: Sequence[int], *, limit: int) -> list[Subscription]:
    """Those that are more than one period behind; of all, if none is named."""
    behind = select(Subscription).where(Subscription.is_behind, is_chargeable())
    if subscription_ids:
        behind = behind.where(Subscription.id.in_(subscription_ids))
    return list(db.session.scalars(locked(behind.order_by(Subscription.id).limit(limit))))


def lock_unheard(notice_ids: Sequence[int]) -> list[int]:
    """Those among what was announced that no channel had been asked to carry until now."""
    unheard = select(AdvanceNotice.id).where(
        AdvanceNotice.id.in_(notice_ids), AdvanceNotice.attempted_at.is_(None)
    )
    return list(db.session.scalars(locked(unheard.order_by(AdvanceNotice.id))))


def list_announced(subscription_ids: Sequence[int]) -> list[Row[Any]]:
    """What a message about the next charge of each says."""
    return _list_announced(subscription_ids)


def get_renewed(subscription_id: int) -> Any:
    """What a billing run needs to know of one subscription."""
    row = select(*_RENEWED).join(Plan, Plan.id == Subscription.plan_id)
    return db.session.execute(row.where(Subscription.id == subscription_id)).one()


def list_renewed(subscription_ids: Sequence[int]) -> list[Row[Any]]:
    """The same of some that are locked, read again."""
    rows = select(*_RENEWED).join(Plan, Plan.id == Subscription.plan_id)
    return list(db.session.execute(rows.where(Subscription.id.in_(subscription_ids))))


def has_due(now: datetime) -> bool:
    """Whether renewing will take one up: told after the first found, however many there are."""
    first = due_by(now).with_only_columns(Subscription.id).limit(1)
    return db.session.scalars(first).first() is not None


def due_by(now: datetime) -> Select[int]:
    return (
        select(func.count())
        .select_from(Subscription)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(Subscription.next_due_at <= now, or_(is_renewable(), _is_stranded()))
    )


def count_unsent(now: datetime, *, most: int) -> int:
    """Attempts that are due and wait for a worker; counted no further than `most`."""
    waiting = (
        select(Attempt.id)
        .where(Attempt.status == AttemptStatus.READY.value, Attempt.due_at <= now)
        .limit(most)
        .subquery()
    )
    return db.session.scalars(select(func.count()).select_from(waiting)).one()


def list_untold_before(rows: Sequence[tuple[int, int]]) -> list[int]:
    """Announcements of these (subscription, period) that no channel has carried yet."""
    ids = [subscription_id for subscription_id, _ in rows]
    told = select(
        AdvanceNotice.id, AdvanceNotice.subscription_id, AdvanceNotice.period_index
    ).where(AdvanceNotice.subscription_id.in_(ids), AdvanceNotice.attempted_at.is_(None))
    wanted = set(rows)
    found = db.session.execute(told)
    return [row.id for row in found if (row.subscription_id, row.period_index) in wanted]


@cache
def is_renewable() -> ColumnElement[bool]:
    """Goes on, by a method that works, and its next day is not past its end."""
    return and_(
        is_chargeable(),
        PaymentMethod.status == MethodStatus.ACTIVE.value,
        is_before_its_end(),
    )


@cache
def is_chargeable() -> ColumnElement[bool]:
    """As the partial indexes say it."""
    statuses = [status.value for status in CHARGEABLE]
    return and_(Subscription.status.in_(statuses), ~Subscription.is_billing_blocked)


@cache
def is_before_its_end() -> ColumnElement[bool]:
    """Its next period is still one of service, however late it is charged."""
    return or_(Subscription.ends_on.is_(None), Subscription.ends_on > dating.next_day())


@lru_cache(maxsize=16)
def not_told_by_agreement(lead: Lead) -> ColumnElement[bool]:
    return Subscription.next_due_at >= Subscription.created_at + literal(lead.told_of)


# The announced day, or very nearly.
_SAME_DAY = AdvanceNotice.due_at > Subscription.next_due_at - LATER_MAX

_RENEWED = (
    Subscription.id,
    Subscription.customer_id,
    Subscription.payment_method_id,
    Subscription.plan_id,
    Subscription.status,
    Subscription.amount_minor,
    Subscription.currency,
    Subscription.interval,
    Subscription.interval_count,
    Subscription.anchor_on,
    Subscription.anchor_day,
    Subscription.trial_ends_on,
    Subscription.next_period_index,
    Subscription.next_due_at,
    Subscription.catch_up_to,
    Plan.name.label("plan_name"),
)


def _announced(*extra: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """What a message about the next charge says; a change that is planned by then is in it."""
    change = SubscriptionChange
    return (
        select(
            Subscription.id,
            Subscription.customer_id,
            Subscription.payment_method_id,
            Subscription.status,
            Subscription.currency,
            Subscription.interval,
            Subscription.interval_count,
            Subscription.next_period_index,
            Subscription.next_due_at,
            func.coalesce(change.to_amount_minor, Subscription.amount_minor).label("amount_minor"),
            Plan.name.label("plan_name"),
            PaymentMethod.kind,
            PaymentMethod.label,
            PaymentMethod.last4,
            Customer.locale,
            *extra,
        )
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(change, _is_planned_by_then())
        .join(Plan, Plan.id == func.coalesce(change.to_plan_id, Subscription.plan_id))
    )


@lru_cache(maxsize=16)
def _lock_due(lead: Lead) -> Select[*tuple[Any, ...]]:
    told = or_(_was_told_by_agreement(lead), _told_at() <= _NOW - _lead_of(lead))
    due = select(*_RENEWED).join(Plan, Plan.id == Subscription.plan_id)
    return _lock_by_method(due, Subscription.next_due_at <= _NOW, is_renewable(), told)


@lru_cache(maxsize=16)
def _lock_untold(lead: Lead) -> Select[int]:
    untold = or_(_told_at().is_(None), _told_at() > _NOW - _lead_of(lead))
    if not lead.lead:
        untold = and_(untold, _of_next_period(AdvanceNotice.id).is_(None))
    late = and_(Subscription.next_due_at <= _NOW, not_told_by_agreement(lead), untold)
    return _lock_renewable(late)


@cache
def _lock_unannounced() -> Select[int]:
    coming = and_(
        Subscription.next_due_at > _NOW,
        Subscription.next_due_at <= bindparam("until", type_=DateTime(timezone=True)),
        ~Subscription.is_announced,
    )
    return _lock_renewable(coming)


@cache
def _lock_stranded() -> Select[Subscription]:
    return _lock_by_method(select(Subscription), Subscription.next_due_at <= _NOW, _is_stranded())


def _lock_renewable(wanted: ColumnElement[bool]) -> Select[int]:
    """By the index of what is due; the rest of a row is read once it is ours."""
    return _lock_by_method(select(Subscription.id), wanted, is_renewable())


def _lock_by_method(wanted: S, *conditions: ColumnElement[bool]) -> S:
    """What is due first, first; rows of another run are passed over."""
    rows = (
        wanted.join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(*conditions)
        .order_by(Subscription.next_due_at, Subscription.id)
        .limit(bindparam("most"))
    )
    return locked(rows, of=Subscription, skip=True)


def _list_announced(ids: Sequence[int], *extra: ColumnElement[Any]) -> list[Row[Any]]:
    if not ids:
        return []
    named = _announced(*extra).where(Subscription.id.in_(ids))
    return list(db.session.execute(named.order_by(Subscription.id)))


@cache
def _is_planned_by_then() -> ColumnElement[bool]:
    return and_(
        SubscriptionChange.subscription_id == Subscription.id,
        SubscriptionChange.status == ChangeStatus.PLANNED.value,
        SubscriptionChange.effective_on <= dating.next_day(),
    )


@lru_cache(maxsize=16)
def _was_told_by_agreement(lead: Lead) -> ColumnElement[bool]:
    return Subscription.next_due_at < Subscription.created_at + literal(lead.told_of)


@lru_cache(maxsize=16)
def _lead_of(lead: Lead) -> ColumnElement[timedelta]:
    short = func.least(literal(lead.lead), Subscription.interval_count * literal(HALF_A_DAY))
    return case((Subscription.interval == "day", short), else_=literal(lead.lead))


@cache
def _told_at() -> Any:
    """When the next charge was first announced, of this sum and for no later day."""
    return _of_next_period(AdvanceNotice.attempted_at)


@cache
def _of_next_period(column: Any, *further: ColumnElement[bool]) -> Any:
    """By the unique index of what was announced."""
    amount = func.coalesce(_planned_amount(), Subscription.amount_minor)
    return (
        select(func.min(column))
        .where(
            AdvanceNotice.subscription_id == Subscription.id,
            AdvanceNotice.period_index == Subscription.next_period_index,
            AdvanceNotice.amount_minor == amount,
            AdvanceNotice.due_at <= Subscription.next_due_at,
            *further,
        )
        .correlate(Subscription)
        .scalar_subquery()
    )


@cache
def _planned_amount() -> Any:
    return (
        select(SubscriptionChange.to_amount_minor)
        .where(_is_planned_by_then())
        .correlate(Subscription)
        .scalar_subquery()
    )


@cache
def _is_stranded() -> ColumnElement[bool]:
    dead = PaymentMethod.status.in_([status.value for status in DEAD_METHODS])
    return and_(is_chargeable(), dead, is_before_its_end())
