"""Showing: what a customer's own page tells about a subscription, behind the link of a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from opsapp.catalog.models import Plan
from opsapp.customers.errors import LinkUnknown
from opsapp.customers.linking import Link
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.customers.queries import list_registered_by
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.masking import mask_name
from opsapp.kernel.money import Money
from opsapp.payments.models import Payment
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions import blocking, queries, rules
from opsapp.subscriptions.models import (
    AdvanceNotice,
    BillingPeriod,
    Subscription,
    SubscriptionBlock,
    SubscriptionChange,
)
from opsapp.subscriptions.states import CHANGE_OPEN, ENDED, SubscriptionStatus

PAYMENTS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ShownMethod:
    id: int
    gateway_name: str
    kind: str
    status: str
    label: str  # issuer and the last digits
    expires_on: date | None
    refused_code: str | None


@dataclass(frozen=True, slots=True)
class ShownPayment:
    due_at: datetime
    amount: Money
    status: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    kind: str
    effective_on: date
    to_amount: Money
    needs_consent: bool


@dataclass(frozen=True, slots=True)
class Picture:
    subscription_id: int
    customer_id: int
    customer: str  # masked
    locale: str
    plan: str
    status: str
    amount: Money
    quantity: int
    interval: str
    interval_count: int
    next_on: date | None  # of the next charge; None while nothing will be charged
    period_ends_on: date  # first day after what is paid for, or after the trial
    ends_on: date | None
    is_trial: bool
    paused_until: date | None
    causes: frozenset[str]
    method: ShownMethod
    change: ShownChange | None
    payments: Sequence[ShownPayment]

    @property
    def is_over(self) -> bool:
        return self.status in ENDED

    @property
    def may_resume(self) -> bool:
        """A suspension ends with a method that works, a hold by staff: neither by the customer."""
        return self.status == SubscriptionStatus.PAUSED and self.causes == {rules.PAUSE}

    @property
    def is_behind(self) -> bool:
        """A charge of a period that has begun was declined, and is not paid yet."""
        return self.status in (SubscriptionStatus.PAST_DUE, SubscriptionStatus.SUSPENDED)

    @property
    def owed(self) -> Money | None:
        """What failed and is not paid yet."""
        failed = [p.amount for p in self.payments if p.status == PaymentStatus.FAILED]
        return failed[0] if failed else None


def find_subscription_of(link: Link) -> int:
    """The subscription that a link's subject belongs to. Raises LinkUnknown.

    A message links to what it is about: the subscription, a notice, a change or a payment of it.
    """
    subject = link.subject_id
    match link.subject_type:
        case "subscription":
            wanted = select(Subscription.id).where(Subscription.id == subject)
        case "advance_notice":
            wanted = select(AdvanceNotice.subscription_id).where(AdvanceNotice.id == subject)
        case "subscription_change":
            wanted = select(SubscriptionChange.subscription_id).where(
                SubscriptionChange.id == subject
            )
        case "payment":
            wanted = select(BillingPeriod.subscription_id).where(
                BillingPeriod.payment_id == subject
            )
        case _:
            raise LinkUnknown
    found = db.session.scalars(
        select(Subscription.id).where(
            Subscription.id == wanted.scalar_subquery(),
            Subscription.customer_id == link.customer_id,
        )
    ).one_or_none()
    if found is None:
        raise LinkUnknown
    return found


def find_method_of(link: Link) -> int:
    """The method that a link is about: its subject, or what its subscription is charged to now.

    Raises LinkUnknown.
    """
    if link.subject_type != "payment_method":
        subscription_id = find_subscription_of(link)
        return queries.get_subscription(subscription_id).payment_method_id
    own = select(PaymentMethod.id).where(
        PaymentMethod.id == link.subject_id, PaymentMethod.customer_id == link.customer_id
    )
    found = db.session.scalars(own).one_or_none()
    if found is None:
        raise LinkUnknown
    return found


def picture(subscription_id: int, *, brief: bool = False) -> Picture:
    """`brief`: one statement, without blocks, changes and payments. Raises NotFound."""
    found = db.session.execute(
        select(Subscription, Customer, Plan.name, PaymentMethod)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(Subscription.id == subscription_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="subscription", id=subscription_id)
    row, customer, plan, method = found
    blocks = [] if brief else blocking.list_open_blocks(subscription_id)
    return Picture(
        subscription_id=row.id,
        customer_id=row.customer_id,
        customer=mask_name(customer.name),
        locale=customer.locale,
        plan=plan,
        status=row.status,
        amount=row.amount,
        quantity=row.quantity,
        interval=row.interval,
        interval_count=row.interval_count,
        next_on=next_charge_on(row),
        period_ends_on=max(seoul_date(row.next_due_at), seoul_date(clock.now())),
        ends_on=row.ends_on,
        is_trial=row.trial_ends_on is not None and row.next_period_index == 0,
        paused_until=_paused_until(blocks),
        causes=frozenset(block.cause for block in blocks),
        method=shown_method(method),
        change=None if brief else _change(subscription_id),
        payments=[] if brief else _payments(subscription_id),
    )


def list_charged_to(method_id: int) -> list[Picture]:
    """What a customer's other card would pay for."""
    return [picture(each) for each in queries.list_charged_to(method_id)]


def get_method(method_id: int) -> ShownMethod:
    return shown_method(db.session.get_one(PaymentMethod, method_id))


def find_registered(link_id: int) -> ShownMethod | None:
    """The method that was given through the link last."""
    registered = list_registered_by(link_id)
    return shown_method(registered[0]) if registered else None


def shown_method(method: PaymentMethod) -> ShownMethod:
    return ShownMethod(
        method.id,
        method.gateway_name,
        method.kind,
        method.status,
        label_of(method.label, method.last4),
        method.expires_on,
        method.refused_code,
    )


def label_of(label: str, last4: str | None) -> str:
    """신한 **** 1234."""
    return " ".join(part for part in (label, f"**** {last4}" if last4 else "") if part)


def next_charge_on(row: Subscription) -> date | None:
    """None while nothing will be charged."""
    day = seoul_date(row.next_due_at)
    is_last = row.ends_on is not None and day >= row.ends_on
    stands_still = row.is_billing_blocked or row.status in (
        SubscriptionStatus.PAUSED, SubscriptionStatus.SUSPENDED, *ENDED,
    )  # fmt: skip
    return None if is_last or stands_still else day


def _paused_until(blocks: Sequence[SubscriptionBlock]) -> date | None:
    return next((block.until for block in blocks if block.cause == "pause"), None)


def _change(subscription_id: int) -> ShownChange | None:
    wanted = select(SubscriptionChange).where(
        SubscriptionChange.subscription_id == subscription_id,
        SubscriptionChange.status.in_([status.value for status in CHANGE_OPEN]),
    )
    change = db.session.scalars(wanted).one_or_none()
    if change is None:
        return None
    amount = Money(change.to_amount_minor, change.currency)
    return ShownChange(change.kind, change.effective_on, amount, change.needs_consent)


def _payments(subscription_id: int) -> list[ShownPayment]:
    rows = db.session.execute(
        select(BillingPeriod.due_at, Payment.amount_minor, Payment.currency, Payment.status)
        .join(Payment, Payment.id == BillingPeriod.payment_id)
        .where(BillingPeriod.subscription_id == subscription_id)
        .order_by(BillingPeriod.period_index.desc())
        .limit(PAYMENTS_SHOWN)
    )
    return [
        ShownPayment(due_at, Money(minor, currency), status)
        for due_at, minor, currency, status in rows
    ]
