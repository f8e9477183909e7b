"""Weighing a refund: what a leg can still give back, and how an amount falls on it. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.money import Money
from opsapp.orders import finding_refunds, queries
from opsapp.orders.models import OrderLeg, OrderLine
from opsapp.orders.spreading import LineRefund, spread
from opsapp.orders.states import LegStatus
from opsapp.payments import queries as payments
from opsapp.payments.errors import (
    NotRefundable,
    OnlyWhole,
    RefundMonthOver,
    RefundTooLarge,
    RefundUnderWay,
)
from opsapp.payments.inquiring import require_certain
from opsapp.payments.limiting import limits_of
from opsapp.payments.models import Payment
from opsapp.points import queries as points
from opsapp.points.models import PointReservation
from opsapp.points.states import ReservationStatus


@dataclass(frozen=True, slots=True)
class RefundPreview:
    """What a refund would do; the act does exactly this. `..._left` is what is left afterwards."""

    leg_id: int
    line_id: int | None
    amount: Money
    money: Money
    points: int
    lines: tuple[LineRefund, ...]
    money_left: Money
    points_left: int


@dataclass(frozen=True, slots=True)
class Held:
    """A leg with all that its refund touches: read for a preview, locked for the act."""

    leg: OrderLeg
    lines: Sequence[OrderLine]
    payment: Payment | None
    reservation: PointReservation | None

    @property
    def money_minor(self) -> int:
        return self.payment.refundable.minor if self.payment else 0

    @property
    def points(self) -> int:
        kept = self.reservation
        is_spent = kept is not None and kept.status == ReservationStatus.POSTED
        return kept.points - kept.restored if kept is not None and is_spent else 0

    @property
    def refundable_minor(self) -> int:
        return self.money_minor + self.points


def preview(leg_id: int, amount: Money, line_id: int | None = None) -> RefundPreview:
    """Reads only. Raises as `request` does, except about the form."""
    return weigh(read_held(leg_id), amount, line_id)


def read_held(leg_id: int) -> Held:
    leg = queries.get_leg(leg_id)
    payment = finding_refunds.find_payment(leg.payment_id)
    return Held(leg, finding_refunds.list_lines_of_leg(leg_id), payment, _find_reservation(leg))


def left_of_line(leg_id: int, line_id: int) -> int:
    """Minor units of the line that were not given back. Raises NotFound for another leg's."""
    return _left_of(finding_refunds.list_lines_of_leg(leg_id), line_id)[line_id]


def lock_held(leg_id: int) -> Held:
    """The payment before the leg (house order). Raises NotRefundable if the leg changes it now."""
    payment_id = queries.get_leg(leg_id).payment_id
    payment = payments.lock_payment(payment_id) if payment_id is not None else None
    [leg] = queries.lock_legs([leg_id])
    if leg.payment_id != payment_id:
        raise NotRefundable(reason="it is being paid in another way")
    return Held(leg, finding_refunds.lock_lines([leg_id]), payment, _find_reservation(leg))


def _find_reservation(leg: OrderLeg) -> PointReservation | None:
    if leg.reservation_id is None:
        return None
    return points.list_reservations([leg.reservation_id])[leg.reservation_id]


def weigh(held: Held, amount: Money, line_id: int | None) -> RefundPreview:
    leg = held.leg
    if leg.status != LegStatus.PAID:
        raise NotRefundable(reason=f"it is {leg.status}")
    if amount.currency != leg.currency:
        raise Invalid(field="currency", reason=f"The order is in {leg.currency}.")
    if amount.minor <= 0:
        raise Invalid(field="amount", reason="Must be above 0.")
    left = _left_of(held.lines, line_id)
    most = min(held.refundable_minor, sum(left.values()))
    if amount.minor > most:
        _require_ended(held)
        raise RefundTooLarge(field="amount", refundable=most, wished=amount.minor)
    money = min(amount.minor, held.money_minor)
    if held.payment is not None and money:
        _require_money_goes_back(held.payment, money)
    in_points = amount.minor - money
    return RefundPreview(
        leg_id=leg.id,
        line_id=line_id,
        amount=amount,
        money=Money(money, leg.currency),
        points=in_points,
        lines=spread(amount.minor, left, money_minor=money),
        money_left=Money(held.money_minor - money, leg.currency),
        points_left=held.points - in_points,
    )


def _left_of(lines: Sequence[OrderLine], line_id: int | None) -> dict[int, int]:
    """Raises NotFound for a line of another leg."""
    left = {line.id: line.amount_minor - line.returned_minor for line in lines}
    if line_id is None:
        return left
    if line_id not in left:
        raise NotFound(noun="order line", id=line_id)
    return {line_id: left[line_id]}


def _require_ended(held: Held) -> None:
    """What is on its way back is missing from what is left: say so rather than "too large"."""
    if held.payment is None:
        return
    other = payments.find_open_refund(held.payment.id)
    if other is not None:
        raise RefundUnderWay(amount=other.amount_minor, by=other.requested_by)


def _require_money_goes_back(payment: Payment, minor: int) -> None:
    """What payments.refunding would refuse too, so that a preview never promises it."""
    require_certain(payment.id)
    other = payments.find_open_refund(payment.id)
    if other is not None:
        raise RefundUnderWay(amount=other.amount_minor, by=other.requested_by)
    limits = limits_of(payments.get_succeeded_attempt(payment.id), paid_at=payment.paid_at)
    if limits.is_month_over:
        raise RefundMonthOver
    if not limits.in_part and minor != payment.captured_minor:
        raise OnlyWhole(field="amount", refundable=payment.captured_minor)
