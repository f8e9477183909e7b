"""Finding refunds of orders: reads and locks of what was given back, and of what is left."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from opsapp.kernel.db import db, locked
from opsapp.orders.models import OrderLeg, OrderLine, OrderRefund, OrderRefundLine
from opsapp.payments.models import Payment, Refund
from opsapp.payments.states import REFUND_REVOCABLE


def list_lines_of_leg(leg_id: int) -> list[OrderLine]:
    lines = select(OrderLine).where(OrderLine.leg_id == leg_id).order_by(OrderLine.id)
    return list(db.session.scalars(lines))


def find_by_request(request_id: str) -> OrderRefund | None:
    return db.session.scalar(select(OrderRefund).where(OrderRefund.request_id == request_id))


def list_of_order(order_id: int) -> list[Any]:
    """(OrderRefund, status of its money part or None), the newest first."""
    wanted = (
        select(OrderRefund, Refund.status)
        .outerjoin(Refund, Refund.id == OrderRefund.refund_id)
        .where(OrderRefund.order_id == order_id)
        .order_by(OrderRefund.id.desc())
    )
    return list(db.session.execute(wanted))


def list_parts(order_refund_ids: Sequence[int]) -> list[OrderRefundLine]:
    if not order_refund_ids:
        return []
    parts = select(OrderRefundLine).where(OrderRefundLine.order_refund_id.in_(order_refund_ids))
    return list(db.session.scalars(parts.order_by(OrderRefundLine.line_id)))


def list_by_refunds(refund_ids: Sequence[int]) -> list[OrderRefund]:
    """Those whose money part these are."""
    if not refund_ids:
        return []
    wanted = select(OrderRefund).where(OrderRefund.refund_id.in_(refund_ids))
    return list(db.session.scalars(wanted.order_by(OrderRefund.id)))


def list_wishes(refund_ids: Sequence[int]) -> dict[int, Any]:
    """Who asked for these refunds of payments, why and when, by refund."""
    asked = select(Refund.id, Refund.reason, Refund.requested_by, Refund.requested_at)
    rows = db.session.execute(asked.where(Refund.id.in_(refund_ids)))
    return {row.id: row for row in rows}


def is_revocable(refund_id: int | None) -> bool:
    """Whether the money part can still be taken back."""
    revocable = [status.value for status in REFUND_REVOCABLE]
    wanted = select(Refund.id).where(Refund.id == refund_id, Refund.status.in_(revocable))
    return refund_id is not None and db.session.scalar(wanted) is not None


def list_legs(leg_ids: Sequence[int]) -> dict[int, OrderLeg]:
    found = db.session.scalars(select(OrderLeg).where(OrderLeg.id.in_(leg_ids)))
    return {leg.id: leg for leg in found}


def find_payment(payment_id: int | None) -> Payment | None:
    return None if payment_id is None else db.session.get(Payment, payment_id)


def lock_lines(leg_ids: Sequence[int]) -> list[OrderLine]:
    """After their legs."""
    if not leg_ids:
        return []
    wanted = select(OrderLine).where(OrderLine.leg_id.in_(leg_ids)).order_by(OrderLine.id)
    return list(db.session.scalars(locked(wanted)))
