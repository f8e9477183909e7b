"""The recovery board: what failed, what follows by itself, and what a person can do about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights.finding_people import is_one_of
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import OPEN as ATTEMPT_OPEN, REFUNDABLE, AttemptStatus
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import Next
from opsapp.recovery.states import COLLECTED, OPEN, RecoveryStatus
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.recovering import Situation
from opsapp.subscriptions.states import SubscriptionStatus

PAGE_SIZE = 20  # each row with its acts
CARDS_MAX = 15  # of one column
TIMELINE_MAX = 50
CASES_MAX = 20
WINDOW = timedelta(days=30)
A_DAY = timedelta(days=1)
STAGES = ("first", "second", "third", "stopped")


@dataclass(frozen=True, slots=True)
class BoardWish:
    """ "" asks for all. `with_snoozed`: those that somebody has put aside at `now` too."""

    now: datetime
    stage: str = ""
    reason: str = ""
    with_snoozed: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    stage: str
    total: int
    rows: list[Any]


@dataclass(frozen=True, slots=True)
class Rate:
    """What the last 30 days' recoveries came to, of one version of the policy."""

    policy_id: int
    currency: str
    collected: int
    over: int  # collected or not
    recovered_minor: int

    @property
    def share(self) -> float:
        return self.collected / self.over if self.over else 0.0


def list_recoveries(wish: BoardWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """The latest first. Raises BadCursor."""
    keys = (Recovery.opened_at, Recovery.id)
    statement = select(Recovery.id, Recovery.opened_at).where(*_filters(wish))
    return page_of(statement, keys=keys, cursor=cursor, size=size, dressed=_as_cards)


def list_columns(wish: BoardWish) -> list[Column]:
    """The latest cards of each stage, in one statement."""
    concerned = _filters(wish)
    sums = [func.count().filter(_stage() == stage).label(stage) for stage in STAGES]
    counted = select(*sums).where(*concerned).cte("counted")  # in one pass, without a sort
    totals = union_all(
        *(
            select(literal(stage).label("stage"), counted.c[stage].label("total")).where(
                counted.c[stage] > 0
            )
            for stage in STAGES
        )
    ).cte("totals")
    latest = (
        select(Recovery.id)
        .where(*concerned, _stage() == totals.c.stage)
        .order_by(Recovery.opened_at.desc(), Recovery.id.desc())
        .limit(CARDS_MAX)
        .lateral("latest")
    )
    shown = select(latest.c.id).join_from(totals, latest, true())
    cards = (
        _cards()
        .add_columns(totals.c.total)
        .join(totals, totals.c.stage == _stage())
        .where(is_one_of(Recovery.id, shown))
        .order_by(Recovery.opened_at.desc(), Recovery.id.desc())
    )
    rows = list(db.session.execute(cards))
    by_stage = {stage: [row for row in rows if row.stage == stage] for stage in STAGES}
    return [
        Column(stage, found[0].total if found else 0, found) for stage, found in by_stage.items()
    ]


def get_card(recovery_id: int) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_cards().where(Recovery.id == recovery_id)).one_or_none()
    if found is None:
        raise NotFound(noun="recovery", id=recovery_id)
    return found


def list_cases(customer_id: int, now: datetime) -> list[Any]:
    """One customer's: what is not collected yet, and what was within the last day.

    `refundable_payment_id`: the subscription's latest payment that can be given back.
    """
    subscriptions = select(Subscription.id).where(Subscription.customer_id == customer_id)
    paid = (
        select(Payment.id)
        .where(
            Payment.subject_type == "subscription",
            Payment.subject_id == Recovery.subscription_id,
            Payment.status.in_([status.value for status in REFUNDABLE]),
        )
        .order_by(Payment.id.desc())
        .limit(1)
        .correlate(Recovery)
        .scalar_subquery()
    )
    is_fresh = and_(
        Recovery.status.in_([status.value for status in COLLECTED]),
        Recovery.closed_at > now - A_DAY,
    )
    cases = (
        _cards()
        .add_columns(paid.label("refundable_payment_id"))
        .where(Recovery.subscription_id.in_(subscriptions), or_(_is_of_concern(), is_fresh))
        .order_by(Recovery.opened_at.desc(), Recovery.id.desc())
        .limit(CASES_MAX)
    )
    return list(db.session.execute(cases))


def list_timeline(recovery_id: int) -> list[AuditEntry]:
    entries = (
        select(AuditEntry)
        .where(AuditEntry.subject_type == "recovery", AuditEntry.subject_id == recovery_id)
        .order_by(AuditEntry.id.desc())
        .limit(TIMELINE_MAX)
    )
    return list(db.session.scalars(entries))


def list_rates(now: datetime) -> list[Rate]:
    """Of each version of the policy and currency, over the last 30 days."""
    is_collected = Recovery.status.in_([status.value for status in COLLECTED])
    rates = (
        select(
            Recovery.policy_id,
            Recovery.currency,
            func.count().filter(is_collected),
            func.count(),
            func.coalesce(func.sum(Recovery.recovered_minor), 0),
        )
        .where(
            Recovery.closed_at.is_not(None),
            Recovery.closed_at > now - WINDOW,
            Recovery.status.not_in([status.value for status in OPEN]),
        )
        .group_by(Recovery.policy_id, Recovery.currency)
        .order_by(Recovery.policy_id, Recovery.currency)
    )
    return [Rate(*row[:4], int(row[4])) for row in db.session.execute(rates)]


def situation_of(card: Any) -> Situation:
    return Situation(
        recovery_status=card.status,
        subscription_status=card.subscription_status,
        is_billing_blocked=card.is_billing_blocked,
        payment_status=card.payment_status,
        method_status=card.method_status,
        is_sent=card.is_sent,
    )


@cache
def _cards() -> Select[Any]:
    told = (
        select(Notice.kind, Notice.created_at, Notice.status)
        .where(
            or_(
                and_(Notice.subject_type == "payment", Notice.subject_id == Recovery.payment_id),
                and_(Notice.subject_type == "recovery", Notice.subject_id == Recovery.id),
            )
        )
        .order_by(Notice.id.desc())
        .limit(1)
        .lateral("told")
    )
    return (
        select(
            *Recovery.__table__.c,
            _stage().label("stage"),
            _is_sent().label("is_sent"),
            Subscription.ref.label("subscription_ref"),
            Subscription.status.label("subscription_status"),
            Subscription.is_billing_blocked,
            Payment.status.label("payment_status"),
            Plan.name.label("plan_name"),
            Customer.name.label("customer_name"),
            Customer.customer_ref,
            PaymentMethod.kind.label("method_kind"),
            PaymentMethod.last4,
            PaymentMethod.status.label("method_status"),
            told.c.kind.label("told_kind"),
            told.c.created_at.label("told_at"),
        )
        .join(Subscription, Subscription.id == Recovery.subscription_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(Customer, Customer.id == Recovery.customer_id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .join(Payment, Payment.id == Recovery.payment_id)
        .outerjoin(told, true())
    )


def _as_cards(page: Subquery) -> Select[Any]:
    return _cards().join(page, page.c.id == Recovery.id)


@cache
def _is_sent() -> ColumnElement[bool]:
    live = [status.value for status in (*ATTEMPT_OPEN, AttemptStatus.NEEDS_HUMAN)]
    is_out = or_(Attempt.status != AttemptStatus.READY.value, Attempt.first_sent_at.is_not(None))
    return (
        select(Attempt.id)
        .where(Attempt.payment_id == Recovery.payment_id, Attempt.status.in_(live), is_out)
        .exists()
    )


@cache
def _stage() -> ColumnElement[str]:
    waits_for_staff = Recovery.next_step.in_([Next.WAIT_PERSON.value, Next.WAIT_BUDGET.value])
    return case(
        (or_(Recovery.status == RecoveryStatus.EXHAUSTED.value, waits_for_staff), "stopped"),
        (Recovery.failures <= 1, "first"),
        (Recovery.failures == 2, "second"),
        else_="third",
    )


@cache
def _is_of_concern() -> ColumnElement[bool]:
    """What a person may have to look after: a suspension that was lifted is none of it."""
    is_open = Recovery.status.in_([status.value for status in OPEN])
    # Asked of the few that are exhausted, not joined to all that are open.
    suspended = select(Subscription.id).where(
        Subscription.id == Recovery.subscription_id,
        Subscription.status == SubscriptionStatus.SUSPENDED.value,
    )
    is_stopped = and_(
        Recovery.status == RecoveryStatus.EXHAUSTED.value,
        suspended.correlate(Recovery).exists(),
    )
    # The first condition is the board's index.
    known = [*(status.value for status in OPEN), RecoveryStatus.EXHAUSTED.value]
    return and_(Recovery.status.in_(known), or_(is_open, is_stopped))


def _filters(wish: BoardWish) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [_is_of_concern()]
    if wish.stage:
        found.append(_stage() == wish.stage)
    if wish.reason:
        found.append(Recovery.reason == wish.reason)
    if not wish.with_snoozed:
        awake = or_(Recovery.snoozed_until.is_(None), Recovery.snoozed_until <= wish.now)
        found.append(awake)
    return found
