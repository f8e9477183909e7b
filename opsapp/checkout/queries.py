from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, or_, select

from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CheckoutStatus
from opsapp.kernel.db import as_array, db, is_among, locked
from opsapp.kernel.errors import NotFound
from opsapp.orders.models import Order, OrderLeg
from opsapp.orders.queries import OrderPicture, get_picture
from opsapp.orders.states import LegStatus
from opsapp.payments.models import Attempt, Payment


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a link has come: its order, or nothing yet."""

    checkout: Checkout
    order: OrderPicture | None


def get_checkout(checkout_id: int) -> Checkout:
    """Raises NotFound."""
    found = db.session.get(Checkout, checkout_id, populate_existing=True)
    if found is None:
        raise NotFound(noun="payment link", id=checkout_id)
    return found


def get_progress(checkout_id: int) -> Progress:
    """Raises NotFound."""
    checkout = get_checkout(checkout_id)
    order_id = checkout.order_id
    return Progress(checkout, None if order_id is None else get_picture(order_id))


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
        .join(OrderLeg, OrderLeg.payment_id == Payment.id)
        .join(Checkout, Checkout.order_id == OrderLeg.order_id)
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


def lock_settled(order_ids: Sequence[int]) -> list[Checkout]:
    """Links of these orders, not over yet, of which something is paid and nothing is owed."""
    theirs = exists().where(OrderLeg.order_id == Checkout.order_id)
    wanted = select(Checkout).where(
        Checkout.order_id.in_(order_ids),
        Checkout.status != CheckoutStatus.PAID.value,
        ~theirs.where(OrderLeg.status == LegStatus.OPEN.value),
        theirs.where(OrderLeg.status == LegStatus.PAID.value),
    )
    return list(db.session.scalars(locked(wanted.order_by(Checkout.id))))


def is_ref_taken(order_ref: str) -> bool:
    """By another link, or by an order that was placed without one."""
    linked = exists().where(Checkout.order_ref == order_ref)
    placed = exists().where(Order.order_ref == order_ref)
    return bool(db.session.scalar(select(or_(linked, placed))))


def list_refs_of_links(order_refs: Sequence[str]) -> list[str]:
    """Those of them that a link is for."""
    theirs = select(Checkout.order_ref).where(is_among(Checkout.order_ref, "refs"))
    return list(db.session.scalars(theirs, {"refs": as_array(order_refs)}))


def list_overdue(*, limit: int) -> list[int]:
    """Open links whose time is over."""
    overdue = select(Checkout.id).where(
        Checkout.status == CheckoutStatus.OPEN.value, Checkout.expires_at <= func.ops_now()
    )
    return list(db.session.scalars(overdue.order_by(Checkout.id).limit(limit)))


def list_of_customer(customer_id: int) -> list[Checkout]:
    theirs = select(Checkout).where(Checkout.customer_id == customer_id)
    return list(db.session.scalars(theirs.order_by(Checkout.id.desc())))
