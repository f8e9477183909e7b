"""Comparing: the gateway's own books against ours, order by order."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from opsapp.gateways import registry
from opsapp.gateways.base import GatewayAway, GatewayTransaction
from opsapp.kernel.db import owns_transactions, transaction
from opsapp.kernel.turns import ask
from opsapp.payments import queries
from opsapp.payments.errors import BooksUnread
from opsapp.payments.queries import OwnBooks
from opsapp.settings import current

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
            ours = queries.read_own_books(gateway.name)
        _compare(theirs, ours, differences)
    return differences


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
        if own is None or not own.captured_minor:
            differences.missing_here.append(f"{order_id}: {sum(seen.captures)} taken, not booked")
            continue
        if len(seen.captures) > 1:
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
