"""Probes of payments and refunds: each statement gives one sentence per violation."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)

from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import OPEN as METHOD_OPEN, MethodStatus
from opsapp.insights.queries import CLAIMABLE
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.turns import is_open
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import (
    OPEN,
    REFUND_ENDED,
    REFUNDABLE,
    AttemptStatus,
    PaymentStatus,
    RefundStatus,
)
from opsapp.routing.models import GatewayCircuit
from opsapp.routing.states import CircuitStatus
from opsapp.settings import current
from opsapp.subscriptions import selecting
from opsapp.subscriptions.models import BillingPeriod, BillingRun, Subscription
from opsapp.subscriptions.states import RunStatus

# A billing run takes up everything that is due within this time, or something is wrong.
OVERDUE_AFTER = timedelta(minutes=15)
PAID = (*REFUNDABLE, PaymentStatus.REFUNDED)
SUBSCRIPTION = "subscription"


def sentence(*parts: Any) -> ColumnElement[str]:
    """Parts joined; NULL joins as nothing."""
    texts = [cast(part, Text) if isinstance(part, ColumnElement) else part for part in parts]
    return func.concat(*texts, type_=Text()).label("example")


def sum_where(amount: Any, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(amount).filter(condition), 0)


def unfinished() -> list[Select[str]]:
    """I3: what is due and not under way."""
    return [
        _holes_in_periods(),
        _periods_without_payment(),
        _payments_without_period(),
        _overdue_subscriptions(),
        *(_forgotten_rows(row, open_) for row, open_ in CLAIMABLE),
        _payments_without_attempt(),
    ]


def refunds() -> list[Select[str]]:
    """I4: more given back than taken, or other sums than the refunds themselves."""
    of_payment = (
        select(
            Refund.payment_id,
            sum_where(Refund.amount_minor, Refund.status == RefundStatus.SUCCEEDED.value).label(
                "done"
            ),
            sum_where(
                Refund.amount_minor,
                Refund.status.not_in(_values(*REFUND_ENDED)),
            ).label("pending"),
        )
        .where(Refund.unmatched_id.is_(None))  # returned beside the payment's own money
        .group_by(Refund.payment_id)
        .subquery()
    )
    done, pending = func.coalesce(of_payment.c.done, 0), func.coalesce(of_payment.c.pending, 0)
    differs = or_(
        Payment.refunded_minor + Payment.refund_pending_minor > Payment.captured_minor,
        Payment.refunded_minor != done,
        Payment.refund_pending_minor != pending,
    )
    told = sentence(
        "payment ", Payment.id, ": captured ", Payment.captured_minor,
        ", refunded ", Payment.refunded_minor, ", pending ", Payment.refund_pending_minor,
        "; its refunds say ", done, " and ", pending,
    )  # fmt: skip
    joined = select(told).outerjoin(of_payment, of_payment.c.payment_id == Payment.id)
    return [joined.where(differs)]


def _holes_in_periods() -> Select[str]:
    periods = (
        select(
            BillingPeriod.subscription_id,
            func.min(BillingPeriod.period_index).label("first"),
            func.max(BillingPeriod.period_index).label("last"),
            func.count().label("count"),
        )
        .group_by(BillingPeriod.subscription_id)
        .subquery()
    )
    # An imported contract was billed elsewhere up to some period.
    is_ours = Subscription.import_ref.is_(None)
    hole = or_(
        periods.c.count != periods.c.last - periods.c.first + 1,
        periods.c.last + 1 != Subscription.next_period_index,
        and_(is_ours, periods.c.first != 0),
        and_(is_ours, periods.c.count.is_(None), Subscription.next_period_index != 0),
    )
    told = sentence(
        "subscription ", Subscription.id, ": ", func.coalesce(periods.c.count, 0),
        " periods, and the next one is ", Subscription.next_period_index,
    )  # fmt: skip
    return select(told).outerjoin(periods, periods.c.subscription_id == Subscription.id).where(hole)


def _periods_without_payment() -> Select[str]:
    start = cast(AuditEntry.detail["from_index"].astext, Integer)
    count = cast(AuditEntry.detail["count"].astext, Integer)
    was_skipped = (
        select(AuditEntry.id)
        .where(
            AuditEntry.subject_type == SUBSCRIPTION,
            AuditEntry.subject_id == BillingPeriod.subscription_id,
            AuditEntry.action == "subscription.periods_skipped",
            BillingPeriod.period_index >= start,
            BillingPeriod.period_index < start + count,
        )
        .exists()
    )
    told = sentence(
        "subscription ", BillingPeriod.subscription_id, " period ", BillingPeriod.period_index,
        ": no payment, and nobody skipped it",
    )  # fmt: skip
    return select(told).where(
        BillingPeriod.payment_id.is_(None),
        BillingPeriod.due_at <= func.ops_now(),
        not_(was_skipped),
    )


def _payments_without_period() -> Select[str]:
    period = (
        select(BillingPeriod.id)
        .where(
            BillingPeriod.payment_id == Payment.id,
            BillingPeriod.subscription_id == Payment.subject_id,
            BillingPeriod.period_index == Payment.period_index,
        )
        .exists()
    )
    told = sentence("payment ", Payment.id, ": no billing period of its subscription is for it")
    return select(told).where(Payment.subject_type == SUBSCRIPTION, not_(period))


def _overdue_subscriptions() -> Select[str]:
    """Those whose method waits for the gateway or for staff are waited for."""
    waiting = _values(*METHOD_OPEN, MethodStatus.NEEDS_HUMAN)
    told = sentence("subscription ", Subscription.id, ": due since ", Subscription.next_due_at)
    return (
        select(told)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(
            selecting.is_chargeable(),
            selecting.is_before_its_end(),
            Subscription.next_due_at < func.ops_now() - OVERDUE_AFTER,
            PaymentMethod.status.not_in(waiting),
            ~exists().where(BillingRun.status == RunStatus.PAUSED.value),  # staff hold it
        )
    )


def _forgotten_rows(row: type[Any], open_: tuple[str, ...]) -> Select[str]:
    """Open and due for longer than a lease and a repeated hint, and nobody holds it."""
    settings = current()
    grace = timedelta(
        seconds=settings.gateway_timeout_s + 2 * settings.lease_margin_s + settings.rehint_after_s
    )
    told = sentence(f"{row.__tablename__} ", row.id, " (", row.status, "): due since ", row.due_at)
    resting = select(GatewayCircuit.gateway_name).where(
        GatewayCircuit.status != CircuitStatus.CLOSED.value
    )
    # A gateway that is not asked at present keeps its rows waiting in plain sight.
    is_asked = row.gateway_name.not_in(resting) if hasattr(row, "gateway_name") else true()
    return select(told).where(
        is_asked,
        is_open(row, open_),
        row.due_at < func.ops_now() - grace,
        or_(row.leased_until.is_(None), row.leased_until < func.clock_timestamp() - grace),
    )


def _payments_without_attempt() -> Select[str]:
    live = (
        select(Attempt.id)
        .where(
            Attempt.payment_id == Payment.id,
            Attempt.status.in_(_values(*OPEN, AttemptStatus.NEEDS_HUMAN)),
        )
        .exists()
    )
    told = sentence("payment ", Payment.id, " (", Payment.status, "): no attempt is under way")
    waits = Payment.status.in_(_values(PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT))
    return select(told).where(waits, not_(live))


def _values(*statuses: Any) -> list[str]:
    return [status.value for status in statuses]
