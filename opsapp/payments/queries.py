from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.turns import is_claimable
from opsapp.payments.models import Attempt, GatewayEvent, Payment, Refund
from opsapp.payments.states import OPEN, REFUND_OPEN, AttemptStatus, RefundStatus


@dataclass(frozen=True, slots=True)
class OwnBooks:
    """What we hold to be true of one order at the gateway."""

    captured_minor: int
    refunded_minor: int
    is_open: bool
    has_open_refund: bool


def lock_payment(payment_id: int) -> Payment:
    """Raises NotFound."""
    found = db.session.scalar(locked(select(Payment).where(Payment.id == payment_id)))
    if found is None:
        raise NotFound(noun="payment", id=payment_id)
    return found


def lock_payments(payment_ids: Sequence[int]) -> list[Payment]:
    """By ascending id: the house order of locks within a table."""
    wanted = select(Payment).where(Payment.id.in_(payment_ids)).order_by(Payment.id)
    return list(db.session.scalars(locked(wanted)))


def lock_claimable_attempts(attempt_ids: Sequence[int]) -> list[Any]:
    """Attempts that nobody holds, with what their turn needs of the payment.

    Rows that another worker is just claiming are passed over.
    """
    claimable = (
        select(
            Attempt.id,
            Attempt.payment_id,
            Attempt.number,
            Attempt.payment_method_id,
            Attempt.gateway_order_id,
            Attempt.idempotency_key,
            Attempt.request_sealed,
            Attempt.status,
            Attempt.fence,
            Attempt.turns,
            Attempt.misses,
            Attempt.first_sent_at,
            Attempt.gateway_key,
            Payment.subject_type,
            Payment.subject_id,
            Payment.period_index,
            Payment.customer_id,
            Payment.amount_minor,
            Payment.currency,
            Payment.gateway_name,
            func.clock_timestamp().label("now"),
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            Attempt.id.in_(attempt_ids),
            Attempt.status.in_([status.value for status in OPEN]),
            is_claimable(Attempt),
        )
        .order_by(Attempt.id)
    )
    return list(db.session.execute(locked(claimable, of=Attempt, skip=True)))


def lock_payment_states(payment_ids: Sequence[int]) -> dict[int, Any]:
    """Status and amounts of payments, locked before their attempts (house order)."""
    wanted = (
        select(Payment.id, Payment.status, Payment.captured_minor)
        .where(Payment.id.in_(payment_ids))
        .order_by(Payment.id)
    )
    return {row.id: row for row in db.session.execute(locked(wanted))}


def list_unsent(attempt_ids: Sequence[int]) -> list[Any]:
    """What the attempts are for, of those that have never left the building."""
    return list(
        db.session.execute(
            select(Attempt.payment_id, Payment.subject_type, Payment.subject_id)
            .join(Payment, Payment.id == Attempt.payment_id)
            .where(
                Attempt.id.in_(attempt_ids),
                Attempt.status == AttemptStatus.READY.value,
                Attempt.first_sent_at.is_(None),
            )
        )
    )


def lock_unsent_attempts(payment_ids: Sequence[int]) -> list[Any]:
    """Ready attempts of which nothing has ever left the building."""
    wanted = (
        select(Attempt.id, Attempt.payment_id, Attempt.status, func.ops_now().label("now"))
        .where(
            Attempt.payment_id.in_(payment_ids),
            Attempt.status == AttemptStatus.READY.value,
            Attempt.first_sent_at.is_(None),
        )
        .order_by(Attempt.id)
    )
    return list(db.session.execute(locked(wanted)))


def lock_claimable_refunds(refund_ids: Sequence[int]) -> list[Any]:
    """Refunds that nobody holds, with the approved attempt whose money they give back."""
    claimable = (
        select(
            Refund.id,
            Refund.payment_id,
            Refund.idempotency_key,
            Refund.amount_minor,
            Refund.currency,
            Refund.refundable_before_minor,
            Refund.reason,
            Refund.status,
            Refund.fence,
            Refund.turns,
            Refund.misses,
            Refund.first_sent_at,
            Refund.failure_code,
            Attempt.gateway_key,
            Attempt.gateway_order_id,
            Payment.gateway_name,
            Payment.customer_id,
            Payment.refunded_minor,
            func.clock_timestamp().label("now"),
        )
        .join(Payment, Payment.id == Refund.payment_id)
        .join(
            Attempt,
            (Attempt.payment_id == Refund.payment_id)
            & (Attempt.status == AttemptStatus.SUCCEEDED.value),
        )
        .where(
            Refund.id.in_(refund_ids),
            Refund.status.in_([status.value for status in REFUND_OPEN]),
            is_claimable(Refund),
        )
        .order_by(Refund.id)
    )
    return list(db.session.execute(locked(claimable, of=Refund, skip=True)))


def lock_attempt_status(attempt_id: int) -> str:
    """Held against the turn that may be recording it just now."""
    wanted = select(Attempt.status).where(Attempt.id == attempt_id)
    return db.session.scalars(locked(wanted)).one()


def get_payment_of(attempt_id: int) -> Payment:
    of = select(Payment).join(Attempt, Attempt.payment_id == Payment.id)
    return db.session.scalars(of.where(Attempt.id == attempt_id)).one()


def count_attempts(payment_id: int) -> int:
    return db.session.scalars(select(func.count()).where(Attempt.payment_id == payment_id)).one()


def find_refund_by_request(request_id: str) -> Refund | None:
    return db.session.scalar(select(Refund).where(Refund.request_id == request_id))


def find_open_refund(payment_id: int) -> Refund | None:
    open_statuses = [status.value for status in REFUND_OPEN] + ["needs_human"]
    return db.session.scalar(
        select(Refund).where(Refund.payment_id == payment_id, Refund.status.in_(open_statuses))
    )


def find_attempt_named(*, gateway_order_id: str | None, gateway_key: str | None) -> int | None:
    """The attempt that a gateway's message is about, by our number or by theirs."""
    if gateway_order_id:
        return db.session.scalar(
            select(Attempt.id).where(Attempt.gateway_order_id == gateway_order_id)
        )
    if gateway_key:
        return db.session.scalar(select(Attempt.id).where(Attempt.gateway_key == gateway_key))
    return None


def list_asked_again(attempt_ids: Sequence[int]) -> list[int]:
    """Attempts about which a gateway spoke up after their last turn had begun."""
    return list(
        db.session.scalars(
            select(Attempt.id)
            .join(GatewayEvent, GatewayEvent.attempt_id == Attempt.id)
            .where(Attempt.id.in_(attempt_ids), GatewayEvent.stored_at >= Attempt.last_sent_at)
            .distinct()
        )
    )


def find_sending_span(gateway_name: str) -> tuple[datetime, datetime] | None:
    """First and present moment of sending to a gateway, real time; None if nothing was sent."""
    first = db.session.scalar(
        select(func.min(Attempt.first_sent_at))
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(Payment.gateway_name == gateway_name)
    )
    return None if first is None else (first, db.session.scalars(func.clock_timestamp()).one())


def read_own_books(gateway_name: str) -> dict[str, OwnBooks]:
    """By gateway order id, for every attempt that was ever sent."""
    refunded = (
        select(
            Refund.payment_id,
            func.sum(Refund.amount_minor)
            .filter(Refund.status == RefundStatus.SUCCEEDED.value)
            .label("minor"),
            func.bool_or(
                Refund.status.not_in([RefundStatus.SUCCEEDED.value, RefundStatus.REFUSED.value])
            ).label("is_open"),
        )
        .group_by(Refund.payment_id)
        .subquery()
    )
    rows = db.session.execute(
        select(
            Attempt.gateway_order_id,
            Attempt.status,
            Payment.amount_minor,
            func.coalesce(refunded.c.minor, 0).label("refunded_minor"),
            func.coalesce(refunded.c.is_open, False).label("has_open_refund"),
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .outerjoin(refunded, refunded.c.payment_id == Payment.id)
        .where(Payment.gateway_name == gateway_name, Attempt.first_sent_at.is_not(None))
    )
    uncertain = {status.value for status in OPEN} | {AttemptStatus.NEEDS_HUMAN.value}
    return {
        row.gateway_order_id: OwnBooks(
            captured_minor=row.amount_minor if row.status == AttemptStatus.SUCCEEDED else 0,
            refunded_minor=int(row.refunded_minor) if row.status == AttemptStatus.SUCCEEDED else 0,
            is_open=row.status in uncertain,
            has_open_refund=row.has_open_refund,
        )
        for row in rows
    }
