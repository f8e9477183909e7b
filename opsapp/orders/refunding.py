"""Refunding a leg: money first, up to what is left of it, then points."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel import log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import (
    bulk_insert,
    bulk_update,
    owns_transactions,
    transaction,
    within_transaction,
)
from opsapp.kernel.errors import Invalid
from opsapp.kernel.events import announce
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.orders import finding_refunds, queries
from opsapp.orders.events import LineReturned, OrderRefunded
from opsapp.orders.models import OrderLeg, OrderLine, OrderRefund, OrderRefundLine
from opsapp.orders.spreading import LineRefund
from opsapp.orders.weighing import Held, RefundPreview, lock_held, preview, read_held, weigh
from opsapp.payments import refunding
from opsapp.payments.errors import BeingAsked, RefundableChanged
from opsapp.payments.inquiring import look_first
from opsapp.payments.planning_refunds import RefundPlan, preview_refund
from opsapp.payments.states import REFUND_REVOCABLE
from opsapp.points import restoring

__all__ = ["OrderRefundWish", "RefundPreview", "preview", "request", "request_or_look"]


@dataclass(frozen=True, slots=True)
class OrderRefundWish:
    """What a person asks for. `request_id` comes with the form: the same one refunds once.

    `seen_refundable_minor` is what the screen showed of the leg, money and points together. Where
    the way of paying needs a bank account, the customer is asked for it. `is_by_hand`: a person
    of ours ordered it, so that the money policy counts.
    """

    request_id: str
    amount: Money
    line_id: int | None
    reason: str
    seen_refundable_minor: int
    is_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class OrderRefundPlan:
    """What `request` would do: how the amount falls, and the steps of its money part, if any."""

    falls: RefundPreview
    money: RefundPlan | None

    @property
    def points_follow(self) -> bool:
        return self.money is not None and self.money.starts_as in REFUND_REVOCABLE


def plan(leg_id: int, wish: OrderRefundWish, *, by: Actor) -> OrderRefundPlan:
    """Reads only. Raises as `request` does, except for a form that was used."""
    _require_readable(wish)
    held = read_held(leg_id)
    if wish.seen_refundable_minor != held.refundable_minor:
        raise RefundableChanged(refundable=held.refundable_minor, seen=wish.seen_refundable_minor)
    falls = weigh(held, wish.amount, wish.line_id)
    if held.payment is None or not falls.money.minor:
        return OrderRefundPlan(falls, None)
    in_money = _in_money(new_ref("ore"), falls, held, wish)
    return OrderRefundPlan(falls, preview_refund(held.payment.id, in_money, by=by))


@within_transaction
def request(leg_id: int, wish: OrderRefundWish, *, by: Actor) -> int:
    """Give part of a leg back; returns the order refund's id.

    Points are back at once, or with the money where that can still be taken back.

    Raises Invalid, NotFound, NotRefundable, RefundTooLarge, RefundableChanged, RefundUnderWay,
    OnlyWhole, RefundMonthOver, BeingAsked, NeedsDecision.
    """
    _require_readable(wish)
    held = lock_held(leg_id)
    if (known := finding_refunds.find_by_request(wish.request_id)) is not None:
        return _as_before(known, leg_id, wish)
    if wish.seen_refundable_minor != held.refundable_minor:
        raise RefundableChanged(refundable=held.refundable_minor, seen=wish.seen_refundable_minor)
    planned = weigh(held, wish.amount, wish.line_id)
    ref, refund_id = new_ref("ore"), None
    if held.payment is not None and planned.money.minor:
        # Under a number of its own: the form's may stand for a refund of the payment alone.
        in_money = _in_money(ref, planned, held, wish)
        refund_id = refunding.request_refund(held.payment.id, in_money, by=by)
    follows = wish.is_by_hand and finding_refunds.is_revocable(refund_id)
    written_id = _write(held, wish, planned, ref, refund_id, follows=follows, by=by)
    if held.reservation is not None and planned.points and not follows:
        restoring.restore(
            held.reservation.id,
            planned.points,
            request_id=f"order-refund-{written_id}",
            because=wish.reason.strip(),
            by=by,
        )
        _tell_of_points(held.leg, planned, written_id, held.reservation.customer_id)
    return written_id


@owns_transactions
def request_or_look(leg_id: int, wish: OrderRefundWish, *, by: Actor) -> int:
    """As request; what is uncertain about the payment is asked at once before refusing."""
    try:
        with transaction():
            return request(leg_id, wish, by=by)
    except BeingAsked:
        with transaction():
            payment_id = queries.get_leg(leg_id).payment_id
            if payment_id is not None:
                look_first(payment_id)
        raise


def _in_money(
    ref: str, falls: RefundPreview, held: Held, wish: OrderRefundWish
) -> refunding.RefundWish:
    return refunding.RefundWish(
        ref,
        falls.money,
        held.money_minor,
        wish.reason,
        is_by_hand=wish.is_by_hand,
        whole=wish.amount,
    )


def _require_readable(wish: OrderRefundWish) -> None:
    """Points alone go back by no gateway that would ask the same."""
    if not wish.reason.strip():
        raise Invalid(field="reason", reason="Say why; it is sent to the gateway as written.")
    if len(wish.reason) > refunding.REASON_LENGTH_MAX:
        raise Invalid(field="reason", reason=f"At most {refunding.REASON_LENGTH_MAX} characters.")
    if not 8 <= len(wish.request_id) <= 100:
        raise Invalid(field="request_id", reason="Open the form again.")


def _as_before(known: OrderRefund, leg_id: int, wish: OrderRefundWish) -> int:
    same = (known.leg_id, known.line_id, known.amount_minor)
    if same != (leg_id, wish.line_id, wish.amount.minor):
        raise Invalid(field="request_id", reason=refunding.FORM_USED)
    return known.id


def _write(
    held: Held,
    wish: OrderRefundWish,
    planned: RefundPreview,
    ref: str,
    refund_id: int | None,
    *,
    follows: bool,
    by: Actor,
) -> int:
    row = {
        "ref": ref,
        "request_id": wish.request_id,
        "order_id": held.leg.order_id,
        "leg_id": held.leg.id,
        "line_id": wish.line_id,
        "amount_minor": wish.amount.minor,
        "money_minor": planned.money.minor,
        "points": planned.points,
        "points_follow": follows,
        "refund_id": refund_id,
        "reason": wish.reason.strip(),
        "requested_by": str(by),
    }
    written = bulk_insert(OrderRefund, [row], returning=("id",), or_nothing=True)
    if not written:
        raise Invalid(field="request_id", reason=refunding.FORM_USED)
    written_id = int(written[0].id)
    write_parts(held.lines, [(written_id, part) for part in planned.lines])
    log.record(
        log.Entry(
            "order.refund_requested",
            "order",
            held.leg.order_id,
            because=wish.reason.strip(),
            detail={
                "order_refund_id": written_id,
                "leg_id": held.leg.id,
                "money_minor": planned.money.minor,
                "points": planned.points,
            },
        ),
        by=by,
    )
    return written_id


@within_transaction
def write_parts(lines: Sequence[OrderLine], parts: Sequence[tuple[int, LineRefund]]) -> None:
    """By order refund: what falls on each line, taken off what is left of the (locked) lines."""
    bulk_insert(
        OrderRefundLine,
        [
            {
                "order_refund_id": order_refund_id,
                "line_id": part.line_id,
                "money_minor": part.money_minor,
                "points": part.points,
            }
            for order_refund_id, part in parts
        ],
    )
    more: dict[int, int] = {}
    for _, part in parts:
        more[part.line_id] = more.get(part.line_id, 0) + part.minor
    bulk_update(
        OrderLine,
        [
            {"id": line.id, "returned_minor": line.returned_minor + more[line.id]}
            for line in lines
            if line.id in more
        ],
    )


def _tell_of_points(
    leg: OrderLeg, planned: RefundPreview, order_refund_id: int, customer_id: int
) -> None:
    told = OrderRefunded(
        order_refund_id=order_refund_id,
        order_id=leg.order_id,
        leg_id=leg.id,
        customer_id=customer_id,
        refund_id=None,
        money_minor=0,
        points=planned.points,
        currency=leg.currency,
        lines=tuple(LineReturned(p.line_id, p.points) for p in planned.lines if p.points),
    )
    announce(told)
