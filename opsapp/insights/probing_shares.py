"""Probes of sellers' shares: against the lines and periods that were paid, and in the books."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    not_,
    or_,
    select,
)

from opsapp.catalog.models import Plan, Seller
from opsapp.insights.probing_money import sentence
from opsapp.ledger.models import LedgerTransfer
from opsapp.ledger.rules import FEE_INCOME, SALES, VAT_PAYABLE, seller_payable
from opsapp.orders.models import OrderLeg, OrderLine, OrderRefund, OrderRefundLine
from opsapp.orders.states import LegStatus
from opsapp.payments.models import Payment, Refund
from opsapp.payments.states import RefundStatus
from opsapp.settlement.models import SellerShare
from opsapp.settlement.sharing import SUBJECT


def shares() -> list[Select[str]]:
    """Part of I5."""
    return [_lines_off(), _periods_off(), _returned_off()]


def is_about_shares() -> ColumnElement[bool]:
    """A transfer that need not name a payment: points alone may have paid for it."""
    return LedgerTransfer.subject_type == SUBJECT


def expected_balances() -> list[Select[Any]]:
    """By account: debits less credits that the shares make."""
    payable = func.concat(seller_payable(""), Seller.ref, type_=Text())
    owed = _in_books(payable, -_net(SellerShare.share_minor))
    return [
        _in_books(literal(SALES), _net(SellerShare.gross_minor)),
        _in_books(literal(FEE_INCOME), -_net(SellerShare.fee_minor)),
        _in_books(literal(VAT_PAYABLE), -_net(SellerShare.vat_minor)),
        owed.join(Seller, Seller.id == SellerShare.seller_id),
    ]


def _in_books(account: Any, minor: Any) -> Select[Any]:
    return select(
        account.label("account"), SellerShare.currency.label("currency"), minor.label("minor")
    )


def _lines_off() -> Select[str]:
    """Every line of a seller, in a leg that is paid: all of it less what was given back."""
    held = _held(SellerShare.line_id)
    back = _given_back()
    is_paid = OrderLeg.status == LegStatus.PAID.value
    due = case((is_paid, OrderLine.amount_minor - func.coalesce(back.c.made_minor, 0)), else_=0)
    shared = func.coalesce(held.c.minor, 0)
    is_sellers = func.coalesce(OrderLine.seller_id, Plan.seller_id).is_not(None)
    told = sentence(
        "order line ", OrderLine.id, ": ", shared, " is shared, ", due, " was paid and kept"
    )
    return (
        select(told)
        .join(OrderLeg, OrderLeg.id == OrderLine.leg_id)
        .outerjoin(Plan, Plan.id == OrderLine.plan_id)
        .outerjoin(held, held.c.of == OrderLine.id)
        .outerjoin(back, back.c.line_id == OrderLine.id)
        .where(or_(is_sellers, held.c.minor != 0), shared != due)
    )


def _periods_off() -> Select[str]:
    """What was shared of a payment without a line is what is left of the payment."""
    held = _held(SellerShare.payment_id, SellerShare.line_id.is_(None))
    due = Payment.captured_minor - Payment.refunded_minor
    told = sentence("payment ", Payment.id, ": ", held.c.minor, " is shared, ", due, " is kept")
    return select(told).join(held, held.c.of == Payment.id).where(held.c.minor != due)


def _returned_off() -> Select[str]:
    """A line says what was given back of it, or is on its way: all but what was refused."""
    back = _given_back()
    known = func.coalesce(back.c.asked_minor, 0)
    told = sentence(
        "order line ", OrderLine.id, ": ", OrderLine.returned_minor, " given back, refunds say ",
        known,
    )  # fmt: skip
    return (
        select(told)
        .outerjoin(back, back.c.line_id == OrderLine.id)
        .where(OrderLine.returned_minor != known)
    )


def _net(amount: Any) -> ColumnElement[int]:
    return case((SellerShare.kind == "sale", amount), else_=-amount)


def _held(of: Any, *where: ColumnElement[bool]) -> FromClause:
    """What stands of the shares, before fees."""
    minor = func.sum(_net(SellerShare.gross_minor)).label("minor")
    return select(of.label("of"), minor).where(of.is_not(None), *where).group_by(of).subquery()


def _given_back() -> FromClause:
    """By line: what has gone back, and what was asked for and not refused."""
    money, points = OrderRefundLine.money_minor, OrderRefundLine.points
    is_made = Refund.status == RefundStatus.SUCCEEDED.value
    is_refused = Refund.status.in_([RefundStatus.REFUSED.value, RefundStatus.WITHDRAWN.value])
    made_points = case((and_(OrderRefund.points_follow, not_(is_made)), 0), else_=points)
    asked_points = case((and_(OrderRefund.points_follow, is_refused), 0), else_=points)
    return (
        select(
            OrderRefundLine.line_id,
            func.sum(made_points + case((is_made, money), else_=0)).label("made_minor"),
            func.sum(asked_points + case((is_refused, 0), else_=money)).label("asked_minor"),
        )
        .join(OrderRefund, OrderRefund.id == OrderRefundLine.order_refund_id)
        .outerjoin(Refund, Refund.id == OrderRefund.refund_id)
        .group_by(OrderRefundLine.line_id)
        .subquery()
    )
