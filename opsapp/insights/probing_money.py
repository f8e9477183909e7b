"""Probes of payments, refunds and books: each statement gives one sentence per violation."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import OPEN as METHOD_OPEN, MethodStatus
from opsapp.insights.queries import CLAIMABLE
from opsapp.kernel.log import AuditEntry
from opsapp.ledger.models import LedgerTransfer
from opsapp.ledger.rules import REFUNDS, REFUNDS_IN_TRANSIT, SALES, gateway_clearing
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import OPEN, REFUNDABLE, AttemptStatus, PaymentStatus, RefundStatus
from opsapp.settings import current
from opsapp.subscriptions.models import BillingPeriod, Subscription
from opsapp.subscriptions.states import CHARGEABLE

# A billing run takes up everything that is due within this time, or something is wrong.
OVERDUE_AFTER = timedelta(minutes=15)
PAID = (*REFUNDABLE, PaymentStatus.REFUNDED)
SUBSCRIPTION = "subscription"


def sentence(*parts: Any) -> ColumnElement[str]:
    """Parts joined; NULL joins as nothing."""
    texts = [cast(part, Text) if isinstance(part, ColumnElement) else part for part in parts]
    return func.concat(*texts, type_=Text()).label("example")


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
            _sum(Refund.amount_minor, Refund.status == RefundStatus.SUCCEEDED.value).label("done"),
            _sum(
                Refund.amount_minor,
                Refund.status.not_in(_values(RefundStatus.SUCCEEDED, RefundStatus.REFUSED)),
            ).label("pending"),
        )
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


def books() -> list[Select[str]]:
    """I5: the ledger against the payments, one by one and account by account."""
    return [_payments_off_the_ledger(), _homeless_transfers(), _accounts_off()]


def deposits() -> list[Select[str]]:
    """I7: a paid virtual account has exactly one approved attempt, of the whole amount."""
    is_approved = Attempt.status == AttemptStatus.SUCCEEDED.value
    approved = (
        select(func.count()).where(Attempt.payment_id == Payment.id, is_approved).scalar_subquery()
    )
    taken = (
        select(func.coalesce(func.sum(LedgerTransfer.amount_minor), 0))
        .join(
            Attempt,
            and_(
                LedgerTransfer.subject_type == "attempt",
                LedgerTransfer.subject_id == Attempt.id,
                LedgerTransfer.kind == "charge",
            ),
        )
        .where(Attempt.payment_id == Payment.id, is_approved)
        .scalar_subquery()
    )
    is_paid = Payment.status.in_(_values(*PAID))
    broken = case((is_paid, or_(approved != 1, taken != Payment.amount_minor)), else_=approved != 0)
    told = sentence(
        "payment ", Payment.id, " (", Payment.status, ") of ", Payment.amount_minor, ": ",
        approved, " deposits of ", taken,
    )  # fmt: skip
    return [select(told).where(Payment.method_kind == "virtual_account", broken)]


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
            Subscription.status.in_(_values(*CHARGEABLE)),
            Subscription.next_due_at < func.ops_now() - OVERDUE_AFTER,
            PaymentMethod.status.not_in(waiting),
        )
    )


def _forgotten_rows(row: type[Any], open_: tuple[str, ...]) -> Select[str]:
    """Open and due for longer than a lease and a repeated hint, and nobody holds it."""
    settings = current()
    grace = timedelta(
        seconds=settings.toss_timeout_s + 2 * settings.lease_margin_s + settings.rehint_after_s
    )
    told = sentence(f"{row.__tablename__} ", row.id, " (", row.status, "): due since ", row.due_at)
    return select(told).where(
        row.status.in_(_values(*open_)),
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


def _payments_off_the_ledger() -> Select[str]:
    amount, kind = LedgerTransfer.amount_minor, LedgerTransfer.kind
    released = kind.in_(["refund", "refund_released"])
    posted = (
        select(
            LedgerTransfer.payment_id,
            _sum(amount, kind == "charge").label("captured"),
            _sum(amount, kind == "refund").label("refunded"),
            (_sum(amount, kind == "refund_requested") - _sum(amount, released)).label("pending"),
            func.count(LedgerTransfer.currency.distinct()).label("currencies"),
            func.min(LedgerTransfer.currency).label("currency"),
        )
        .group_by(LedgerTransfer.payment_id)
        .subquery()
    )
    columns = [
        (Payment.captured_minor, func.coalesce(posted.c.captured, 0)),
        (Payment.refunded_minor, func.coalesce(posted.c.refunded, 0)),
        (Payment.refund_pending_minor, func.coalesce(posted.c.pending, 0)),
    ]
    differs = or_(
        *(ours != theirs for ours, theirs in columns),
        posted.c.currencies > 1,
        posted.c.currency != Payment.currency,
    )
    (captured, in_captured), (refunded, in_refunded), (pending, in_pending) = columns
    told = sentence(
        "payment ", Payment.id, ": captured ", captured, ", refunded ", refunded, ", pending ",
        pending, "; the ledger says ", in_captured, ", ", in_refunded, ", ", in_pending,
    )  # fmt: skip
    return select(told).outerjoin(posted, posted.c.payment_id == Payment.id).where(differs)


def _homeless_transfers() -> Select[str]:
    told = sentence("transfer ", LedgerTransfer.id, " (", LedgerTransfer.kind, "): no payment")
    known = select(Payment.id).where(Payment.id == LedgerTransfer.payment_id).exists()
    return select(told).where(not_(known))


def _accounts_off() -> Select[str]:
    """Debits less credits of every account against what the payments say it must hold."""
    ours, theirs = _balances(), _expected_balances()
    same = and_(ours.c.account == theirs.c.account, ours.c.currency == theirs.c.currency)
    held, due = func.coalesce(ours.c.minor, 0), func.coalesce(theirs.c.minor, 0)
    told = sentence(
        "account ", func.coalesce(ours.c.account, theirs.c.account), ": holds ", held, " ",
        func.coalesce(ours.c.currency, theirs.c.currency), ", the payments say ", due,
    )  # fmt: skip
    return select(told).select_from(ours.outerjoin(theirs, same, full=True)).where(held != due)


def _balances() -> FromClause:
    minor, currency = LedgerTransfer.amount_minor, LedgerTransfer.currency
    sides = union_all(
        select(LedgerTransfer.debit_account.label("account"), currency, minor.label("minor")),
        select(LedgerTransfer.credit_account, currency, -minor),
    ).subquery()
    return _summed(sides)


def _expected_balances() -> FromClause:
    captured, refunded = Payment.captured_minor, Payment.refunded_minor
    pending, currency = Payment.refund_pending_minor, Payment.currency
    clearing = func.concat(gateway_clearing(""), Payment.gateway_name, type_=Text())
    parts = union_all(
        select(clearing.label("account"), currency, (captured - refunded).label("minor")),
        select(literal(SALES), currency, -captured),
        select(literal(REFUNDS), currency, refunded + pending),
        select(literal(REFUNDS_IN_TRANSIT), currency, -pending),
    ).subquery()
    return _summed(parts)


def _summed(parts: FromClause) -> FromClause:
    account, currency = parts.c.account, parts.c.currency
    total = func.sum(parts.c.minor).label("minor")
    return select(account, currency, total).group_by(account, currency).subquery()


def _sum(amount: Any, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(amount).filter(condition), 0)


def _values(*statuses: Any) -> list[str]:
    return [status.value for status in statuses]
