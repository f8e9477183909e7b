"""Following refunds: the money part of an order's refund was given back, or came to nothing.

What was given back on the payment itself, or in the gateway's own console, becomes a refund of
its order here, spread over the lines.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.orders import finding_refunds, queries
from opsapp.orders.events import LineReturned, OrderRefunded
from opsapp.orders.models import OrderLeg, OrderLine, OrderRefund
from opsapp.orders.refunding import write_parts
from opsapp.orders.spreading import LineRefund, spread
from opsapp.payments.events import RefundFact, RefundsMade, RefundsReleased
from opsapp.points import queries as points, restoring

BY = Actor("worker", "orders.following_refunds")


@within_transaction
def on_refunds_made(event: RefundsMade) -> None:
    """Payments are locked already: each refund is told by exactly one transaction."""
    facts = {fact.refund_id: fact for fact in event.refunds if fact.unmatched_id is None}
    known = {row.refund_id for row in finding_refunds.list_by_refunds(list(facts))}
    _adopt([fact for fact in facts.values() if fact.refund_id not in known])
    rows = finding_refunds.list_by_refunds(list(facts))
    parts = _parts_of(rows)
    # Accounts of points are locked before whoever hears of it locks anything.
    restored = _restore_points([row for row in rows if row.points_follow and row.points], facts)
    for row in rows:
        fact = facts[row.refund_id or 0]
        announce(_as_told(row, fact, parts[row.id]))
        if row.id in restored:
            announce(_points_told(row, fact, parts[row.id]))


@within_transaction
def on_refunds_released(event: RefundsReleased) -> None:
    """Nothing was given back: the lines have it again. Points that went back stay back."""
    rows = finding_refunds.list_by_refunds([fact.refund_id for fact in event.refunds])
    parts = _parts_of(rows)
    less: dict[int, int] = defaultdict(int)
    follow = {row.id for row in rows if row.points_follow}
    for row_id, part in ((row_id, part) for row_id, own in parts.items() for part in own):
        less[part.line_id] += part.money_minor + (part.points if row_id in follow else 0)
    lines = finding_refunds.lock_lines([row.leg_id for row in rows])
    bulk_update(
        OrderLine,
        [
            {"id": line.id, "returned_minor": line.returned_minor - less[line.id]}
            for line in lines
            if line.id in less
        ],
    )


def _restore_points(rows: Sequence[OrderRefund], facts: Mapping[int, RefundFact]) -> frozenset[int]:
    """The points that waited for their money; which rows'. One order's at a time: few wait."""
    if not rows:
        return frozenset()
    legs = finding_refunds.list_legs([row.leg_id for row in rows])
    points.lock_accounts(sorted({facts[row.refund_id or 0].customer_id for row in rows}))
    kept_ids = [leg.reservation_id for leg in legs.values() if leg.reservation_id is not None]
    kept = points.list_reservations(kept_ids)
    restored = set()
    for row in rows:
        reservation = kept.get(legs[row.leg_id].reservation_id or 0)
        # What the gateway gave back is never refused for the sake of points.
        left = reservation.points - reservation.restored if reservation is not None else 0
        if reservation is None or not (back := min(row.points, left)):
            continue
        request_id = f"order-refund-{row.id}"
        restoring.restore(reservation.id, back, request_id=request_id, because=row.reason, by=BY)
        restored.add(row.id)
    return frozenset(restored)


def _points_told(
    refund: OrderRefund, fact: RefundFact, parts: Sequence[LineRefund]
) -> OrderRefunded:
    return OrderRefunded(
        order_refund_id=refund.id,
        order_id=refund.order_id,
        leg_id=refund.leg_id,
        customer_id=fact.customer_id,
        refund_id=None,
        money_minor=0,
        points=refund.points,
        currency=fact.currency,
        lines=tuple(LineReturned(p.line_id, p.points) for p in parts if p.points),
    )


def _adopt(facts: Sequence[RefundFact]) -> None:
    legs = {
        leg.payment_id: leg
        for leg in queries.lock_legs_of_payments([fact.payment_id for fact in facts])
    }
    wanted = [fact for fact in facts if fact.payment_id in legs]
    if not wanted:
        return
    lines = finding_refunds.lock_lines([leg.id for leg in legs.values()])
    wishes = finding_refunds.list_wishes([fact.refund_id for fact in wanted])
    rows = [_row(fact, legs[fact.payment_id], wishes[fact.refund_id]) for fact in wanted]
    written = bulk_insert(OrderRefund, rows, returning=("id", "refund_id"))
    ids = {row.refund_id: row.id for row in written}
    left = {line.id: line.amount_minor - line.returned_minor for line in lines}
    parts: list[tuple[int, LineRefund]] = []
    for fact in wanted:
        leg_id = legs[fact.payment_id].id
        own = {line.id: left[line.id] for line in lines if line.leg_id == leg_id}
        # The money is gone: it is written down even where no line has room for it.
        for part in spread(min(fact.amount_minor, sum(own.values())), own):
            left[part.line_id] -= part.minor
            parts.append((ids[fact.refund_id], part))
    write_parts(lines, parts)


def _row(fact: RefundFact, leg: OrderLeg, wish: Any) -> dict[str, Any]:
    ref = new_ref("ore")
    return {
        "ref": ref,
        "request_id": ref,  # nobody can have used it for a form
        "order_id": leg.order_id,
        "leg_id": leg.id,
        "line_id": None,
        "amount_minor": fact.amount_minor,
        "money_minor": fact.amount_minor,
        "points": 0,
        "refund_id": fact.refund_id,
        "reason": wish.reason,
        "requested_by": wish.requested_by,
        "requested_at": wish.requested_at,
    }


def _parts_of(rows: Sequence[OrderRefund]) -> dict[int, list[LineRefund]]:
    parts: dict[int, list[LineRefund]] = defaultdict(list)
    for part in finding_refunds.list_parts([row.id for row in rows]):
        own = LineRefund(part.line_id, part.money_minor, part.points)
        parts[part.order_refund_id].append(own)
    return parts


def _as_told(refund: OrderRefund, fact: RefundFact, parts: Sequence[LineRefund]) -> OrderRefunded:
    return OrderRefunded(
        order_refund_id=refund.id,
        order_id=refund.order_id,
        leg_id=refund.leg_id,
        customer_id=fact.customer_id,
        refund_id=fact.refund_id,
        money_minor=refund.money_minor,
        points=0,
        currency=fact.currency,
        lines=tuple(LineReturned(p.line_id, p.money_minor) for p in parts if p.money_minor),
    )
