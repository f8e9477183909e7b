"""Probes of orders: each leg against its payment, its lines, and the order that it is part of."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from opsapp.insights.probing_money import SUBSCRIPTION, sentence
from opsapp.orders.models import Order, OrderLeg, OrderLine
from opsapp.orders.states import LegStatus
from opsapp.payments.models import Payment

PAID = LegStatus.PAID.value


def legs() -> list[Select[str]]:
    """Part of I1: paid is what was captured and the points; what is not paid captured nothing."""
    return [_money_off(), _lines_off(), _orders_off()]


def _money_off() -> Select[str]:
    captured = func.coalesce(Payment.captured_minor, 0)
    paid = case((OrderLeg.status == PAID, OrderLeg.amount_minor - OrderLeg.points), else_=0)
    told = sentence(
        "order leg ", OrderLeg.id, " (", OrderLeg.status, "): ", paid, " to be captured, ",
        captured, " is",
    )  # fmt: skip
    is_of_leg = case(
        (
            OrderLeg.kind == SUBSCRIPTION,
            and_(
                Payment.subject_type == SUBSCRIPTION,
                Payment.subject_id == OrderLeg.subscription_id,
                Payment.period_index == 0,
            ),
        ),
        else_=and_(Payment.subject_type == "order", Payment.subject_id == OrderLeg.order_id),
    )
    asked = OrderLeg.amount_minor - OrderLeg.points
    off = or_(
        paid != captured,
        and_(Payment.id.is_(None), asked != 0),
        and_(Payment.id.is_not(None), or_(~is_of_leg, Payment.amount_minor != asked)),
    )
    return select(told).outerjoin(Payment, Payment.id == OrderLeg.payment_id).where(off)


def _lines_off() -> Select[str]:
    lines = _sum_of(OrderLine.amount_minor, OrderLine.leg_id == OrderLeg.id)
    told = sentence("order leg ", OrderLeg.id, ": ", OrderLeg.amount_minor, ", its lines ", lines)
    return select(told).where(lines != OrderLeg.amount_minor)


def _orders_off() -> Select[str]:
    owed = _sum_of(OrderLeg.amount_minor, OrderLeg.order_id == Order.id)
    points = _sum_of(OrderLeg.points, OrderLeg.order_id == Order.id)
    told = sentence(
        "order ", Order.id, ": ", Order.amount_minor, " and ", Order.points, " points, its legs ",
        owed, " and ", points,
    )  # fmt: skip
    return select(told).where(or_(owed != Order.amount_minor, points != Order.points))


def _sum_of(amount: Any, condition: ColumnElement[bool]) -> Any:
    return select(func.coalesce(func.sum(amount), 0)).where(condition).scalar_subquery()
