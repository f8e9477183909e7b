"""Listing: a customer's own payments and messages, page by page, the newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from opsapp.cash_receipts.models import CashReceipt
from opsapp.catalog.models import Plan
from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CheckoutStatus
from opsapp.customers.models import PaymentMethod
from opsapp.insights.showing_subscriptions import label_of
from opsapp.kernel import clock
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.notifications.models import Notice
from opsapp.notifications.states import NoticeStatus
from opsapp.orders.models import Order
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.payments.states import AttemptStatus, RefundStatus
from opsapp.subscriptions.models import Subscription

PAGE_SIZE = 20
# A receipt of these says something at the tax office.
_STANDING = ("issued", "cancelling", "cancelled")

# What nothing was sent of, and nothing may ever come of.
_NOT_SHOWN = [
    status.value
    for status in (
        RefundStatus.AWAITING_APPROVAL,
        RefundStatus.HELD,
        RefundStatus.REFUSED,
        RefundStatus.WITHDRAWN,
    )
]


@dataclass(frozen=True, slots=True)
class OwnPayment:
    """`attempt` is the one that succeeded, or the last; `method` what it was charged to."""

    payment: Payment
    attempt: Attempt | None
    method: str
    receipts: Sequence[CashReceipt]
    refunds: Sequence[Refund]

    @property
    def receipt_url(self) -> str:
        is_paid = self.attempt is not None and self.attempt.status == AttemptStatus.SUCCEEDED
        return (self.attempt.receipt_url or "") if self.attempt is not None and is_paid else ""


def list_payments(customer_id: int, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Raises BadCursor."""
    own = select(
        Payment.id,
        Payment.ref,
        Payment.title,
        Payment.amount_minor,
        Payment.refunded_minor,
        Payment.currency,
        Payment.status,
        Payment.method_kind,
        Payment.requested_at,
        Payment.paid_at,
    ).where(Payment.customer_id == customer_id)
    return page_of(own, keys=(Payment.requested_at, Payment.id), cursor=cursor, size=size)


def get_payment(customer_id: int, ref: str) -> OwnPayment:
    """Raises NotFound."""
    own = select(Payment).where(Payment.ref == ref, Payment.customer_id == customer_id)
    payment = db.session.scalars(own).one_or_none()
    if payment is None:
        raise NotFound(noun="payment", id="")
    last = db.session.execute(
        select(Attempt, PaymentMethod.label, PaymentMethod.last4)
        .outerjoin(PaymentMethod, PaymentMethod.id == Attempt.payment_method_id)
        .where(Attempt.payment_id == payment.id)
        .order_by((Attempt.status == AttemptStatus.SUCCEEDED.value).desc(), Attempt.number.desc())
        .limit(1)
    ).first()
    receipts = select(CashReceipt).where(
        CashReceipt.payment_id == payment.id, CashReceipt.status.in_(_STANDING)
    )
    refunds = select(Refund).where(
        Refund.payment_id == payment.id,
        Refund.unmatched_id.is_(None),
        Refund.status.not_in(_NOT_SHOWN),
    )
    return OwnPayment(
        payment,
        last[0] if last else None,
        label_of(last[1] or "", last[2]) if last else "",
        list(db.session.scalars(receipts.order_by(CashReceipt.id))),
        list(db.session.scalars(refunds.order_by(Refund.id))),
    )


def list_notices(customer_id: int, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """What went out to them. Raises BadCursor."""
    own = select(Notice.id, Notice.kind, Notice.channel, Notice.sent_at, Notice.values).where(
        Notice.customer_id == customer_id, Notice.status == NoticeStatus.SENT.value
    )
    return page_of(own, keys=(Notice.id,), cursor=cursor, size=size)


def list_orders(customer_id: int, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Raises BadCursor."""
    own = select(Order.id).where(Order.customer_id == customer_id)
    return page_of(own, keys=(Order.id,), cursor=cursor, size=size)


def get_order_id(customer_id: int, order_id: int) -> int:
    """Raises NotFound for another's as for nobody's."""
    own = select(Order.id).where(Order.id == order_id, Order.customer_id == customer_id)
    found = db.session.scalars(own).one_or_none()
    if found is None:
        raise NotFound(noun="order", id="")
    return found


def find_open_checkout(order_id: int) -> int | None:
    """By whose page another way to pay is chosen."""
    found = select(Checkout.id).where(
        Checkout.order_id == order_id,
        Checkout.status == CheckoutStatus.OPEN.value,
        Checkout.expires_at > clock.now(),
    )
    return db.session.scalars(found).one_or_none()


def list_plan_names(subscription_ids: Sequence[int | None]) -> dict[int, str]:
    """By subscription."""
    named = select(Subscription.id, Plan.name).join(Plan, Plan.id == Subscription.plan_id)
    ids = {each for each in subscription_ids if each is not None}
    return {row[0]: row[1] for row in db.session.execute(named.where(Subscription.id.in_(ids)))}
