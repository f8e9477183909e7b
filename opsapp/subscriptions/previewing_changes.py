"""Previewing a change: every figure of it, by the same arithmetic that will act."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date

from opsapp.catalog.queries import Terms, list_terms_on
from opsapp.customers.queries import list_methods_by_id
from opsapp.kernel import clock
from opsapp.kernel.errors import Invalid, NotFound, OpsError
from opsapp.kernel.money import Money
from opsapp.payments import limiting, queries as payment_queries
from opsapp.payments.states import REFUNDABLE
from opsapp.subscriptions import finding_changes, prorating, queries, rules
from opsapp.subscriptions.errors import (
    ChangeBlocked,
    ChangeUnderWay,
    LastPeriodCharged,
    MoveRefused,
    NothingChanges,
)
from opsapp.subscriptions.finding_changes import RunningPeriod
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.prorating import Proration
from opsapp.subscriptions.states import ENDED, ChangeStatus, SubscriptionStatus

NOW, PERIOD_END = "now", "period_end"
PLAN, QUANTITY, BILLING_DAY, PRICE = "plan", "quantity", "billing_day", "price"
QUANTITY_MAX = 10_000

# Why a change that was wanted now waits for the end of the period.
NOT_PAID_HERE = "not_paid_here"
CHARGED_AHEAD = "charged_ahead"
STANDING_STILL = "standing_still"
PERIOD_IS_OVER = "period_is_over"
NOT_REFUNDABLE = "not_refundable"


@dataclass(frozen=True, slots=True)
class ChangeWish:
    """Another plan or quantity (or both), now or with the next period; or another billing day.

    A billing day knows no `when`: what was paid for lasts as long as it did, the days from there
    to the new day are paid at once, and whole periods begin on it. Raises Invalid.
    """

    plan_id: int | None = None
    quantity: int | None = None
    anchor_day: int | None = None
    when: str = NOW
    because: str = ""

    def __post_init__(self) -> None:
        if self.when not in (NOW, PERIOD_END):
            raise Invalid(field="when", reason="Choose now or the next period.")
        if self.anchor_day is not None and (self.plan_id or self.quantity):
            raise Invalid(field="anchor_day", reason="Change the billing day by itself.")
        if self.anchor_day is not None and not 1 <= self.anchor_day <= 31:
            raise Invalid(field="anchor_day", reason="A billing day is a number from 1 to 31.")
        if self.quantity is not None and not 1 <= self.quantity <= QUANTITY_MAX:
            raise Invalid(field="quantity", reason="A quantity is a number from 1 to 10,000.")


@dataclass(frozen=True, slots=True)
class Side:
    """What a subscription asks for, before or after; `amount` is that of the whole quantity."""

    plan_id: int
    plan_version: int
    plan_name: str
    interval: str
    interval_count: int
    quantity: int
    amount: Money
    anchor_day: int
    term_periods: int | None

    def has_rhythm_of(self, other: "Side") -> bool:
        ours, theirs = (self.interval, self.interval_count), (other.interval, other.interval_count)
        return ours == theirs and self.anchor_day == other.anchor_day


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """Days are Seoul's. `waits_because` names why it is not done at once although it was wanted."""

    subscription_id: int
    kind: str
    when: str
    waits_because: str
    before: Side
    after: Side
    effective_on: date
    unused_days: int
    period_days: int
    proration: Proration
    refund_payment_id: int | None
    next_charge_on: date
    ends_on: date | None
    replaces_change_id: int | None

    @property
    def to_pay(self) -> Money:
        return self.proration.to_pay

    @property
    def to_refund(self) -> Money:
        return self.proration.to_refund

    @property
    def fingerprint(self) -> str:
        """Of all figures: another one, and the confirmation of this one is refused."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Ground:
    """What stands before the change, read once."""

    subscription: Subscription
    before: Side
    today: date
    next_due: date
    replaces: int | None
    smallest: int


def preview(subscription_id: int, wish: ChangeWish) -> ChangePreview:
    """What the change would do now. Raises NotFound, MoveRefused, ChangeBlocked, ChangeUnderWay,
    NothingChanges, LastPeriodCharged, Invalid.
    """
    subscription = queries.get_subscription(subscription_id)
    ground = _read(subscription)
    if wish.anchor_day is not None:
        return _preview_day(ground, wish.anchor_day)
    waits_because = _why_wait(ground) if wish.when == NOW else ""
    is_first = subscription.next_period_index == 0
    if wish.when == PERIOD_END or waits_because or is_first:
        return _preview_period_end(ground, wish, waits_because)
    at_once = _preview_now(ground, wish)
    if at_once.to_refund.minor and not _is_returnable(at_once):
        return _preview_period_end(ground, wish, NOT_REFUNDABLE)
    return at_once


def side_of(subscription: Subscription, terms: Terms) -> Side:
    """As it stands now; the price is the agreed one, whatever the plan costs today."""
    return Side(
        plan_id=subscription.plan_id,
        plan_version=subscription.plan_version,
        plan_name=terms.name,
        interval=subscription.interval,
        interval_count=subscription.interval_count,
        quantity=subscription.quantity,
        amount=subscription.amount,
        anchor_day=subscription.anchor_day,
        term_periods=subscription.term_periods,
    )


def _read(subscription: Subscription) -> _Ground:
    if subscription.status in ENDED or subscription.cancel_asked_on is not None:
        raise MoveRefused(status=subscription.status, wanted="changed")
    if (block := finding_changes.find_change_block(subscription.id)) is not None:
        raise ChangeBlocked(cause=block.cause)
    open_ = finding_changes.list_open_changes([subscription.id]).get(subscription.id)
    if open_ is not None and open_.status == ChangeStatus.AWAITING_PAYMENT:
        raise ChangeUnderWay
    today = clock.seoul_date(clock.now())
    terms = list_terms_on([subscription.plan_id], today)[subscription.plan_id]
    return _Ground(
        subscription=subscription,
        before=side_of(subscription, terms),
        today=today,
        next_due=rules.due_on(subscription, subscription.next_period_index),
        replaces=None if open_ is None else open_.id,
        smallest=_smallest_charge(subscription),
    )


def _smallest_charge(subscription: Subscription) -> int:
    """What the gateway of its method takes at least."""
    method_id = subscription.payment_method_id
    method = list_methods_by_id([method_id])[method_id]
    return limiting.smallest_charge(method.gateway_name, method.kind, subscription.currency)


def _why_wait(ground: _Ground) -> str:
    """Empty where the running period can be divided, or where no period has begun at all."""
    subscription = ground.subscription
    if subscription.next_period_index == 0:
        return ""
    if subscription.is_billing_blocked:
        return STANDING_STILL
    running = finding_changes.find_running_period(subscription.id)
    if running is None or running.payment is None or running.payment.status not in REFUNDABLE:
        return NOT_PAID_HERE
    if running.due_on > ground.today:
        return CHARGED_AHEAD
    return "" if ground.next_due > ground.today else PERIOD_IS_OVER


def _preview_now(ground: _Ground, wish: ChangeWish) -> ChangePreview:
    subscription, before, today = ground.subscription, ground.before, ground.today
    after = _after(ground, wish, today)
    running = finding_changes.find_running_period(subscription.id)
    index = subscription.next_period_index
    begun = rules.due_on(subscription, index - 1)
    unused, period = (ground.next_due - today).days, (ground.next_due - begun).days
    if before.has_rhythm_of(after):
        proration = prorating.same_days(before.amount, after.amount, unused=unused, period=period)
        starts_on = ground.next_due
    else:
        after = replace(after, anchor_day=today.day)
        proration = prorating.begin_anew(before.amount, after.amount, unused=unused, period=period)
        starts_on = rules.due_date(today, after.anchor_day, after.interval, after.interval_count, 1)
    return replace(
        _build(ground, after, effective_on=today, starts_on=starts_on),
        unused_days=unused,
        period_days=period,
        proration=replace(proration, smallest=ground.smallest),
        refund_payment_id=_payment_of(running) if proration.to_refund.minor else None,
    )


def _preview_period_end(ground: _Ground, wish: ChangeWish, waits_because: str) -> ChangePreview:
    ends_on = ground.subscription.ends_on
    if ends_on is not None and ground.next_due >= ends_on:  # no period follows that it could be for
        raise LastPeriodCharged(day=ends_on)
    after = _after(ground, wish, ground.next_due)
    built = _build(ground, after, effective_on=ground.next_due, starts_on=ground.next_due)
    # Before the first charge there is no period whose end could be waited for.
    is_first = ground.subscription.next_period_index == 0
    return replace(built, when=NOW if is_first else PERIOD_END, waits_because=waits_because)


def _preview_day(ground: _Ground, anchor_day: int) -> ChangePreview:
    subscription, before = ground.subscription, ground.before
    if before.interval != "month":
        raise Invalid(field="anchor_day", reason="Only plans by the month have a billing day.")
    if subscription.status != SubscriptionStatus.ACTIVE or subscription.is_billing_blocked:
        raise MoveRefused(status=subscription.status, wanted="given another billing day")
    after = replace(before, anchor_day=anchor_day)
    if after == before:
        raise NothingChanges
    day = rules.first_anchor_day(ground.next_due, anchor_day)
    begins = rules.due_date(day, anchor_day, before.interval, -before.interval_count, 1)
    days, period = (day - ground.next_due).days, (day - begins).days
    bridge = prorating.bridge(after.amount, days=days, period=period)
    return replace(
        _build(ground, after, effective_on=day, starts_on=day),
        unused_days=days,
        period_days=period,
        proration=replace(bridge, smallest=ground.smallest),
    )


def _after(ground: _Ground, wish: ChangeWish, day: date) -> Side:
    """Raises NotFound, NothingChanges, Invalid."""
    before = ground.before
    quantity = wish.quantity or before.quantity
    if wish.plan_id in (None, before.plan_id):
        if quantity == before.quantity:
            raise NothingChanges
        each = before.amount.minor // before.quantity
        amount = Money(each * quantity, before.amount.currency)
        return replace(before, quantity=quantity, amount=amount)
    plan_id = wish.plan_id or before.plan_id
    terms = list_terms_on([plan_id], day).get(plan_id)
    if terms is None:
        raise NotFound(noun="plan", id=plan_id)
    if terms.currency != before.amount.currency:
        raise Invalid(field="plan", reason="The plan is in another currency.")
    is_monthly_still = before.interval == terms.interval == "month"
    return Side(
        plan_id=plan_id,
        plan_version=terms.version,
        plan_name=terms.name,
        interval=terms.interval,
        interval_count=terms.interval_count,
        quantity=quantity,
        amount=Money(terms.amount_minor * quantity, terms.currency),
        anchor_day=before.anchor_day if is_monthly_still else _day_of(before, terms, day),
        term_periods=terms.term_periods,
    )


def _day_of(before: Side, terms: Terms, day: date) -> int:
    """Weeks and days have no billing day: theirs stays as it is, so that it is no difference."""
    return day.day if terms.interval == "month" else before.anchor_day


def _build(ground: _Ground, after: Side, *, effective_on: date, starts_on: date) -> ChangePreview:
    """Without money: `starts_on` is the day of the next charge."""
    if after.plan_id != ground.before.plan_id:
        kind = PLAN
    elif after.quantity != ground.before.quantity:
        kind = QUANTITY
    else:
        kind = BILLING_DAY
    subscription = ground.subscription
    return ChangePreview(
        subscription_id=subscription.id,
        kind=kind,
        when=NOW,
        waits_because="",
        before=ground.before,
        after=after,
        effective_on=effective_on,
        unused_days=0,
        period_days=0,
        proration=prorating.nothing(after.amount.currency),
        refund_payment_id=None,
        next_charge_on=starts_on,
        ends_on=ends_after(subscription, after, kind=kind, starts_on=starts_on),
        replaces_change_id=ground.replaces,
    )


def ends_after(
    subscription: Subscription, after: Side, *, kind: str, starts_on: date
) -> date | None:
    """The first day without service: a term of another plan begins with its next charge.

    One that is leaving leaves at the end of what is paid for.
    """
    if subscription.cancel_asked_on is not None:
        return starts_on
    if kind == PLAN:
        if after.term_periods is None:
            return None
        rhythm = (after.anchor_day, after.interval, after.interval_count)
        return rules.due_date(starts_on, *rhythm, after.term_periods)
    if kind == BILLING_DAY and subscription.ends_on is not None:
        left = rules.first_index_on_or_after(subscription.ends_on, subscription)
        left -= subscription.next_period_index
        rhythm = (after.anchor_day, after.interval, after.interval_count)
        return rules.due_date(starts_on, *rhythm, max(left, 0))
    return subscription.ends_on


def _payment_of(running: RunningPeriod | None) -> int | None:
    return None if running is None or running.payment is None else running.payment.id


def _is_returnable(preview_: ChangePreview) -> bool:
    """Whether the running period's payment takes this refund; asked again when it is made."""
    running = finding_changes.find_running_period(preview_.subscription_id)
    payment = None if running is None else running.payment
    if payment is None or payment.refundable.minor < preview_.to_refund.minor:
        return False
    if payment_queries.find_open_refund(payment.id) is not None:
        return False
    try:
        limits = limiting.limits_of(payment, paid_at=payment.paid_at)
    except OpsError:
        return False
    is_whole = preview_.to_refund.minor == payment.captured_minor
    return (limits.in_part or is_whole) and not limits.is_month_over
