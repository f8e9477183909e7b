"""What the shop's programs read of payments, refunds and accounts that await a deposit."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select

from opsapp.customers.models import Customer
from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.orders.models import Order
from opsapp.payments.models import Attempt, Deposit, Payment, Refund
from opsapp.payments.recording import account_context
from opsapp.payments.states import AttemptStatus
from opsapp.subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    customer_ref: str = ""
    order_ref: str = ""
    status: str = ""


def get_payment(payment_ref: str) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_payments().where(Payment.ref == payment_ref)).first()
    if found is None:
        raise NotFound(noun="payment", id="")
    return found


def list_payments(wish: PaymentFilter, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = _payments()
    if wish.customer_ref:
        statement = statement.where(Customer.customer_ref == wish.customer_ref)
    if wish.order_ref:
        statement = statement.where(Order.order_ref == wish.order_ref)
    if wish.status:
        statement = statement.where(Payment.status == wish.status)
    return page_of(statement, keys=(Payment.requested_at, Payment.id), cursor=cursor, size=size)


def list_by_id(payment_ids: Collection[int]) -> dict[int, Any]:
    rows = db.session.execute(_payments().where(Payment.id.in_(payment_ids)))
    return {row.id: row for row in rows}


def list_attempts(payment_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    attempts = select(Attempt).where(Attempt.payment_id.in_(payment_ids))
    found: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in db.session.scalars(attempts.order_by(Attempt.payment_id, Attempt.number)):
        found[attempt.payment_id].append(attempt)
    return found


def list_refunds_of(payment_ids: Sequence[int]) -> dict[int, list[Any]]:
    refunds = _refunds().where(Refund.payment_id.in_(payment_ids)).order_by(Refund.id)
    found: dict[int, list[Any]] = defaultdict(list)
    for refund in db.session.execute(refunds):
        found[refund.payment_id].append(refund)
    return found


def get_refund(refund_ref: str) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_refunds().where(Refund.ref == refund_ref)).first()
    if found is None:
        raise NotFound(noun="refund", id="")
    return found


def get_refund_by_id(refund_id: int) -> Any:
    return db.session.execute(_refunds().where(Refund.id == refund_id)).one()


def list_refunds(payment_ref: str, *, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = _refunds()
    if payment_ref:
        statement = statement.where(Payment.ref == payment_ref)
    return page_of(statement, keys=(Refund.requested_at, Refund.id), cursor=cursor, size=size)


def list_accounts(customer_ref: str, *, cursor: str | None, size: int) -> Page[Any]:
    """Accounts that a deposit is awaited on, the newest first. Raises BadCursor."""
    statement = _accounts()
    if customer_ref:
        statement = statement.where(Customer.customer_ref == customer_ref)
    return page_of(statement, keys=(Attempt.created_at, Attempt.id), cursor=cursor, size=size)


def get_account(payment_ref: str) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_accounts().where(Payment.ref == payment_ref)).first()
    if found is None:
        raise NotFound(noun="virtual account", id="")
    return found


def find_number(account: Any) -> str | None:
    """The whole number of a row of `list_accounts`; None while it cannot be read."""
    if account.account_sealed is None:
        return None
    try:
        opened = unseal(account.account_sealed, context=account_context(account.idempotency_key))
    except Unreadable:
        return None
    return str(json.loads(opened).get("number") or "") or None


def _payments() -> Select[*tuple[Any, ...]]:
    """With the references of what it is for."""
    of_order = and_(Payment.subject_type == "order", Order.id == Payment.subject_id)
    of_subscription = and_(
        Payment.subject_type == "subscription", Subscription.id == Payment.subject_id
    )
    return (
        select(
            Payment.id,
            Payment.ref,
            Customer.customer_ref,
            Payment.title,
            Payment.amount_minor,
            Payment.currency,
            Payment.captured_minor,
            Payment.refunded_minor,
            Payment.refund_pending_minor,
            Payment.status,
            Payment.gateway_name,
            Payment.method_kind,
            Payment.failure_code,
            Payment.failure_class,
            Payment.period_index,
            Payment.requested_at,
            Payment.paid_at,
            Order.order_ref,
            Subscription.ref.label("subscription_ref"),
        )
        .join(Customer, Customer.id == Payment.customer_id)
        .outerjoin(Order, of_order)
        .outerjoin(Subscription, of_subscription)
    )


def _refunds() -> Select[*tuple[Any, ...]]:
    return select(
        Refund.id,
        Refund.ref,
        Refund.payment_id,
        Payment.ref.label("payment_ref"),
        Refund.amount_minor,
        Refund.currency,
        Refund.status,
        Refund.reason,
        Refund.requested_at,
        Refund.ended_at,
    ).join(Payment, Payment.id == Refund.payment_id)


def _accounts() -> Select[*tuple[Any, ...]]:
    arrived = (
        select(func.coalesce(func.sum(Deposit.amount_minor), 0))
        .where(Deposit.attempt_id == Attempt.id)
        .scalar_subquery()
    )
    return (
        select(
            Attempt.id,
            Attempt.created_at,
            Attempt.account,
            Attempt.account_sealed,
            Attempt.idempotency_key,
            Attempt.deposit_due_at,
            Payment.ref,
            Payment.title,
            Payment.amount_minor,
            Payment.currency,
            Customer.customer_ref,
            Customer.id.label("customer_id"),
            arrived.label("deposited_minor"),
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Attempt.status == AttemptStatus.WAITING.value)
    )
