"""Finding refunds: reads and locks of what is to be given back, and of what is held for it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ScalarSelect, exists, func, select
from sqlalchemy.orm import aliased

from opsapp.approvals.models import Approval
from opsapp.approvals.states import ApprovalStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money
from opsapp.kernel.turns import is_claimable
from opsapp.payments import queries
from opsapp.payments.models import Attempt, Decision, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import (
    REFUND_ENDED,
    REFUND_OPEN,
    REFUNDABLE,
    AttemptStatus,
    RefundStatus,
    UnmatchedStatus,
)

_ENDED = tuple(status.value for status in REFUND_ENDED)
_REFUNDABLE = [status.value for status in REFUNDABLE]
_HELD = (UnmatchedStatus.OPEN.value, UnmatchedStatus.RETURNING.value)
_UNCERTAIN = (AttemptStatus.UNKNOWN.value, AttemptStatus.NEEDS_HUMAN.value)


def get_refund(refund_id: int) -> Refund:
    """Raises NotFound."""
    found = db.session.get(Refund, refund_id)
    if found is None:
        raise NotFound(noun="refund", id=refund_id)
    return found


def get_payment(payment_id: int) -> Payment:
    """Raises NotFound."""
    found = db.session.get(Payment, payment_id)
    if found is None:
        raise NotFound(noun="payment", id=payment_id)
    return found


def get_attempt(attempt_id: int) -> Attempt:
    return db.session.get_one(Attempt, attempt_id)


def get_unmatched(unmatched_id: int) -> UnmatchedMoney:
    """Raises NotFound."""
    found = db.session.get(UnmatchedMoney, unmatched_id)
    if found is None:
        raise NotFound(noun="case", id=unmatched_id)
    return found


def find_by_request(request_id: str) -> Refund | None:
    return db.session.scalar(select(Refund).where(Refund.request_id == request_id))


def list_refundable(payment_ids: Sequence[int]) -> dict[int, Money]:
    """What is left to be given back of those that have something left."""
    left = Payment.captured_minor - Payment.refunded_minor - Payment.refund_pending_minor
    rows = db.session.execute(
        select(Payment.id, left.label("minor"), Payment.currency).where(
            Payment.id.in_(payment_ids), left > 0, Payment.status.in_(_REFUNDABLE)
        )
    )
    return {row.id: Money(row.minor, row.currency) for row in rows}


def list_refs(payment_ids: Sequence[int]) -> dict[int, str]:
    refs = select(Payment.id, Payment.ref).where(Payment.id.in_(payment_ids))
    return dict(db.session.execute(refs).all())


def find_open_of(attempt_id: int) -> Refund | None:
    """The one that has not ended: the database allows one per attempt."""
    wanted = select(Refund).where(Refund.attempt_id == attempt_id, Refund.status.not_in(_ENDED))
    return db.session.scalar(wanted)


def find_awaiting_account(payment_id: int) -> Refund | None:
    """The oldest of the payment that waits for a bank account."""
    return db.session.scalars(
        select(Refund)
        .where(
            Refund.payment_id == payment_id,
            Refund.status == RefundStatus.AWAITING_ACCOUNT.value,
        )
        .order_by(Refund.id)
        .limit(1)
    ).first()


def find_revocable(payment_id: int) -> Refund | None:
    """Of the payment's own money, held or waiting for a second person."""
    waiting = (RefundStatus.AWAITING_APPROVAL.value, RefundStatus.HELD.value)
    wanted = select(Refund).where(Refund.payment_id == payment_id, Refund.status.in_(waiting))
    return db.session.scalars(wanted.order_by(Refund.id).limit(1)).first()


def sum_given_alone(payment_ids: Sequence[int], *, by: Actor) -> dict[int, int]:
    """Minor units that this person ordered back of each payment without a second person."""
    agreed = exists().where(
        Approval.subject_type == "refund",
        Approval.subject_id == Refund.id,
        Approval.status == ApprovalStatus.APPROVED.value,
        Approval.is_bypass.is_(False),
    )
    alone = (
        select(Refund.payment_id, func.sum(Refund.amount_minor))
        .where(
            Refund.payment_id.in_(payment_ids),
            Refund.requested_by == str(by),
            Refund.status.not_in([RefundStatus.REFUSED.value, RefundStatus.WITHDRAWN.value]),
            ~agreed,
        )
        .group_by(Refund.payment_id)
    )
    return {payment_id: int(minor) for payment_id, minor in db.session.execute(alone)}


def list_uncertain_attempts(payment_id: int) -> list[Any]:
    """Id, status and gateway of those whose money may or may not have moved."""
    wanted = select(Attempt.id, Attempt.status, Attempt.gateway_name).where(
        Attempt.payment_id == payment_id, Attempt.status.in_(_UNCERTAIN)
    )
    return list(db.session.execute(wanted.order_by(Attempt.id)))


def list_uncertain_refunds(payment_id: int) -> list[Any]:
    """Id, status and gateway, the same of refunds."""
    uncertain = (RefundStatus.UNKNOWN.value, RefundStatus.NEEDS_HUMAN.value)
    wanted = select(Refund.id, Refund.status, Refund.gateway_name).where(
        Refund.payment_id == payment_id, Refund.status.in_(uncertain)
    )
    return list(db.session.execute(wanted.order_by(Refund.id)))


def sum_held(attempt_id: int) -> int:
    """What the gateway holds under the attempt's key, as far as we know: its refund lock."""
    own = (
        select(Payment.captured_minor - Payment.refunded_minor)
        .join(Attempt, Attempt.payment_id == Payment.id)
        .where(Attempt.id == attempt_id, Attempt.status == AttemptStatus.SUCCEEDED.value)
    )
    beside = select(func.coalesce(func.sum(UnmatchedMoney.amount_minor), 0)).where(
        UnmatchedMoney.attempt_id == attempt_id, UnmatchedMoney.status.in_(_HELD)
    )
    return int(db.session.scalar(own) or 0) + int(db.session.scalars(beside).one())


def sum_given_back() -> ScalarSelect[int]:
    """What we know to have been given back of a refund's attempt: by us, or over there."""
    done = aliased(Refund)
    return (
        select(func.coalesce(func.sum(done.amount_minor), 0))
        .where(
            done.attempt_id == Refund.attempt_id,
            done.status == RefundStatus.SUCCEEDED.value,
        )
        .correlate(Refund)
        .scalar_subquery()
    )


def lock_refund(refund_id: int) -> Refund:
    """After its payment (house order). Raises NotFound."""
    payment_id = db.session.scalar(select(Refund.payment_id).where(Refund.id == refund_id))
    if payment_id is None:
        raise NotFound(noun="refund", id=refund_id)
    queries.lock_payment(payment_id)
    return db.session.scalars(locked(select(Refund).where(Refund.id == refund_id))).one()


def list_payments_of(refund_ids: Sequence[int]) -> list[int]:
    owners = select(Refund.payment_id).where(Refund.id.in_(refund_ids)).distinct()
    return list(db.session.scalars(owners))


def lock_refunds(refund_ids: Sequence[int]) -> list[Refund]:
    """By ascending id, after their payments."""
    wanted = select(Refund).where(Refund.id.in_(refund_ids)).order_by(Refund.id)
    return list(db.session.scalars(locked(wanted)))


def lock_unmatched(unmatched_id: int) -> UnmatchedMoney:
    """After its payment. Raises NotFound."""
    owner = select(UnmatchedMoney.payment_id).where(UnmatchedMoney.id == unmatched_id)
    payment_id = db.session.scalar(owner)
    if payment_id is None:
        raise NotFound(noun="case", id=unmatched_id)
    queries.lock_payment(payment_id)
    wanted = select(UnmatchedMoney).where(UnmatchedMoney.id == unmatched_id)
    return db.session.scalars(locked(wanted)).one()


def lock_unmatched_of(unmatched_ids: Sequence[int]) -> list[Any]:
    """Id and status by ascending id; their payments are locked already."""
    wanted = (
        select(UnmatchedMoney.id, UnmatchedMoney.status)
        .where(UnmatchedMoney.id.in_(unmatched_ids))
        .order_by(UnmatchedMoney.id)
    )
    return list(db.session.execute(locked(wanted)))


def lock_claimable(refund_ids: Sequence[int]) -> list[Any]:
    """Refunds that nobody holds, with the attempt whose money they give back."""
    claimable = (
        select(
            Refund.id,
            Refund.ref,
            Refund.payment_id,
            Refund.attempt_id,
            Refund.unmatched_id,
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
            Refund.gateway_name,
            Refund.account_sealed,
            func.coalesce(UnmatchedMoney.gateway_key, Attempt.gateway_key).label("gateway_key"),
            Attempt.gateway_order_id,
            Attempt.flow,
            Payment.customer_id,
            sum_given_back().label("given_back_minor"),
            func.clock_timestamp().label("now"),
        )
        .join(Payment, Payment.id == Refund.payment_id)
        .join(Attempt, Attempt.id == Refund.attempt_id)
        .outerjoin(UnmatchedMoney, UnmatchedMoney.id == Refund.unmatched_id)
        .where(
            Refund.id.in_(refund_ids),
            Refund.status.in_([status.value for status in REFUND_OPEN]),
            is_claimable(Refund),
        )
        .order_by(Refund.id)
    )
    return list(db.session.execute(locked(claimable, of=Refund, skip=True)))


def find_decision(request_id: str) -> Decision | None:
    return db.session.scalar(select(Decision).where(Decision.request_id == request_id))


def find_subject(subject_type: str, subject_id: int) -> Any:
    """What an inquiry about an attempt or a refund needs, and our record of it.

    Raises NotFound.
    """
    columns = [
        Attempt.id.label("attempt_id"),
        Attempt.gateway_order_id,
        Attempt.gateway_key,
        Attempt.flow,
        Attempt.method_kind,
        Attempt.gateway_name,
        Payment.id.label("payment_id"),
        Payment.customer_id,
        Payment.status.label("payment_status"),
    ]
    if subject_type == "attempt":
        own = [Attempt.status, Attempt.turns, Attempt.fence, Attempt.failure_code]
        amounts = [Payment.amount_minor, Payment.currency]
        wanted = select(*columns, *own, *amounts, Attempt.id.label("id")).join(
            Payment, Payment.id == Attempt.payment_id
        )
        wanted = wanted.where(Attempt.id == subject_id)
    else:
        own = [Refund.status, Refund.turns, Refund.fence, Refund.failure_code]
        amounts = [Refund.amount_minor, Refund.currency]
        wanted = (
            select(
                *columns, *own, *amounts, Refund.id.label("id"),
                sum_given_back().label("given_back_minor"),
            )
            .join(Refund, Refund.attempt_id == Attempt.id)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(Refund.id == subject_id)
        )  # fmt: skip
    found = db.session.execute(wanted).one_or_none()
    if found is None:
        raise NotFound(noun=subject_type, id=subject_id)
    return found
