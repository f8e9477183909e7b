"""Sellers with what was sold for them and what they are owed; the shares of one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from opsapp.catalog import queries as catalog
from opsapp.catalog.models import Seller
from opsapp.kernel.money import Money
from opsapp.kernel.paging import Page, page_of
from opsapp.orders.models import Order, OrderLine
from opsapp.payments.models import Payment
from opsapp.settlement import queries as settlement
from opsapp.settlement.models import SellerShare

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class Sums:
    """After reversals; nothing was paid out yet."""

    sold: Money
    owed: Money


@dataclass(frozen=True, slots=True)
class SellerLine:
    seller: Seller
    sums: tuple[Sums, ...]  # by currency; empty: nothing was sold


def list_sellers() -> list[SellerLine]:
    sums = settlement.sum_by_seller()
    return [SellerLine(seller, tuple(_sums(sums, seller.id))) for seller in catalog.list_sellers()]


def sum_of(seller_id: int) -> list[Sums]:
    return _sums(settlement.sum_by_seller(seller_id), seller_id)


def list_shares(seller_id: int, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    statement = (
        select(
            SellerShare.id, SellerShare.kind, SellerShare.gross_minor, SellerShare.fee_minor,
            SellerShare.vat_minor, SellerShare.share_minor, SellerShare.currency, SellerShare.at,
            SellerShare.cause_type, SellerShare.payment_id, OrderLine.title, OrderLine.order_id,
            Order.order_ref, Payment.title.label("payment_title"),
        )
        .outerjoin(OrderLine, OrderLine.id == SellerShare.line_id)
        .outerjoin(Order, Order.id == OrderLine.order_id)
        .outerjoin(Payment, Payment.id == SellerShare.payment_id)
        .where(SellerShare.seller_id == seller_id)
    )  # fmt: skip
    return page_of(statement, keys=(SellerShare.at, SellerShare.id), cursor=cursor, size=size)


def _sums(sums: dict[tuple[int, str], tuple[int, int]], seller_id: int) -> list[Sums]:
    return [
        Sums(Money(sold, currency), Money(owed, currency))
        for (of, currency), (sold, owed) in sorted(sums.items())
        if of == seller_id
    ]
