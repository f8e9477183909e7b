"""Probes of the books: the ledger against the payments, one by one and account by account."""

from typing import Any

from sqlalchemy import FromClause, Select, Text, and_, func, literal, not_, or_, select, union_all

from opsapp.insights import probing_points, probing_shares
from opsapp.insights.probing_money import sentence, sum_where as _sum
from opsapp.ledger.models import LedgerTransfer
from opsapp.ledger.rules import REFUNDS, REFUNDS_IN_TRANSIT, SALES, UNMATCHED, gateway_clearing
from opsapp.payments.models import Attempt, Deposit, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import AttemptStatus, RefundStatus, UnmatchedStatus

# Kinds of transfers that make a payment's captured amount, and that take from it.
TAKEN = ("charge", "matched", "accepted")
TAKEN_BACK = ("deposit_reversed", "approval_reversed")


def books() -> list[Select[str]]:
    """I5."""
    off = [_payments_off_the_ledger(), _homeless_transfers(), _accounts_off()]
    return [*off, *probing_shares.shares()]


def _payments_off_the_ledger() -> Select[str]:
    amount, kind = LedgerTransfer.amount_minor, LedgerTransfer.kind
    released = kind.in_(["refund", "refund_released"])
    posted = (
        select(
            LedgerTransfer.payment_id,
            (_sum(amount, kind.in_(TAKEN)) - _sum(amount, kind.in_(TAKEN_BACK))).label("captured"),
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
    needs_none = or_(probing_points.is_about_points(), probing_shares.is_about_shares())
    return select(told).where(not_(or_(known, needs_none)))


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
        *_beside_the_payments(),
        *probing_points.expected_balances(),
        *probing_shares.expected_balances(),
    ).subquery()
    return _summed(parts)


def _beside_the_payments() -> list[Select[Any]]:
    """What gateways hold and no payment has taken: all that arrived, less what was captured of it
    and what was given back; and what was approved too late.
    """
    amount, currency = Deposit.amount_minor, Deposit.currency
    has_deposits = select(Deposit.id).where(Deposit.attempt_id == Attempt.id).exists()
    captured = (
        select(Attempt.gateway_name, -Payment.captured_minor, Payment.currency)
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(Attempt.status == AttemptStatus.SUCCEEDED.value, has_deposits)
    )
    returned = select(Refund.gateway_name, -Refund.amount_minor, Refund.currency).where(
        Refund.unmatched_id.is_not(None), Refund.status == RefundStatus.SUCCEEDED.value
    )
    late = select(
        UnmatchedMoney.gateway_name, UnmatchedMoney.amount_minor, UnmatchedMoney.currency
    ).where(
        UnmatchedMoney.deposit_id.is_(None),
        UnmatchedMoney.status != UnmatchedStatus.ACCEPTED.value,
    )
    arrived = select(
        Deposit.gateway_name.label("gateway_name"),
        amount.label("minor"),
        currency.label("currency"),
    )
    beside = union_all(arrived, captured, returned, late).subquery()
    clearing = func.concat(gateway_clearing(""), beside.c.gateway_name, type_=Text())
    return [
        select(clearing, beside.c.currency, beside.c.minor),
        select(literal(UNMATCHED), beside.c.currency, -beside.c.minor),
    ]


def _summed(parts: FromClause) -> FromClause:
    account, currency = parts.c.account, parts.c.currency
    total = func.sum(parts.c.minor).label("minor")
    return select(account, currency, total).group_by(account, currency).subquery()
