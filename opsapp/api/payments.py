"""Payments, refunds, and accounts that a deposit is awaited on."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint

from opsapp.api import access, idempotency
from opsapp.api.access import scoped
from opsapp.api.errors import ScopeMissing
from opsapp.api.paging import listed
from opsapp.api.schemas import (
    AccountList,
    AccountQuery,
    Attempt,
    ExpandQuery,
    NewRefund,
    Payment,
    PaymentList,
    PaymentQuery,
    Refund,
    RefundList,
    RefundQuery,
    VirtualAccount,
)
from opsapp.insights import serving_payments as serving
from opsapp.insights.serving_payments import PaymentFilter
from opsapp.kernel.money import Money
from opsapp.payments import queries, refunding
from opsapp.payments.refunding import RefundWish
from opsapp.programs import installing
from opsapp.programs.rules import Scope

routes = Blueprint("payments", __name__)


@routes.get("/payments")
@scoped(Scope.PAYMENTS_READ, "listPayments", query=PaymentQuery, answers=PaymentList)
def list_payments(query: PaymentQuery) -> PaymentList:
    """The newest first; `expand` adds what belongs to each."""
    wish = PaymentFilter(query.customer, query.order, query.status or "")
    page = serving.list_payments(wish, cursor=query.cursor, size=query.limit)
    told = iter(_payments(page.rows, query.expand))
    return PaymentList(**listed(page, lambda _row: next(told)))


@routes.get("/payments/<payment_id>")
@scoped(Scope.PAYMENTS_READ, "getPayment", query=ExpandQuery, answers=Payment)
def show_payment(payment_id: str, query: ExpandQuery) -> Payment:
    """One payment."""
    return _payments([serving.get_payment(payment_id)], query.expand)[0]


@routes.post("/refunds")
@scoped(Scope.REFUNDS_WRITE, "createRefund", body=NewRefund, answers=Refund, status=201)
def create_refund(body: NewRefund) -> Refund:
    """Give money of a payment back, whole or in part.

    It is asked for at the gateway within seconds; read it again until it has ended. What belongs
    to an order is refunded there, so that points and sellers follow.
    """
    payment = queries.lock_payment(serving.get_payment(body.payment).id)
    seen = body.seen_refundable
    wish = RefundWish(
        request_id=f"{access.key().ref}:{idempotency.digest()}",
        amount=Money(body.amount, payment.currency),
        seen_refundable_minor=payment.refundable.minor if seen is None else seen,
        reason=body.reason,
    )
    refund_id = refunding.request_refund(payment.id, wish, by=access.current_actor())
    return refund_of(serving.get_refund_by_id(refund_id))


@routes.get("/refunds")
@scoped(Scope.REFUNDS_READ, "listRefunds", query=RefundQuery, answers=RefundList)
def list_refunds(query: RefundQuery) -> RefundList:
    """The newest first."""
    page = serving.list_refunds(query.payment, cursor=query.cursor, size=query.limit)
    return RefundList(**listed(page, refund_of))


@routes.get("/refunds/<refund_id>")
@scoped(Scope.REFUNDS_READ, "getRefund", answers=Refund)
def show_refund(refund_id: str) -> Refund:
    """One refund."""
    return refund_of(serving.get_refund(refund_id))


@routes.get("/virtual-accounts")
@scoped(Scope.PAYMENTS_READ, "listVirtualAccounts", query=AccountQuery, answers=AccountList)
def list_accounts(query: AccountQuery) -> AccountList:
    """Accounts that customers are to pay into, the newest first. Numbers are masked."""
    page = serving.list_accounts(query.customer, cursor=query.cursor, size=query.limit)
    return AccountList(**listed(page, lambda row: _account(row, whole=None)))


@routes.get("/virtual-accounts/<payment_id>")
@scoped(Scope.PAYMENTS_READ, "getVirtualAccount", answers=VirtualAccount)
def show_account(payment_id: str) -> VirtualAccount:
    """The account of one payment, its number whole with the scope customers:read."""
    row = serving.get_account(payment_id)
    whole = serving.find_number(row) if access.may(Scope.CUSTOMERS_READ) else None
    return _account(row, whole=whole)


def refund_of(row: Any) -> Refund:
    return Refund(
        livemode=installing.is_live(),
        id=row.ref,
        payment=row.payment_ref,
        amount=row.amount_minor,
        currency=row.currency,
        status=row.status,
        reason=row.reason,
        requested_at=row.requested_at,
        ended_at=row.ended_at,
    )


def _payments(rows: Sequence[Any], expand: Sequence[str]) -> list[Payment]:
    """Two further reads at most, however many there are. Raises ScopeMissing."""
    if "refunds" in expand and not access.may(Scope.REFUNDS_READ):
        raise ScopeMissing(scope=Scope.REFUNDS_READ.value)
    ids = [row.id for row in rows]
    attempts = serving.list_attempts(ids) if "attempts" in expand else None
    refunds = serving.list_refunds_of(ids) if "refunds" in expand else None
    return [
        Payment(
            livemode=installing.is_live(),
            id=row.ref,
            customer=row.customer_ref,
            title=row.title,
            amount=row.amount_minor,
            currency=row.currency,
            captured=row.captured_minor,
            refunded=row.refunded_minor,
            refund_pending=row.refund_pending_minor,
            refundable=row.captured_minor - row.refunded_minor - row.refund_pending_minor,
            status=row.status,
            gateway=row.gateway_name,
            method_kind=row.method_kind,
            failure_code=row.failure_code,
            failure_class=row.failure_class,
            order=row.order_ref,
            subscription=row.subscription_ref,
            period_index=row.period_index if row.subscription_ref else None,
            requested_at=row.requested_at,
            paid_at=row.paid_at,
            attempts=None if attempts is None else [_attempt(a) for a in attempts[row.id]],
            refunds=None if refunds is None else [refund_of(r) for r in refunds[row.id]],
        )
        for row in rows
    ]


def _attempt(attempt: Any) -> Attempt:
    return Attempt(
        number=attempt.number,
        status=attempt.status,
        gateway=attempt.gateway_name,
        method_kind=attempt.method_kind,
        failure_code=attempt.failure_code,
        failure_class=attempt.failure_class,
        first_sent_at=attempt.first_sent_at,
        ended_at=attempt.ended_at,
    )


def _account(row: Any, *, whole: str | None) -> VirtualAccount:
    shown = row.account or {}
    return VirtualAccount(
        livemode=installing.is_live(),
        payment=row.ref,
        customer=row.customer_ref,
        amount=row.amount_minor,
        deposited=int(row.deposited_minor),
        currency=row.currency,
        bank=str(shown.get("bank", "")),
        number=whole or str(shown.get("number", "")),
        due_at=row.deposit_due_at,
    )
