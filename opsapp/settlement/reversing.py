"""Reversing: what was given back, or never was there, is taken from the sellers' shares again."""

from collections.abc import Sequence

from opsapp.kernel.db import within_transaction
from opsapp.orders.events import LegsReopened, OrderRefunded
from opsapp.payments.events import DepositsReversed, PaymentsFailed, RefundsMade
from opsapp.settlement import queries, rules
from opsapp.settlement.queries import Sale
from opsapp.settlement.rules import Parts
from opsapp.settlement.sharing import NewShare, write_shares

_REFUND = "refund"
_ORDER_REFUND = "order_refund"


@within_transaction
def on_order_refunded(event: OrderRefunded) -> None:
    """Lines of an order: the points part at once, the money part when it is given back."""
    minor = {line.line_id: line.minor for line in event.lines}
    sales = queries.list_sales_of_lines(list(minor))
    if event.refund_id is not None:
        cause = (_REFUND, event.refund_id)
    else:
        cause = (_ORDER_REFUND, event.order_refund_id)
    wanted = [(sale, minor[sale.line_id], cause) for sale in _standing(sales) if sale.line_id]
    _take_back(wanted)


@within_transaction
def on_refunds_made(event: RefundsMade) -> None:
    """Periods of subscriptions, which are no line of any order."""
    facts = [fact for fact in event.refunds if fact.unmatched_id is None]
    sales = _standing(queries.list_sales_of_payments([fact.payment_id for fact in facts]))
    left = {sale.payment_id: sale for sale in sales}
    _take_back(
        [
            (left[fact.payment_id], fact.amount_minor, (_REFUND, fact.refund_id))
            for fact in facts
            if fact.payment_id in left
        ]
    )


@within_transaction
def on_legs_reopened(event: LegsReopened) -> None:
    _undo(queries.list_sales_of_legs([leg.leg_id for leg in event.legs]))


@within_transaction
def on_deposits_reversed(event: DepositsReversed) -> None:
    _undo(queries.list_sales_of_payments([fact.payment_id for fact in event.payments]))


@within_transaction
def on_payments_failed(event: PaymentsFailed) -> None:
    """An approval that turned out to be none is told as a failure without a code of the gateway:
    only those are looked up, for a billing run has thousands of the others.
    """
    unsaid = [fact.payment_id for fact in event.payments if fact.failure_code is None]
    _undo(queries.list_sales_of_payments(unsaid))


def _standing(sales: Sequence[Sale]) -> list[Sale]:
    return [sale for sale in sales if sale.left.gross_minor > 0]


def _undo(sales: Sequence[Sale]) -> None:
    """All that is left of them."""
    _take_back([(sale, sale.left.gross_minor, ("share", sale.id)) for sale in _standing(sales)])


def _take_back(wanted: Sequence[tuple[Sale, int, tuple[str, int]]]) -> None:
    undone: dict[int, Parts] = {}
    shares = []
    for sale, minor, cause in wanted:
        before = undone.get(sale.id, sale.undone)
        # Money has moved: never refuse to write that down. A probe tells of what is beyond.
        room = sale.parts.gross_minor - before.gross_minor
        if not (taken := min(minor, room)):
            continue
        parts = rules.reverse(sale.parts, before, taken)
        undone[sale.id] = before + parts
        shares.append(
            NewShare(
                "reversal", sale.seller_id, sale.seller_ref, sale.line_id, sale.payment_id, parts,
                sale.currency, *cause, reverses_id=sale.id,
            )
        )  # fmt: skip
    write_shares(shares)
