"""The subscriptions list and one subscription's page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, literal, or_, select

from opsapp.catalog.models import Plan
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.insights import reading_wishes as reading
from opsapp.insights.adding_up import add_up
from opsapp.insights.finding_orders import subscriptions_like
from opsapp.insights.reading_wishes import Query
from opsapp.insights.rules import Totals, is_short
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice
from opsapp.payments.holding import HELD_UNTIL
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus
from opsapp.subscriptions.models import BillingPeriod, Subscription
from opsapp.subscriptions.states import CHARGEABLE, SubscriptionStatus
from opsapp.tickets.models import Ticket

PAGE_SIZE = 30
PERIODS_MAX = 24
NOTICES_MAX = 20
TIMELINE_MAX = 50

TABS = ("all", *(status.value for status in SubscriptionStatus))
EXPIRES_SOON_DAYS = 60  # time enough to ask for another card before a charge fails

COLUMNS = (
    Subscription.id,
    Subscription.ref,
    Subscription.created_at,
    Subscription.customer_id,
    Subscription.plan_id,
    Subscription.payment_method_id,
    Subscription.status,
    Subscription.amount_minor,
    Subscription.currency,
    Subscription.interval,
    Subscription.interval_count,
    Subscription.next_due_at,
    Subscription.next_period_index,
    Subscription.failures_in_row,
    Subscription.cancel_asked_on,
)


@dataclass(frozen=True, slots=True)
class SubscriptionWish:
    """The days are those on which the next charge falls due."""

    tab: str = "all"
    search: str = ""
    plan_id: int | None = None
    method: str = ""
    is_expiring: bool = False  # the card ends within 60 days
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionPicture:
    subscription: Subscription
    customer: Customer
    plan: Plan
    method: PaymentMethod
    periods: list[Any]
    notices: list[Notice]
    tickets: list[Ticket]
    timeline: list[AuditEntry]


def read_wish(query: Query) -> SubscriptionWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    return SubscriptionWish(
        tab=reading.choice(query, "tab", TABS, "all"),
        search=reading.search(query),
        plan_id=reading.whole_number(query, "plan"),
        method=reading.choice(query, "method", reading.METHOD_KINDS),
        is_expiring=reading.is_ticked(query, "expiring"),
        since=since,
        until=until,
    )


def list_subscriptions(
    wish: SubscriptionWish, *, cursor: str | None, size: int = PAGE_SIZE
) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    keys = (Subscription.created_at, Subscription.id)
    statement = select(*COLUMNS).where(*_fits(wish))
    return page_of(statement, keys=keys, cursor=cursor, size=size, dressed=_with_names)


def sum_subscriptions(wish: SubscriptionWish) -> Totals | None:
    """What the next charges of all filtered rows come to, in won.

    None without a short period, or for many.
    """
    if not is_short(wish.since, wish.until):
        return None
    rows = select(Subscription.amount_minor, literal(0)).where(*_fits(wish))
    return add_up(rows, in_won=Subscription.currency == "KRW")


def _with_names(page: Subquery) -> Select[*tuple[Any, ...]]:
    return (
        select(
            *page.c,
            Plan.name.label("plan_name"),
            Customer.name.label("customer_name"),
            Customer.customer_ref,
            PaymentMethod.kind.label("method_kind"),
            PaymentMethod.last4,
            PaymentMethod.expires_on,
        )
        .join(Customer, Customer.id == page.c.customer_id)
        .join(Plan, Plan.id == page.c.plan_id)
        .join(PaymentMethod, PaymentMethod.id == page.c.payment_method_id)
    )


def list_fitting(
    wish: SubscriptionWish, *, ids: Sequence[int] | None = None, limit: int
) -> list[Any]:
    """(id, status) of all that fit the filter now, or of those among `ids`; at most `limit`."""
    fitting = select(Subscription.id, Subscription.status).where(*_fits(wish))
    if ids is not None:
        fitting = fitting.where(Subscription.id.in_(ids))
    return list(db.session.execute(fitting.order_by(Subscription.id).limit(limit)))


def list_refs(subscription_ids: Sequence[int]) -> dict[int, str]:
    refs = select(Subscription.id, Subscription.ref).where(Subscription.id.in_(subscription_ids))
    return dict(db.session.execute(refs).all())


def _fits(wish: SubscriptionWish) -> list[ColumnElement[bool]]:
    """What the list's address asks for; about subscriptions alone, without the list's joins."""
    conditions: list[ColumnElement[bool]] = []
    if wish.tab != "all":
        conditions.append(Subscription.status == wish.tab)
    if wish.plan_id is not None:
        conditions.append(Subscription.plan_id == wish.plan_id)
    conditions += _fit_method(wish)
    if wish.since or wish.until:
        conditions.append(Subscription.status.in_([status.value for status in CHARGEABLE]))
    if wish.since:
        conditions.append(Subscription.next_due_at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        conditions.append(Subscription.next_due_at < end)
    if search := wish.search:
        conditions.append(Subscription.id.in_(subscriptions_like(search)))
    return conditions


def _fit_method(wish: SubscriptionWish) -> list[ColumnElement[bool]]:
    methods = select(PaymentMethod.id)
    if wish.method:
        methods = methods.where(PaymentMethod.kind == wish.method)
    if wish.is_expiring:
        last = seoul_date(clock.now()) + timedelta(days=EXPIRES_SOON_DAYS)
        methods = methods.where(PaymentMethod.expires_on <= last)
    if not wish.method and not wish.is_expiring:
        return []
    fitting: list[ColumnElement[bool]] = [Subscription.payment_method_id.in_(methods)]
    if wish.method and wish.method != "card":
        # The few that are not by card are begun with: their owners lead to the subscriptions.
        owners = select(PaymentMethod.customer_id).where(PaymentMethod.kind == wish.method)
        fitting.append(Subscription.customer_id.in_(owners))
    return fitting


def get_subscription(subscription_id: int) -> tuple[Subscription, Customer, Plan, PaymentMethod]:
    """Raises NotFound."""
    found = db.session.execute(
        select(Subscription, Customer, Plan, PaymentMethod)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(Subscription.id == subscription_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="subscription", id=subscription_id)
    return found[0], found[1], found[2], found[3]


def get_picture(subscription_id: int) -> SubscriptionPicture:
    """Raises NotFound."""
    subscription, customer, plan, method = get_subscription(subscription_id)
    tickets = select(Ticket).where(
        Ticket.subject_type == "subscription", Ticket.subject_id == subscription_id
    )
    timeline = (
        select(AuditEntry)
        .where(AuditEntry.subject_type == "subscription", AuditEntry.subject_id == subscription_id)
        .order_by(AuditEntry.id.desc())
        .limit(TIMELINE_MAX)
    )
    return SubscriptionPicture(
        subscription=subscription,
        customer=customer,
        plan=plan,
        method=method,
        periods=list_periods(subscription_id),
        notices=_list_notices(subscription_id, customer.id),
        tickets=list(db.session.scalars(tickets.order_by(Ticket.id))),
        timeline=list(db.session.scalars(timeline)),
    )


def expires_soon(expires_on: date | None, today: date) -> bool:
    return expires_on is not None and (expires_on - today).days <= EXPIRES_SOON_DAYS


def list_periods(subscription_id: int) -> list[Any]:
    """The newest first; `retry_at` while a try is planned."""
    return list(
        db.session.execute(
            select(
                BillingPeriod.period_index,
                BillingPeriod.due_at,
                BillingPeriod.payment_id,
                Payment.status,
                Payment.amount_minor,
                Payment.currency,
                Payment.refunded_minor,
                Payment.paid_at,
                Payment.failure_class,
                Payment.failure_code,
                Attempt.due_at.label("retry_at"),
            )
            .outerjoin(Payment, Payment.id == BillingPeriod.payment_id)
            .outerjoin(
                Attempt,
                (Attempt.payment_id == Payment.id)
                & (Attempt.status == AttemptStatus.READY.value)
                & (Attempt.due_at < HELD_UNTIL),
            )
            .where(BillingPeriod.subscription_id == subscription_id)
            .order_by(BillingPeriod.period_index.desc())
            .limit(PERIODS_MAX)
        )
    )


def _list_notices(subscription_id: int, customer_id: int) -> list[Notice]:
    """About the subscription itself and about its payments."""
    payment_ids = select(BillingPeriod.payment_id).where(
        BillingPeriod.subscription_id == subscription_id
    )
    about = or_(
        (Notice.subject_type == "subscription") & (Notice.subject_id == subscription_id),
        (Notice.subject_type == "payment") & Notice.subject_id.in_(payment_ids),
    )
    wanted = select(Notice).where(Notice.customer_id == customer_id, about)
    return list(db.session.scalars(wanted.order_by(Notice.id.desc()).limit(NOTICES_MAX)))
