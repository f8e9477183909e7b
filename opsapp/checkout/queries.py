from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CheckoutStatus
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.payments.models import Attempt, Payment


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the payment of a link has come: payment and latest attempt, or nothing yet."""

    checkout: Checkout
    payment: Payment | None
    attempt: Any | None


def get_checkout(checkout_id: int) -> Checkout:
    """Raises NotFound."""
    found = db.session.get(Checkout, checkout_id, populate_existing=True)
    if found is None:
        raise NotFound(noun="payment link", id=checkout_id)
    return found


def get_progress(checkout_id: int) -> Progress:
    """Raises NotFound."""
    checkout = get_checkout(checkout_id)
    if checkout.payment_id is None:
        return Progress(checkout, None, None)
    payment = db.session.get_one(Payment, checkout.payment_id, populate_existing=True)
    latest = (
        select(Attempt)
        .where(Attempt.payment_id == payment.id)
        .order_by(Attempt.number.desc())
        .limit(1)
    )
    return Progress(checkout, payment, db.session.scalar(latest))


def find_window(
    checkout_id: int, gateway_order_id: str | None, gateway_key: str | None
) -> Any | None:
    """The attempt of this link's payment that goes by that name: its number and currency."""
    if gateway_order_id is None and gateway_key is None:
        return None
    is_named = (
        Attempt.gateway_order_id == gateway_order_id
        if gateway_order_id is not None
        else Attempt.gateway_key == gateway_key
    )
    return db.session.execute(
        select(Attempt.gateway_order_id, Payment.currency)
        .join(Payment, Payment.id == Attempt.payment_id)
        .join(Checkout, Checkout.payment_id == Payment.id)
        .where(Checkout.id == checkout_id, is_named)
        .limit(1)
    ).one_or_none()


def lock_checkout(checkout_id: int) -> Checkout:
    """Raises NotFound. After the payment, in the house order of locks."""
    wanted = select(Checkout).where(Checkout.id == checkout_id)
    found = db.session.scalar(locked(wanted))
    if found is None:
        raise NotFound(noun="payment link", id=checkout_id)
    return found


def lock_of_payments(payment_ids: Sequence[int]) -> list[Checkout]:
    wanted = select(Checkout).where(
        Checkout.payment_id.in_(payment_ids), Checkout.status != CheckoutStatus.PAID.value
    )
    return list(db.session.scalars(locked(wanted.order_by(Checkout.id))))


def list_overdue(*, limit: int) -> list[int]:
    """Open links whose time is over."""
    overdue = select(Checkout.id).where(
        Checkout.status == CheckoutStatus.OPEN.value, Checkout.expires_at <= func.ops_now()
    )
    return list(db.session.scalars(overdue.order_by(Checkout.id).limit(limit)))


def list_of_customer(customer_id: int) -> list[Checkout]:
    theirs = select(Checkout).where(Checkout.customer_id == customer_id)
    return list(db.session.scalars(theirs.order_by(Checkout.id.desc())))
