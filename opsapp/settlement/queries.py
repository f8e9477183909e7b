from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import aliased

from opsapp.catalog.models import Plan, Seller
from opsapp.kernel.db import as_array, db, is_among
from opsapp.orders.models import OrderLeg, OrderLine
from opsapp.settlement.models import SellerShare
from opsapp.settlement.rules import NOTHING, Parts
from opsapp.subscriptions.models import Subscription, SubscriptionChange


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale as it stands: what it was, and what of it was taken back."""

    id: int
    seller_id: int
    seller_ref: str
    line_id: int | None
    payment_id: int | None
    currency: str
    parts: Parts
    undone: Parts

    @property
    def left(self) -> Parts:
        return self.parts - self.undone


def list_sold_lines(leg_ids: Sequence[int]) -> list[Any]:
    """Lines of these legs that belong to a seller, with the fee of now.

    Of a leg that is paid once more, without what has gone back already.
    """
    if not leg_ids:
        return []
    kept = OrderLine.amount_minor - OrderLine.returned_minor
    wanted = (
        select(
            OrderLine.id,
            OrderLine.leg_id,
            kept.label("amount_minor"),
            Seller.id.label("seller_id"),
            Seller.ref.label("seller_ref"),
            Seller.fee_bp,
        )
        .outerjoin(Plan, Plan.id == OrderLine.plan_id)
        .join(Seller, Seller.id == func.coalesce(OrderLine.seller_id, Plan.seller_id))
        .where(OrderLine.leg_id.in_(leg_ids), kept > 0)
        .order_by(OrderLine.id)
    )
    return list(db.session.execute(wanted))


def list_sold_periods(subscription_ids: Sequence[int], payment_ids: Sequence[int]) -> list[Any]:
    """Those of the subscriptions whose plan belongs to a seller; `leg_payment_id` is one of the
    payments if an order's leg is paid by it, where its line speaks for the seller.

    One statement of a fixed text, however many: a billing run asks it for each batch.
    """
    parameters = {"ids": as_array(subscription_ids), "payments": as_array(payment_ids)}
    return list(db.session.execute(_sold_periods(), parameters))


@cache
def _sold_periods() -> Select[*tuple[Any, ...]]:
    in_order = (
        select(func.array_agg(OrderLeg.payment_id))
        .where(
            OrderLeg.subscription_id == Subscription.id, is_among(OrderLeg.payment_id, "payments")
        )
        .correlate(Subscription)
        .scalar_subquery()
    )
    return (
        select(
            Subscription.id,
            Plan.seller_id,
            Seller.ref.label("seller_ref"),
            Seller.fee_bp,
            in_order.label("leg_payments"),
        )
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(Seller, Seller.id == Plan.seller_id)
        .where(is_among(Subscription.id, "ids"))
    )


def list_changed(change_ids: Sequence[int]) -> dict[int, int]:
    """The subscription of each change."""
    if not change_ids:
        return {}
    wanted = select(SubscriptionChange.id, SubscriptionChange.subscription_id)
    rows = db.session.execute(wanted.where(SubscriptionChange.id.in_(change_ids)))
    return {row.id: row.subscription_id for row in rows}


def list_sales_of_lines(line_ids: Sequence[int]) -> list[Sale]:
    """The latest first."""
    return _sales(SellerShare.line_id.in_(line_ids)) if line_ids else []


def list_sales_of_legs(leg_ids: Sequence[int]) -> list[Sale]:
    """The latest first."""
    if not leg_ids:
        return []
    lines = select(OrderLine.id).where(OrderLine.leg_id.in_(leg_ids))
    return _sales(SellerShare.line_id.in_(lines))


def list_sales_of_payments(payment_ids: Sequence[int]) -> list[Sale]:
    """Of periods, which have no line of an order. The latest first."""
    if not payment_ids:
        return []
    return _sales(SellerShare.payment_id.in_(payment_ids), SellerShare.line_id.is_(None))


def list_of_order(order_id: int) -> list[Any]:
    """(SellerShare, seller's name) in the order they were written."""
    wanted = (
        select(SellerShare, Seller.name)
        .join(Seller, Seller.id == SellerShare.seller_id)
        .join(OrderLine, OrderLine.id == SellerShare.line_id)
        .where(OrderLine.order_id == order_id)
        .order_by(SellerShare.id)
    )
    return list(db.session.execute(wanted))


def list_of_payment(payment_id: int) -> list[Any]:
    """(SellerShare, seller's name) in the order they were written."""
    wanted = (
        select(SellerShare, Seller.name)
        .join(Seller, Seller.id == SellerShare.seller_id)
        .where(SellerShare.payment_id == payment_id)
        .order_by(SellerShare.id)
    )
    return list(db.session.execute(wanted))


def sum_by_seller(seller_id: int | None = None) -> dict[tuple[int, str], tuple[int, int]]:
    """(sold, owed) in minor units by seller and currency: what is left after reversals."""
    sign = case((SellerShare.kind == "sale", 1), else_=-1)
    sums = select(
        SellerShare.seller_id,
        SellerShare.currency,
        func.sum(sign * SellerShare.gross_minor).label("gross"),
        func.sum(sign * SellerShare.share_minor).label("share"),
    ).group_by(SellerShare.seller_id, SellerShare.currency)
    if seller_id is not None:
        sums = sums.where(SellerShare.seller_id == seller_id)
    rows = db.session.execute(sums)
    return {(row.seller_id, row.currency): (int(row.gross), int(row.share)) for row in rows}


def _sales(*where: Any) -> list[Sale]:
    """With the sums of their reversals."""
    back = aliased(SellerShare)
    undone = (
        select(
            back.reverses_id,
            func.sum(back.gross_minor).label("gross"),
            func.sum(back.fee_minor).label("fee"),
            func.sum(back.vat_minor).label("vat"),
        )
        .where(back.reverses_id == SellerShare.id)
        .group_by(back.reverses_id)
        .lateral()
    )
    wanted = (
        select(SellerShare, Seller.ref, undone.c.gross, undone.c.fee, undone.c.vat)
        .join(Seller, Seller.id == SellerShare.seller_id)
        .outerjoin(undone, undone.c.reverses_id == SellerShare.id)
        .where(SellerShare.kind == "sale", *where)
        .order_by(SellerShare.id.desc())
    )
    return [_sale(row) for row in db.session.execute(wanted)]


def _sale(row: Any) -> Sale:
    share = row.SellerShare
    undone = Parts(int(row.gross), int(row.fee), int(row.vat)) if row.gross else NOTHING
    return Sale(
        id=share.id,
        seller_id=share.seller_id,
        seller_ref=row.ref,
        line_id=share.line_id,
        payment_id=share.payment_id,
        currency=share.currency,
        parts=Parts(share.gross_minor, share.fee_minor, share.vat_minor),
        undone=undone,
    )
