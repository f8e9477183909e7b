"""Requesting: write down what is to be collected; workers move the money later."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, update

from opsapp.gateways.registry import all_gateways, gateway_named
from opsapp.gateways.values import Flow
from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.payments import closing, jobs, queries, rules
from opsapp.payments.errors import NotRetryable
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.paying import Payer, find_payers
from opsapp.payments.states import ATTEMPT, PAYMENT, AttemptStatus, PaymentStatus
from opsapp.settings import current

_UNDER_WAY = (PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT)


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What is wanted: (subject_type, subject_id, leg, period_index) is collected once, ever.

    Without a registered method the customer pays once, by `method_kind`, at a gateway that takes
    it now.
    """

    subject_type: str
    subject_id: int
    customer_id: int
    payment_method_id: int | None
    title: str
    amount: Money
    period_index: int = 0
    leg: str = "main"
    method_kind: str | None = None
    bank: str | None = None  # of a virtual account, if the customer has a wish
    asked_from: log.Origin | None = None  # another request than the one that writes

    @property
    def key(self) -> tuple[str, int, str, int]:
        return self.subject_type, self.subject_id, self.leg, self.period_index


@dataclass(frozen=True, slots=True)
class Again:
    """Another try at a payment that has failed, with a registered method, at a planned time."""

    payment_id: int
    subject_id: int
    payment_method_id: int
    due_at: datetime


@within_transaction
def request_payments(
    orders: Sequence[PaymentOrder], *, by: Actor, hurry: bool = False
) -> dict[tuple[str, int, str, int], int]:
    """One payment with a first attempt per order; returns the ids of the new ones by key.

    An order whose key is collected already is left out. `hurry`: a person is waiting for it.
    """
    if not orders:
        return {}
    payers = find_payers(orders)
    now = clock.now()
    rows = [_payment(order, payer, now) for order, payer in zip(orders, payers, strict=True)]
    written = bulk_insert(
        Payment,
        rows,
        returning=("id", "subject_type", "subject_id", "leg", "period_index"),
        or_nothing=True,
    )
    made = {tuple(row[1:]): row[0] for row in written}
    attempts = [
        _attempt(made[order.key], order, payer, due_at=now, by=by)
        for order, payer in zip(orders, payers, strict=True)
        if order.key in made
    ]
    written = bulk_insert(Attempt, attempts, returning=("id", "gateway_name", "status"))
    log.record_many([_requested(order, made) for order in orders if order.key in made], by=by)
    if hurry:
        hasten(written)
    return made


@within_transaction
def request_another_attempt(
    payment_id: int,
    *,
    payment_method_id: int | None = None,
    method_kind: str | None = None,
    bank: str | None = None,
    not_these: frozenset[str] = frozenset(),
    due_at: datetime,
    by: Actor,
    hurry: bool = False,
) -> int:
    """A retry is a new attempt with a new order id and key; the database allows one at a time.

    By a registered method, or once more by `method_kind` at a gateway that is none of `not_these`.
    Raises NotRetryable unless the payment has failed, and NoRoute.
    """
    payment = queries.lock_payment(payment_id)
    if not PAYMENT.allows(payment.status, PaymentStatus.PENDING):
        raise NotRetryable(status=payment.status)
    order = _order_again(payment, payment_method_id, method_kind, bank)
    [payer] = find_payers([order], not_these=not_these)
    number = queries.count_attempts(payment_id) + 1
    because = f"attempt {number} planned"
    PAYMENT.move(payment, PaymentStatus.PENDING, because=because, by=by)
    payment.gateway_name, payment.method_kind = payer.gateway_name, payer.method_kind
    row = _attempt(payment_id, order, payer, due_at=due_at, by=by, number=number)
    written = bulk_insert(Attempt, [row], returning=("id", "gateway_name", "status"))
    if hurry:
        hasten(written)
    return int(written[0].id)


@within_transaction
def request_other_attempts(wishes: Sequence[Again], *, by: Actor) -> int:
    """The same for many by their methods; returns how many. What has not failed is left out.

    Raises NoRoute.
    """
    if not wishes:
        return 0
    payments = {
        row.id: row
        for row in queries.lock_payments([wish.payment_id for wish in wishes])
        if PAYMENT.allows(row.status, PaymentStatus.PENDING)
    }
    wishes = [wish for wish in wishes if wish.payment_id in payments]
    orders = [_order_again(payments[w.payment_id], w.payment_method_id, None) for w in wishes]
    payers = find_payers(orders)
    numbers = queries.count_attempts_of(list(payments))
    moves, rows = [], []
    for wish, order, payer in zip(wishes, orders, payers, strict=True):
        row, number = payments[wish.payment_id], numbers[wish.payment_id] + 1
        also = {"gateway_name": payer.gateway_name, "method_kind": payer.method_kind}
        because = f"attempt {number} planned"
        moves.append(RowMove(row.id, row.status, PaymentStatus.PENDING, because, also=also))
        rows.append(_attempt(row.id, order, payer, due_at=wish.due_at, by=by, number=number))
    PAYMENT.move_many(Payment, moves, by=by)
    bulk_insert(Attempt, rows)
    return len(rows)


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
    for payment_id in sorted(withdrawn):
        payment = payments[payment_id]
        order = _order_again(payment, payment_method_id, None)
        _plan_in_place(payment, order, due_at=due_at, by=by)
    return len(withdrawn)


@within_transaction
def replace_window(
    payment: Payment, *, method_kind: str, bank: str | None = None, by: Actor
) -> None:
    """Give up the window that is open and plan another way; the payment is locked.

    Only where no money moves before our confirm. Raises NotRetryable, NoRoute.
    """
    because = "another way to pay was chosen"
    if not _withdraw_unsent([payment.id], because=because, by=by):
        raise NotRetryable(status=payment.status)
    order = _order_again(payment, None, method_kind, bank)
    hasten(_plan_in_place(payment, order, due_at=clock.now(), by=by))


@within_transaction
def withdraw(payment_ids: Iterable[int], *, because: str, by: Actor) -> int:
    """Take back what was never sent, and give up what has failed; returns attempts withdrawn.

    A virtual account is closed at the gateway. Any other attempt that may be there goes on to its
    certain end.
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
    accounts = [
        row.id
        for row in payments.values()
        if row.method_kind == queries.VIRTUAL_ACCOUNT and row.status in _UNDER_WAY
    ]
    closing.close_accounts(accounts, because=because, by=by)
    return len(free)


@within_transaction
def put_down(payment_ids: Iterable[int], *, because: str, by: Actor) -> int:
    """Take back the next try of what has failed before, which stays owed; returns how many.

    A try that may be at the gateway goes on to its certain end.
    """
    payments = {row.id: row for row in queries.lock_payments(list(payment_ids))}
    free = _withdraw_unsent(list(payments), because=because, by=by)
    moves = [
        RowMove(row.id, row.status, PaymentStatus.FAILED, because)
        for row in payments.values()
        if row.id in free and row.status == PaymentStatus.PENDING
    ]
    return len(PAYMENT.move_many(Payment, moves, by=by))


@within_transaction
def hasten(attempts: Sequence[Any]) -> None:
    """A person is waiting: (id, gateway_name, status) that are ready go out with the commit."""
    by_gateway: dict[str, list[int]] = defaultdict(list)
    for row in attempts:
        if row.status == AttemptStatus.READY:
            by_gateway[row.gateway_name].append(row.id)
    for gateway_name, attempt_ids in by_gateway.items():
        jobs.EXECUTE_ATTEMPTS.enqueue(lane=gateway_name, attempt_ids=attempt_ids)
    ready = [attempt_id for ids in by_gateway.values() for attempt_id in ids]
    if ready:
        hinted = update(Attempt).where(Attempt.id.in_(ready))
        db.session.execute(hinted.values(hinted_at=func.clock_timestamp()))


def request_context(idempotency_key: str) -> str:
    """Where the stored request stands; kernel.crypto opens it under no other."""
    return f"attempts.request|{idempotency_key}"


def _plan_in_place(
    payment: Payment, order: PaymentOrder, *, due_at: datetime, by: Actor
) -> list[Any]:
    """The next attempt of a payment whose last one was withdrawn."""
    [payer] = find_payers([order])
    payment.gateway_name, payment.method_kind = payer.gateway_name, payer.method_kind
    number = queries.count_attempts(payment.id) + 1
    row = _attempt(payment.id, order, payer, due_at=due_at, by=by, number=number)
    return bulk_insert(Attempt, [row], returning=("id", "gateway_name", "status"))


def _withdraw_unsent(payment_ids: Sequence[int], *, because: str, by: Actor) -> set[int]:
    """The payments whose planned attempt is taken back: each has one at most."""
    harmless = [g.name for g in all_gateways() if g.capabilities.confirms_on_return]
    attempts = queries.lock_unsent_attempts(payment_ids, harmless=harmless)
    moves = [
        RowMove(a.id, a.status, AttemptStatus.WITHDRAWN, because, also={"ended_at": a.now})
        for a in attempts
    ]
    withdrawn = ATTEMPT.move_many(Attempt, moves, by=by)
    return {a.payment_id for a in attempts if a.id in withdrawn}


def _order_again(
    payment: Payment,
    payment_method_id: int | None,
    method_kind: str | None,
    bank: str | None = None,
) -> PaymentOrder:
    return PaymentOrder(
        payment.subject_type,
        payment.subject_id,
        payment.customer_id,
        payment_method_id,
        payment.title,
        payment.amount,
        method_kind=method_kind,
        bank=bank,
    )


def _payment(order: PaymentOrder, payer: Payer, now: datetime) -> dict[str, Any]:
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
        "gateway_name": payer.gateway_name,
        "method_kind": payer.method_kind,
        "requested_at": now,
    }


def _attempt(
    payment_id: int,
    order: PaymentOrder,
    payer: Payer,
    *,
    due_at: datetime,
    by: Actor,
    number: int = 1,
) -> dict[str, Any]:
    order_id = new_ref(current().order_id_prefix)
    idempotency_key = new_ref("pay")
    at_window = payer.flow is Flow.WINDOW
    body = b""  # of a window: fixed when the customer comes back
    if not at_window:
        body = gateway_named(payer.gateway_name).charge_body(payer.charge(order, order_id))
    return {
        "payment_id": payment_id,
        "number": number,
        "payment_method_id": order.payment_method_id,
        "gateway_name": payer.gateway_name,
        "method_kind": payer.method_kind,
        "flow": payer.flow.value,
        "gateway_order_id": order_id,
        "idempotency_key": idempotency_key,
        "request_sealed": seal(body.decode(), context=request_context(idempotency_key)),
        "status": (AttemptStatus.AT_WINDOW if at_window else ATTEMPT.start).value,
        "requested_by": str(by),
        "due_at": due_at + rules.WINDOW_LIFE if at_window else due_at,
    }


def _requested(order: PaymentOrder, made: dict[tuple[Any, ...], int]) -> log.Entry:
    return log.Entry(
        action="payment.requested",
        subject_type="payment",
        subject_id=made[order.key],
        because=f"{order.subject_type} {order.subject_id}, period {order.period_index}",
        to_state=PAYMENT.start.value,
        detail={"amount_minor": order.amount.minor, "currency": order.amount.currency},
        asked_from=order.asked_from,
    )
