"""All that one order's page shows: lines, legs, tenders, shares, refunds, timeline."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_

from opsapp.catalog import queries as catalog
from opsapp.catalog.models import Seller
from opsapp.checkout.models import Checkout
from opsapp.customers.models import Customer
from opsapp.kernel.db import db
from opsapp.kernel.log import AuditEntry
from opsapp.orders import finding_refunds, queries as orders
from opsapp.orders.models import OrderRefund, OrderRefundLine
from opsapp.orders.queries import LegPicture, OrderPicture
from opsapp.points.models import PointReservation
from opsapp.points.queries import list_reservations
from opsapp.settlement import queries as settlement
from opsapp.settlement.models import SellerShare
from opsapp.subscriptions.models import Subscription

TIMELINE_MAX = 200


@dataclass(frozen=True, slots=True)
class OrderPage:
    """`sellers` by id, `subscriptions` by id, `reservations` by id, `parts` by order refund."""

    picture: OrderPicture
    customer: Customer
    link: Checkout | None
    sellers: dict[int, Seller]
    subscriptions: dict[int, Subscription]
    reservations: dict[int, PointReservation]
    shares: list[tuple[SellerShare, str]]
    refunds: list[tuple[OrderRefund, str | None]]
    parts: dict[int, list[OrderRefundLine]]
    timeline: list[AuditEntry]


def get_page(order_id: int) -> OrderPage:
    """Raises NotFound."""
    picture = orders.get_picture(order_id)
    refunds = finding_refunds.list_of_order(order_id)
    parts: dict[int, list[OrderRefundLine]] = {}
    for part in finding_refunds.list_parts([refund.id for refund, _ in refunds]):
        parts.setdefault(part.order_refund_id, []).append(part)
    return OrderPage(
        picture=picture,
        customer=db.session.get_one(Customer, picture.order.customer_id),
        link=db.session.scalar(select(Checkout).where(Checkout.order_id == order_id).limit(1)),
        sellers=catalog.list_sellers_by_id({line.seller_id or 0 for line in picture.lines}),
        subscriptions=_subscriptions(picture),
        reservations=list_reservations([leg.leg.reservation_id or 0 for leg in picture.legs]),
        shares=settlement.list_of_order(order_id),
        refunds=[(refund, status) for refund, status in refunds],
        parts=parts,
        timeline=_timeline(picture, [refund.refund_id for refund, _ in refunds]),
    )


def find_leg(order_id: int, leg_id: int) -> LegPicture | None:
    """A leg of this order and no other."""
    legs = orders.get_picture(order_id).legs
    return next((leg for leg in legs if leg.leg.id == leg_id), None)


def _subscriptions(picture: OrderPicture) -> dict[int, Subscription]:
    ids = [leg.leg.subscription_id for leg in picture.legs if leg.leg.subscription_id]
    if not ids:
        return {}
    wanted = select(Subscription).where(Subscription.id.in_(ids))
    return {row.id: row for row in db.session.scalars(wanted)}


def _timeline(picture: OrderPicture, refund_ids: list[int | None]) -> list[AuditEntry]:
    """What the log says about the order and all that hangs on it, the newest first."""
    legs = [leg.leg for leg in picture.legs]
    subjects: list[tuple[str, Any]] = [("order", picture.order.id)]
    subjects += [("order_leg", leg.id) for leg in legs]
    subjects += [("payment", leg.payment_id) for leg in legs if leg.payment_id]
    subjects += [("subscription", leg.subscription_id) for leg in legs if leg.subscription_id]
    subjects += [("point_reservation", leg.reservation_id) for leg in legs if leg.reservation_id]
    subjects += [("refund", refund_id) for refund_id in refund_ids if refund_id]
    wanted = select(AuditEntry).where(
        tuple_(AuditEntry.subject_type, AuditEntry.subject_id).in_(subjects)
    )
    return list(db.session.scalars(wanted.order_by(AuditEntry.id.desc()).limit(TIMELINE_MAX)))
