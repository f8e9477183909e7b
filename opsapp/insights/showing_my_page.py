"""Showing: what a customer who is signed in sees of their own: subscriptions, methods, what is owed
and what is to be paid in. Every read names the customer, so that a number of somebody else's is
just not there.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from opsapp.catalog.models import Plan
from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import MethodStatus
from opsapp.insights.showing_subscriptions import (
    ShownMethod,
    next_charge_on,
    shown_method,
)
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.recording import account_context
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.recovery.models import Recovery
from opsapp.recovery.states import OPEN as RECOVERY_OPEN, RecoveryStatus
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import ENDED

EXPIRES_SOON = timedelta(days=45)
USABLE = (MethodStatus.ACTIVE, MethodStatus.EXPIRED, MethodStatus.BLOCKED)
LISTED = (*USABLE, MethodStatus.REQUESTED, MethodStatus.ISSUING)
_UNCOLLECTED = [status.value for status in (*RECOVERY_OPEN, RecoveryStatus.EXHAUSTED)]
_UNPAID = (PaymentStatus.FAILED.value, PaymentStatus.PENDING.value)


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be charged. `is_tried`: the gateway is asked again just now."""

    recovery_id: int
    amount: Money
    failed_at: datetime
    next_at: datetime | None  # of the next try that comes by itself
    failure_class: str | None
    tries: int
    is_tried: bool


@dataclass(frozen=True, slots=True)
class OwnMethod:
    """`pays_for`: the plans of what is charged to it."""

    ref: str
    shown: ShownMethod
    is_default: bool
    is_expired: bool
    expires_soon: bool
    pays_for: Sequence[str]

    @property
    def is_usable(self) -> bool:
        return self.shown.status == MethodStatus.ACTIVE and not self.is_expired


@dataclass(frozen=True, slots=True)
class OwnSubscription:
    id: int
    ref: str
    plan: str
    status: str
    amount: Money
    quantity: int
    interval: str
    interval_count: int
    next_on: date | None
    ends_on: date | None
    is_trial: bool
    method: OwnMethod | None
    missing: Missing | None

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Alert:
    """What a customer should do something about. `name` is its own until it happens again."""

    name: str
    kind: str  # charge_failed | method_expired | method_expiring
    subscription: OwnSubscription | None
    method: OwnMethod | None


@dataclass(frozen=True, slots=True)
class Possessions:
    """A customer's subscriptions, those that go on first, and methods, the default first."""

    subscriptions: Sequence[OwnSubscription]
    methods: Sequence[OwnMethod]

    @property
    def alerts(self) -> list[Alert]:
        failed = [
            Alert(f"charge:{s.missing.recovery_id}:{s.missing.tries}", "charge_failed", s, s.method)
            for s in self.subscriptions
            if s.missing is not None and not s.missing.is_tried
        ]
        ending = [
            Alert(
                f"method:{m.ref}:{m.shown.expires_on}:{m.is_expired}",
                "method_expired" if m.is_expired else "method_expiring",
                None,
                m,
            )
            for m in self.methods
            if (m.is_expired or m.expires_soon) and (m.pays_for or m.is_default)
        ]
        return failed + ending


@dataclass(frozen=True, slots=True)
class OwnDeposit:
    """Where its owner pays in; `number` is in clear, for their eyes alone."""

    payment_ref: str
    title: str
    amount: Money
    bank: str
    number: str
    due_at: datetime


def list_possessions(customer_id: int) -> Possessions:
    """Three statements."""
    rows = db.session.execute(
        select(Subscription, Plan.name)
        .join(Plan, Plan.id == Subscription.plan_id)
        .where(Subscription.customer_id == customer_id)
        .order_by(Subscription.id.desc())
    ).all()
    plans = {row.id: name for row, name in rows}
    charged = [(row.payment_method_id, name) for row, name in rows if row.status not in ENDED]
    methods = _methods(customer_id, charged)
    missing = _missing(list(plans))
    subscriptions = [_own(row, name, methods, missing.get(row.id)) for row, name in rows]
    subscriptions.sort(key=lambda each: each.is_over)
    listed = [m for m in methods.values() if m.shown.status in LISTED]
    return Possessions(subscriptions, listed)


def get_subscription(customer_id: int, ref: str) -> Subscription:
    """Raises NotFound."""
    own = select(Subscription).where(
        Subscription.ref == ref, Subscription.customer_id == customer_id
    )
    found = db.session.scalars(own).one_or_none()
    if found is None:
        raise NotFound(noun="subscription", id="")
    return found


def get_method(customer_id: int, ref: str) -> PaymentMethod:
    """Raises NotFound."""
    own = select(PaymentMethod).where(
        PaymentMethod.ref == ref,
        PaymentMethod.customer_id == customer_id,
        PaymentMethod.status != MethodStatus.DELETED.value,
    )
    found = db.session.scalars(own).one_or_none()
    if found is None:
        raise NotFound(noun="payment method", id="")
    return found


def list_deposits(customer_id: int) -> list[OwnDeposit]:
    """Open accounts, the next deadline first."""
    rows = db.session.execute(
        select(Payment, Attempt)
        .join(Attempt, Attempt.payment_id == Payment.id)
        .where(
            Payment.customer_id == customer_id,
            Payment.status == PaymentStatus.AWAITING_DEPOSIT.value,
            Attempt.status == AttemptStatus.WAITING.value,
            Attempt.account_sealed.is_not(None),
            Attempt.close_because.is_(None),
            Attempt.deposit_due_at > clock.now(),
        )
        .order_by(Attempt.deposit_due_at, Attempt.id)
    )
    return [deposit for row in rows if (deposit := _deposit(*row)) is not None]


def find_missing(subscription_id: int) -> Missing | None:
    """The oldest charge that failed and is not paid."""
    return _missing([subscription_id]).get(subscription_id)


def _methods(customer_id: int, charged: Sequence[tuple[int, str]]) -> dict[int, OwnMethod]:
    today = seoul_date(clock.now())
    rows = db.session.scalars(
        select(PaymentMethod)
        .where(PaymentMethod.customer_id == customer_id)
        .order_by(PaymentMethod.is_default.desc(), PaymentMethod.id.desc())
    )
    return {
        row.id: OwnMethod(
            ref=row.ref,
            shown=shown_method(row),
            is_default=row.is_default,
            is_expired=_is_expired(row, today),
            expires_soon=row.status == MethodStatus.ACTIVE
            and row.expires_on is not None
            and today <= row.expires_on <= today + EXPIRES_SOON,
            pays_for=[plan for method_id, plan in charged if method_id == row.id],
        )
        for row in rows
    }


def _is_expired(row: PaymentMethod, today: date) -> bool:
    is_past = row.expires_on is not None and row.expires_on < today
    return row.status == MethodStatus.EXPIRED or (row.status == MethodStatus.ACTIVE and is_past)


def _missing(subscription_ids: Sequence[int]) -> dict[int, Missing]:
    """By subscription the oldest."""
    if not subscription_ids:
        return {}
    rows = db.session.execute(
        select(Recovery, Payment.amount_minor, Payment.currency)
        .join(Payment, Payment.id == Recovery.payment_id)
        .where(
            Recovery.subscription_id.in_(subscription_ids),
            Recovery.status.in_(_UNCOLLECTED),
            Payment.status.in_(_UNPAID),
        )
        .order_by(Recovery.id.desc())
    )
    now = clock.now()
    return {
        row.subscription_id: Missing(
            row.id,
            Money(minor, currency),
            row.last_failed_at,
            row.next_at if row.next_at and row.next_at > now else None,
            row.failure_class,
            row.tries,
            row.status == RecoveryStatus.PROCESSING,
        )
        for row, minor, currency in rows
    }


def _own(
    row: Subscription, plan: str, methods: dict[int, OwnMethod], missing: Missing | None
) -> OwnSubscription:
    return OwnSubscription(
        id=row.id,
        ref=row.ref,
        plan=plan,
        status=row.status,
        amount=row.amount,
        quantity=row.quantity,
        interval=row.interval,
        interval_count=row.interval_count,
        next_on=next_charge_on(row),
        ends_on=row.ends_on,
        is_trial=row.trial_ends_on is not None and row.next_period_index == 0,
        method=methods.get(row.payment_method_id),
        missing=None if row.status in ENDED else missing,
    )


def _deposit(payment: Payment, attempt: Attempt) -> OwnDeposit | None:
    """None for one whose number cannot be read: nothing is better than a wrong account."""
    if attempt.account_sealed is None or attempt.account is None or attempt.deposit_due_at is None:
        return None
    context = account_context(attempt.idempotency_key)
    try:
        number = json.loads(unseal(attempt.account_sealed, context=context))["number"]
    except (Unreadable, ValueError, LookupError):
        return None
    return OwnDeposit(
        payment.ref,
        payment.title,
        payment.amount,
        attempt.account["bank"],
        number,
        attempt.deposit_due_at,
    )
