"""Requesting: write down what is to be collected; workers move the money later."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, update

from opsapp.customers.queries import ChargeKeys, get_charge_keys
from opsapp.gateways.base import ChargeBody
from opsapp.gateways.registry import gateway_named
from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.payments import jobs, queries
from opsapp.payments.errors import NotRetryable
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import ATTEMPT, PAYMENT, AttemptStatus, PaymentStatus
from opsapp.settings import current


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What is wanted: (subject_type, subject_id, leg, period_index) is collected once, ever."""

    subject_type: str
    subject_id: int
    customer_id: int
    payment_method_id: int
    title: str
    amount: Money
    period_index: int = 0
    leg: str = "main"

    @property
    def key(self) -> tuple[str, int, str, int]:
        return self.subject_type, self.subject_id, self.leg, self.period_index


@within_transaction
def request_payments(
    orders: Sequence[PaymentOrder], *, by: Actor, hurry: bool = False
) -> dict[tuple[str, int, str, int], int]:
    """One payment with a first attempt per order; returns the ids of the new ones by key.

    An order whose key is collected already is left out. `hurry`: a person is waiting for it.
    """
    if not orders:
        return {}
    keys = get_charge_keys([order.payment_method_id for order in orders])
    now = clock.now()
    rows = [_payment(order, keys[order.payment_method_id], now) for order in orders]
    written = bulk_insert(
        Payment,
        rows,
        returning=("id", "subject_type", "subject_id", "leg", "period_index"),
        or_nothing=True,
    )
    made = {tuple(row[1:]): row[0] for row in written}
    attempts = [
        _attempt(made[order.key], order, keys[order.payment_method_id], due_at=now, by=by)
        for order in orders
        if order.key in made
    ]
    attempt_ids = [row[0] for row in bulk_insert(Attempt, attempts, returning=("id",))]
    log.record_many([_requested(order, made) for order in orders if order.key in made], by=by)
    if hurry:
        _hurry(attempt_ids)
    return made


@within_transaction
def request_another_attempt(
    payment_id: int,
    *,
    payment_method_id: int,
    due_at: datetime,
    by: Actor,
    hurry: bool = False,
) -> int:
    """A retry is a new attempt with a new order id and key; the database allows one at a time.

    Raises NotRetryable unless the payment has failed.
    """
    payment = queries.lock_payment(payment_id)
    if not PAYMENT.allows(payment.status, PaymentStatus.PENDING):
        raise NotRetryable(status=payment.status)
    number = queries.count_attempts(payment_id) + 1
    because = f"attempt {number} planned"
    PAYMENT.move(payment, PaymentStatus.PENDING, because=because, by=by)
    keys = get_charge_keys([payment_method_id])[payment_method_id]
    payment.gateway_name, payment.method_kind = keys.gateway_name, keys.kind
    order = _order_again(payment, payment_method_id)
    row = _attempt(payment_id, order, keys, due_at=due_at, by=by, number=number)
    [(attempt_id,)] = bulk_insert(Attempt, [row], returning=("id",))
    if hurry:
        _hurry([attempt_id])
    return int(attempt_id)


@within_transaction
def replace_method(
    payment_ids: Iterable[int], *, payment_method_id: int, due_at: datetime, by: Actor
) -> int:
    """Plan with another method what was planned and never sent; returns how many payments.

    An attempt that may be at the gateway goes on to its certain end.
    """
    payments = {row.id: row for row in queries.lock_payments(list(payment_ids))}
    because = "planned again with another payment method"
    withdrawn = _withdraw_unsent(list(payments), because=because, by=by)
    keys = get_charge_keys([payment_method_id])
    for payment_id in sorted(withdrawn):
        payment, method = payments[payment_id], keys[payment_method_id]
        payment.gateway_name, payment.method_kind = method.gateway_name, method.kind
        order = _order_again(payment, payment_method_id)
        number = queries.count_attempts(payment_id) + 1
        row = _attempt(payment_id, order, method, due_at=due_at, by=by, number=number)
        bulk_insert(Attempt, [row])
    return len(withdrawn)


@within_transaction
def withdraw(payment_ids: Iterable[int], *, because: str, by: Actor) -> int:
    """Take back what was never sent, and give up what has failed; returns attempts withdrawn.

    An attempt that may be at the gateway goes on to its certain end.
    """
    payments = {row.id: row for row in queries.lock_payments(list(payment_ids))}
    free = _withdraw_unsent(list(payments), because=because, by=by)
    given_up = [
        RowMove(row.id, row.status, PaymentStatus.CANCELLED, because)
        for row in payments.values()
        if row.status == PaymentStatus.FAILED
        or (row.status == PaymentStatus.PENDING and row.id in free)
    ]
    PAYMENT.move_many(Payment, given_up, by=by)
    return len(free)


def request_context(idempotency_key: str) -> str:
    """Where the stored request stands; kernel.crypto opens it under no other."""
    return f"attempts.request|{idempotency_key}"


def _withdraw_unsent(payment_ids: Sequence[int], *, because: str, by: Actor) -> set[int]:
    """The payments whose planned attempt is taken back: each has one at most."""
    attempts = queries.lock_unsent_attempts(payment_ids)
    moves = [
        RowMove(a.id, a.status, AttemptStatus.WITHDRAWN, because, also={"ended_at": a.now})
        for a in attempts
    ]
    withdrawn = ATTEMPT.move_many(Attempt, moves, by=by)
    return {a.payment_id for a in attempts if a.id in withdrawn}


def _order_again(payment: Payment, payment_method_id: int) -> PaymentOrder:
    return PaymentOrder(
        payment.subject_type,
        payment.subject_id,
        payment.customer_id,
        payment_method_id,
        payment.title,
        payment.amount,
    )


def _payment(order: PaymentOrder, keys: ChargeKeys, now: datetime) -> dict[str, Any]:
    return {
        "ref": new_ref("pay"),
        "subject_type": order.subject_type,
        "subject_id": order.subject_id,
        "leg": order.leg,
        "period_index": order.period_index,
        "customer_id": order.customer_id,
        "title": order.title,
        "amount_minor": order.amount.minor,
        "currency": order.amount.currency,
        "status": PAYMENT.start.value,
        "gateway_name": keys.gateway_name,
        "method_kind": keys.kind,
        "requested_at": now,
    }


def _attempt(
    payment_id: int,
    order: PaymentOrder,
    keys: ChargeKeys,
    *,
    due_at: datetime,
    by: Actor,
    number: int = 1,
) -> dict[str, Any]:
    order_id = new_ref(current().order_id_prefix)
    idempotency_key = new_ref("pay")
    body = gateway_named(keys.gateway_name).charge_body(
        ChargeBody(
            method_kind=keys.kind,
            gateway_order_id=order_id,
            title=order.title,
            amount=order.amount,
            customer_key=keys.customer_key,
            customer_name=keys.customer_name,
        )
    )
    return {
        "payment_id": payment_id,
        "number": number,
        "payment_method_id": order.payment_method_id,
        "gateway_order_id": order_id,
        "idempotency_key": idempotency_key,
        "request_sealed": seal(body.decode(), context=request_context(idempotency_key)),
        "status": ATTEMPT.start.value,
        "requested_by": str(by),
        "due_at": due_at,
    }


def _requested(order: PaymentOrder, made: dict[tuple[Any, ...], int]) -> log.Entry:
    return log.Entry(
        action="payment.requested",
        subject_type="payment",
        subject_id=made[order.key],
        because=f"{order.subject_type} {order.subject_id}, period {order.period_index}",
        to_state=PAYMENT.start.value,
        detail={"amount_minor": order.amount.minor, "currency": order.amount.currency},
    )


def _hurry(attempt_ids: list[int]) -> None:
    db.session.execute(
        update(Attempt).where(Attempt.id.in_(attempt_ids)).values(hinted_at=func.clock_timestamp())
    )
    jobs.EXECUTE_ATTEMPTS.enqueue(attempt_ids=attempt_ids)
