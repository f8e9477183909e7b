"""Comparing: the gateway's own books against ours, order by order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import FromClause, func, select

from opsapp.gateways import registry
from opsapp.gateways.base import GatewayAway
from opsapp.gateways.values import GatewayTransaction, WebhookMessage
from opsapp.kernel.db import db, owns_transactions, transaction, within_transaction
from opsapp.kernel.turns import ask
from opsapp.payments import jobs, queries, receiving
from opsapp.payments.errors import BooksUnread
from opsapp.payments.models import Attempt, Deposit, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import OPEN, REFUND_ENDED, AttemptStatus, RefundStatus
from opsapp.settings import current

DIFFER = "BOOKS_DIFFER"  # an event of our own beside those of the vendors
LATEST = timedelta(days=3)
_CLOCK_DRIFT = timedelta(days=1)


@dataclass(slots=True)
class GatewayDifferences:
    """Each entry names an order at the gateway and says in words what differs."""

    compared: int = 0
    missing_here: list[str] = field(default_factory=list)
    missing_there: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    amounts: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OwnBooks:
    """What we hold to be true of one order at the gateway."""

    captured_minor: int
    captures: int  # more than one only of an account whose deposit was taken back
    refunded_minor: int
    is_open: bool
    has_open_refund: bool


@dataclass(slots=True)
class _Seen:
    captures: list[int] = field(default_factory=list)
    refunded: int = 0


@owns_transactions
def compare_with_gateway() -> GatewayDifferences:
    """Every approval and cancel of the time we have been sending. Raises BooksUnread.

    Attempts that are still open are left out: they are known to be uncertain.
    """
    differences = GatewayDifferences()
    for gateway in registry.all_gateways():
        with transaction():
            span = queries.find_sending_span(gateway.name)
        if span is None:
            continue
        since, until = span[0] - _CLOCK_DRIFT, span[1] + _CLOCK_DRIFT
        try:
            transactions = ask(
                partial(gateway.list_transactions, since, until), connected=gateway.connected
            )
        except GatewayAway as error:
            raise BooksUnread(gateway=gateway.name, reason=error) from error
        theirs = _by_order(transactions)
        with transaction():
            ours = _read_own_books(gateway.name)
        _compare(theirs, ours, differences)
    return differences


@within_transaction
def order_looks() -> None:
    """Each gateway's latest books are read by a worker of its own."""
    for gateway in registry.all_gateways():
        jobs.LOOK_INTO_LATEST.enqueue(lane=gateway.name, gateway_name=gateway.name)


@owns_transactions
def look_into_latest(gateway_name: str) -> int:
    """Ask about orders of the last days of which the gateway's books say something else.

    What neither an answer nor a message nor an inquiry has told is found here. Returns how many
    orders. Raises BooksUnread: tomorrow's look covers today's days too.
    """
    gateway = registry.gateway_named(gateway_name)
    with transaction():
        now = queries.read_real_time()
    question = partial(gateway.list_transactions, now - LATEST, now + _CLOCK_DRIFT)
    try:
        theirs = _by_order(ask(question, connected=gateway.connected))
    except GatewayAway as error:
        raise BooksUnread(gateway=gateway_name, reason=error) from error
    with transaction():
        ours = _read_own_books(gateway_name, only=list(theirs))
        differing = [order for order, own in ours.items() if _says_more(theirs[order], own)]
        for order_id in differing:
            receiving.receive(gateway_name, _message(order_id, now), b"{}")
    return len(differing)


def _says_more(seen: _Seen, own: OwnBooks) -> bool:
    """Captures older than the days that were read are not among theirs."""
    if own.is_open:
        return False
    is_captured = not seen.captures or sum(seen.captures) == own.captured_minor
    return not is_captured or (seen.refunded > own.refunded_minor and not own.has_open_refund)


def _message(gateway_order_id: str, now: datetime) -> WebhookMessage:
    """Once a day for an order; handled as a vendor's message is."""
    return WebhookMessage(
        delivery_id=f"books.{gateway_order_id}.{now:%Y%m%d}",
        event_type=DIFFER,
        gateway_order_id=gateway_order_id,
        gateway_key=None,
        said_status=None,
        is_signed=True,  # by nobody but ourselves
    )


def _by_order(transactions: Iterable[GatewayTransaction]) -> dict[str, _Seen]:
    seen: dict[str, _Seen] = defaultdict(_Seen)
    prefix = f"{current().order_id_prefix}_"
    for each in transactions:
        if not each.gateway_order_id.startswith(prefix):
            continue  # another installation of the same merchant
        order = seen[each.gateway_order_id]
        if each.amount.minor >= 0:
            order.captures.append(each.amount.minor)
        else:
            order.refunded -= each.amount.minor
    return seen


def _compare(
    theirs: dict[str, _Seen], ours: dict[str, OwnBooks], differences: GatewayDifferences
) -> None:
    differences.compared += len(theirs.keys() | ours.keys())
    for order_id, seen in theirs.items():
        own = ours.get(order_id)
        if own is not None and own.is_open:
            continue
        if own is None or (seen.captures and not own.captured_minor):
            differences.missing_here.append(f"{order_id}: {sum(seen.captures)} taken, not booked")
            continue
        if len(seen.captures) > own.captures:
            differences.doubled.append(f"{order_id}: taken {len(seen.captures)} times")
        if sum(seen.captures) != own.captured_minor:
            differences.amounts.append(
                f"{order_id}: {sum(seen.captures)} there, {own.captured_minor} here"
            )
        if seen.refunded != own.refunded_minor and not own.has_open_refund:
            differences.refunds.append(
                f"{order_id}: {seen.refunded} given back there, {own.refunded_minor} here"
            )
    for order_id, own in ours.items():
        if own.captured_minor and order_id not in theirs:
            differences.missing_there.append(f"{order_id}: {own.captured_minor} booked, not taken")


def _read_own_books(gateway_name: str, *, only: Sequence[str] | None = None) -> dict[str, OwnBooks]:
    """By gateway order id, for every attempt that was ever sent or shown at a window.

    Of a virtual account: what arrived, and what went back or was taken back by the bank. Part of
    an amount stands in no gateway's books until it goes back.
    """
    refunded, arrived, late = _refunds_by_attempt(), _deposits_by_attempt(), _late_approvals()
    wanted = (
        select(
            Attempt.gateway_order_id,
            Attempt.status,
            Payment.amount_minor,
            func.coalesce(refunded.c.minor, 0).label("refunded_minor"),
            func.coalesce(refunded.c.is_open, False).label("has_open_refund"),
            arrived.c.rows.label("deposits"),
            arrived.c.minor.label("deposited_minor"),
            func.coalesce(arrived.c.back_minor, 0).label("back_minor"),
            late.c.amount_minor.label("late_minor"),
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .outerjoin(refunded, refunded.c.attempt_id == Attempt.id)
        .outerjoin(arrived, arrived.c.attempt_id == Attempt.id)
        .outerjoin(late, late.c.attempt_id == Attempt.id)
        .where(Attempt.gateway_name == gateway_name, queries.may_have_moved_money())
    )
    if only is not None:
        wanted = wanted.where(Attempt.gateway_order_id.in_(only))
    uncertain = {status.value for status in OPEN} | {AttemptStatus.NEEDS_HUMAN.value}
    return {
        row.gateway_order_id: OwnBooks(
            captured_minor=_captured(row),
            captures=row.deposits or 1,
            refunded_minor=int(row.refunded_minor + (row.back_minor if _is_approved(row) else 0)),
            is_open=row.status in uncertain,
            has_open_refund=row.has_open_refund,
        )
        for row in db.session.execute(wanted)
    }


def _is_approved(row: Any) -> bool:
    """Part of an amount is no approval: the gateway's books have nothing of it."""
    return not row.deposits or row.deposited_minor >= row.amount_minor


def _captured(row: Any) -> int:
    if row.deposits:
        return int(row.deposited_minor) if _is_approved(row) else 0
    return row.amount_minor if row.status == AttemptStatus.SUCCEEDED else row.late_minor or 0


def _refunds_by_attempt() -> FromClause:
    ended = [status.value for status in REFUND_ENDED]
    given_back = Refund.status == RefundStatus.SUCCEEDED.value
    return (
        select(
            Refund.attempt_id,
            func.sum(Refund.amount_minor).filter(given_back).label("minor"),
            func.bool_or(Refund.status.not_in(ended)).label("is_open"),
        )
        .group_by(Refund.attempt_id)
        .subquery()
    )


def _deposits_by_attempt() -> FromClause:
    amount = Deposit.amount_minor
    return (
        select(
            Deposit.attempt_id,
            func.count().filter(amount > 0).label("rows"),
            func.sum(amount).filter(amount > 0).label("minor"),
            (-func.sum(amount).filter(amount < 0)).label("back_minor"),
        )
        .group_by(Deposit.attempt_id)
        .subquery()
    )


def _late_approvals() -> FromClause:
    cases = select(UnmatchedMoney.attempt_id, UnmatchedMoney.amount_minor)
    return cases.where(UnmatchedMoney.deposit_id.is_(None)).subquery()
