"""Exporting: everything that is kept about one customer, as JSON for themselves.

Names of tables and columns are none of it: sections and fields are called as the pages call them.
Secrets stay where they are: keys of gateways, tokens, hashes.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select

from opsapp.cash_receipts.models import CashReceipt
from opsapp.catalog.models import Plan
from opsapp.consents import queries as consents
from opsapp.customers.models import Customer, PaymentMethod, PushAddress, ShopperSession
from opsapp.insights.showing_subscriptions import label_of
from opsapp.kernel import clock
from opsapp.kernel.db import db
from opsapp.notifications.models import Notice
from opsapp.orders.models import Order, OrderLine
from opsapp.payments.models import Payment, Refund
from opsapp.points.models import PointEntry
from opsapp.subscriptions.models import Subscription

ROWS_MAX = 20_000  # of a section: the newest; nobody's life with one shop is longer


def export(customer_id: int) -> str:
    """Times in UTC, amounts in the smallest unit of their currency."""
    customer = db.session.get_one(Customer, customer_id)
    told = {
        "made_at": clock.now(),
        "customer": {
            "customer_ref": customer.customer_ref,
            "name": customer.name,
            "email": customer.email,
            "phone": customer.phone,
            "language": customer.locale,
            "known_since": customer.created_at,
        },
        **{name: _rows(statement) for name, statement in _sections(customer_id).items()},
        "payment_methods": _methods(customer_id),
        "agreements": _agreements(customer_id),
    }
    return json.dumps(told, ensure_ascii=False, indent=2, default=_as_text) + "\n"


def _sections(own: int) -> dict[str, Select[*tuple[Any, ...]]]:
    return {
        "subscriptions": select(
            Subscription.ref, Plan.name.label("plan"), Subscription.status, Subscription.quantity,
            Subscription.amount_minor, Subscription.currency, Subscription.interval,
            Subscription.interval_count, Subscription.next_due_at, Subscription.ends_on,
            Subscription.created_at, Subscription.cancelled_on,
        ).join(Plan, Plan.id == Subscription.plan_id)
        .where(Subscription.customer_id == own).order_by(Subscription.id.desc()),
        "orders": select(
            Order.order_ref, Order.title, Order.amount_minor, Order.points, Order.currency,
            Order.placed_at,
        ).where(Order.customer_id == own).order_by(Order.id.desc()),
        "order_lines": select(
            Order.order_ref, OrderLine.number, OrderLine.kind, OrderLine.title,
            OrderLine.quantity, OrderLine.amount_minor, OrderLine.returned_minor,
        ).join(Order, Order.id == OrderLine.order_id)
        .where(Order.customer_id == own).order_by(OrderLine.id.desc()),
        "payments": select(
            Payment.ref, Payment.title, Payment.amount_minor, Payment.refunded_minor,
            Payment.currency, Payment.status, Payment.method_kind, Payment.approval_number,
            Payment.requested_at, Payment.paid_at,
        ).where(Payment.customer_id == own).order_by(Payment.id.desc()),
        "refunds": select(
            Refund.ref, Payment.ref.label("payment"), Refund.amount_minor, Refund.currency,
            Refund.status, Refund.account, Refund.requested_at, Refund.ended_at,
        ).join(Payment, Payment.id == Refund.payment_id)
        .where(Payment.customer_id == own).order_by(Refund.id.desc()),
        "cash_receipts": select(
            CashReceipt.ref, Payment.ref.label("payment"), CashReceipt.kind,
            CashReceipt.registration, CashReceipt.amount_minor, CashReceipt.status,
            CashReceipt.issue_number, CashReceipt.asked_at,
        ).join(Payment, Payment.id == CashReceipt.payment_id)
        .where(CashReceipt.customer_id == own).order_by(CashReceipt.id.desc()),
        "points": select(
            PointEntry.kind, PointEntry.change, PointEntry.available_after, PointEntry.at,
        ).where(PointEntry.customer_id == own).order_by(PointEntry.id.desc()),
        "messages": select(
            Notice.kind, Notice.channel, Notice.status, Notice.created_at, Notice.sent_at,
        ).where(Notice.customer_id == own).order_by(Notice.id.desc()),
        "devices_for_messages": select(
            PushAddress.channel, PushAddress.added_at,
        ).where(PushAddress.customer_id == own).order_by(PushAddress.id.desc()),
        "sign_ins": select(
            ShopperSession.started_at, ShopperSession.seen_at, ShopperSession.ended_at,
        ).where(ShopperSession.customer_id == own).order_by(ShopperSession.id.desc()),
    }  # fmt: skip


def _rows(statement: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(row) for row in db.session.execute(statement.limit(ROWS_MAX)).mappings()]


def _methods(customer_id: int) -> list[dict[str, Any]]:
    own = select(PaymentMethod).where(PaymentMethod.customer_id == customer_id)
    rows: Sequence[PaymentMethod] = db.session.scalars(own.order_by(PaymentMethod.id.desc())).all()
    return [
        {
            "ref": row.ref,
            "kind": row.kind,
            "label": label_of(row.label, row.last4),
            "status": row.status,
            "is_default": row.is_default,
            "expires_on": row.expires_on,
            "registered_at": row.created_at,
        }
        for row in rows
    ]


def _agreements(customer_id: int) -> list[dict[str, Any]]:
    return [
        {
            "kind": consent.kind,
            "version": consent.terms_label,
            "facts": consent.facts,
            "channel": consent.channel,
            "agreed_at": consent.agreed_at,
            "taken_back_at": withdrawal.withdrawn_at if withdrawal else None,
        }
        for consent, _terms, withdrawal in consents.list_of_customer(customer_id)
    ]


def _as_text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
