from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from opsapp.customers.models import PaymentMethod
from opsapp.kernel import clock
from opsapp.kernel.db import as_array, db, is_among, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money
from opsapp.orders import rules
from opsapp.orders.models import Order, OrderLeg, OrderLine
from opsapp.orders.rules import LegState, NextStep, OrderState, Standing
from opsapp.orders.states import LegStatus
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.points.models import PointReservation
from opsapp.points.queries import list_reservations
from opsapp.points.states import ReservationStatus

SUBJECT = "order"


def stand_in_line(order_refs: Sequence[str]) -> None:
    """A double click waits here for its first half, and then finds its order."""
    refs = select(func.unnest(cast(sorted(set(order_refs)), ARRAY(Text))).label("ref")).subquery()
    number = func.hashtextextended(refs.c.ref, 0)
    db.session.execute(select(func.pg_advisory_xact_lock(number)))


def list_by_ref(order_refs: Sequence[str]) -> dict[str, Order]:
    rows = db.session.scalars(select(Order).where(Order.order_ref.in_(order_refs)))
    return {order.order_ref: order for order in rows}


def list_by_id(order_ids: Sequence[int]) -> dict[int, Order]:
    rows = db.session.scalars(select(Order).where(Order.id.in_(sorted(set(order_ids)))))
    return {order.id: order for order in rows}


def get_order(order_id: int) -> Order:
    """Raises NotFound."""
    found = db.session.get(Order, order_id)
    if found is None:
        raise NotFound(noun="order", id=order_id)
    return found


@dataclass(frozen=True, slots=True)
class Method:
    """A registered payment method, as far as an order asks."""

    customer_id: int
    status: str
    kind: str
    gateway_name: str


def list_methods(method_ids: Sequence[int]) -> dict[int, Method]:
    rows = db.session.execute(_methods(), {"ids": as_array(method_ids)})
    return {row[0]: Method(*row[1:]) for row in rows}


@cache
def _methods() -> Select[*tuple[Any, ...]]:
    method = PaymentMethod
    columns = (method.id, method.customer_id, method.status, method.kind, method.gateway_name)
    return select(*columns).where(is_among(method.id, "ids"))


def list_lines(order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
    """By order, in their order."""
    theirs = select(OrderLine).where(OrderLine.order_id.in_(order_ids))
    found: dict[int, list[OrderLine]] = defaultdict(list)
    for line in db.session.scalars(theirs.order_by(OrderLine.order_id, OrderLine.number)):
        found[line.order_id].append(line)
    return found


def list_legs(order_ids: Sequence[int]) -> dict[int, list[OrderLeg]]:
    """By order, in their order, as they are now."""
    theirs = select(OrderLeg).where(OrderLeg.order_id.in_(order_ids))
    ordered = theirs.order_by(OrderLeg.order_id, OrderLeg.number)
    found: dict[int, list[OrderLeg]] = defaultdict(list)
    for leg in db.session.scalars(ordered.execution_options(populate_existing=True)):
        found[leg.order_id].append(leg)
    return found


@dataclass(frozen=True, slots=True)
class LegPicture:
    """A leg as people see it. `refundable` is money, `refundable_points` points: each tender has
    its own remaining amount.
    """

    leg: OrderLeg
    state: LegState
    payment: Payment | None
    attempt: Attempt | None  # the latest
    refundable: Money
    refundable_points: int
    next_step: NextStep
    next_at: datetime | None  # when it is tried again


@dataclass(frozen=True, slots=True)
class OrderPicture:
    order: Order
    state: OrderState
    legs: tuple[LegPicture, ...]
    lines: tuple[OrderLine, ...]


def get_picture(order_id: int) -> OrderPicture:
    """Raises NotFound."""
    found = list_pictures([order_id])
    if order_id not in found:
        raise NotFound(noun="order", id=order_id)
    return found[order_id]


def list_pictures(order_ids: Sequence[int]) -> dict[int, OrderPicture]:
    """By order, as everything is now. Three statements, however many there are."""
    standing = _list_standing(order_ids)
    orders = {order.id: order for order, *_ in standing}
    lines, legs = list_lines(order_ids), _leg_pictures(standing)
    return {
        id_: OrderPicture(
            order,
            rules.state_of([leg.state for leg in legs[id_]]),
            tuple(legs[id_]),
            tuple(lines[id_]),
        )
        for id_, order in orders.items()
    }


def list_states(order_ids: Sequence[int]) -> dict[int, OrderState]:
    """How orders stand as a whole, by id; without their lines."""
    legs = _leg_pictures(_list_standing(order_ids)) if order_ids else {}
    return {id_: rules.state_of([leg.state for leg in found]) for id_, found in legs.items()}


def _list_standing(order_ids: Sequence[int]) -> Sequence[Any]:
    """Rows (order, leg, payment, latest attempt); each of the last three may be None."""
    latest = (
        select(Attempt.id)
        .where(Attempt.payment_id == Payment.id)
        .order_by(Attempt.number.desc())
        .limit(1)
        .correlate(Payment)
        .scalar_subquery()
    )
    theirs = (
        select(Order, OrderLeg, Payment, Attempt)
        .outerjoin(OrderLeg, OrderLeg.order_id == Order.id)
        .outerjoin(Payment, Payment.id == OrderLeg.payment_id)
        .outerjoin(Attempt, Attempt.id == latest)
        .where(Order.id.in_(order_ids))
        .order_by(Order.id, OrderLeg.number)
    )
    return db.session.execute(theirs.execution_options(populate_existing=True)).all()


def list_orders(*, limit: int, before: tuple[datetime, int] | None = None) -> list[Order]:
    """A page, the newest first; `before` is (placed_at, id) of the last row seen."""
    page = select(Order)
    if before:
        page = page.where(tuple_(Order.placed_at, Order.id) < before)
    newest_first = (Order.placed_at.desc(), Order.id.desc())
    return list(db.session.scalars(page.order_by(*newest_first).limit(limit)))


def list_of_customer(customer_id: int) -> list[Order]:
    theirs = select(Order).where(Order.customer_id == customer_id)
    return list(db.session.scalars(theirs.order_by(Order.id.desc())))


def get_leg(leg_id: int) -> OrderLeg:
    """As it is now. Raises NotFound."""
    found = db.session.get(OrderLeg, leg_id, populate_existing=True)
    if found is None:
        raise NotFound(noun="leg", id=leg_id)
    return found


def list_legs_of_payments(payment_ids: Sequence[int]) -> dict[int, OrderLeg]:
    """By payment; most payments are none of a leg."""
    theirs = db.session.scalars(_legs_of_payments(), {"ids": as_array(payment_ids)})
    return {leg.payment_id: leg for leg in theirs if leg.payment_id}


def lock_legs_of_payments(payment_ids: Sequence[int]) -> list[OrderLeg]:
    """After the payments, in the house order of locks."""
    return list(db.session.scalars(_lock_legs_of_payments(), {"ids": as_array(payment_ids)}))


@cache
def _legs_of_payments() -> Select[OrderLeg]:
    theirs = select(OrderLeg).where(is_among(OrderLeg.payment_id, "ids")).order_by(OrderLeg.id)
    return theirs.execution_options(populate_existing=True)


@cache
def _lock_legs_of_payments() -> Select[OrderLeg]:
    return locked(_legs_of_payments())


def lock_legs(leg_ids: Sequence[int]) -> list[OrderLeg]:
    theirs = select(OrderLeg).where(OrderLeg.id.in_(leg_ids)).order_by(OrderLeg.id)
    return list(db.session.scalars(locked(theirs)))


def list_payments_of_legs(leg_ids: Sequence[int]) -> list[int]:
    theirs = select(OrderLeg.payment_id).where(OrderLeg.id.in_(leg_ids))
    return sorted(id_ for id_ in db.session.scalars(theirs) if id_ is not None)


def list_failed_payments(payment_ids: Sequence[int]) -> frozenset[int]:
    failed = select(Payment.id).where(
        Payment.id.in_(payment_ids), Payment.status == PaymentStatus.FAILED.value
    )
    return frozenset(db.session.scalars(failed))


def count_attempts(order_id: int) -> int:
    """Of all its legs."""
    theirs = (
        select(func.count())
        .select_from(Attempt)
        .join(OrderLeg, OrderLeg.payment_id == Attempt.payment_id)
    )
    return db.session.scalars(theirs.where(OrderLeg.order_id == order_id)).one()


def list_living_payments(payment_ids: Sequence[int]) -> frozenset[int]:
    """Those of which money came or may come yet."""
    living = select(Payment.id).where(
        Payment.id.in_(payment_ids), Payment.status != PaymentStatus.CANCELLED.value
    )
    return frozenset(db.session.scalars(living))


def list_overdue_legs(*, limit: int) -> list[OrderLeg]:
    """Open legs that nobody will pay: held no longer and failed, or their payment withdrawn.

    A window, an account and a charge under way have an end of their own, and it is waited for.
    """
    is_planned = exists().where(
        Attempt.payment_id == Payment.id,
        Attempt.status == AttemptStatus.READY.value,
        Attempt.first_sent_at.is_(None),
        Attempt.number > 1,
        Attempt.due_at > func.ops_now(),
    )
    is_over = and_(
        Order.hold_until <= func.ops_now(),
        or_(Payment.status == PaymentStatus.FAILED.value, is_planned),
    )
    wanted = (
        select(OrderLeg)
        .join(Order, Order.id == OrderLeg.order_id)
        .join(Payment, Payment.id == OrderLeg.payment_id)
        .where(
            OrderLeg.status == LegStatus.OPEN.value,
            or_(is_over, Payment.status == PaymentStatus.CANCELLED.value),
        )
        .order_by(OrderLeg.id)
        .limit(limit)
    )
    return list(db.session.scalars(wanted))


def _leg_pictures(standing: Sequence[Any]) -> dict[int, list[LegPicture]]:
    """By order."""
    reservations = list_reservations(
        [leg.reservation_id for _, leg, *_ in standing if leg and leg.reservation_id]
    )
    now = clock.now()
    found: dict[int, list[LegPicture]] = defaultdict(list)
    for order, leg, payment, attempt in standing:
        if leg is not None:
            reservation = reservations.get(leg.reservation_id or 0)
            found[order.id].append(_leg_picture(leg, payment, attempt, reservation, now))
    return found


def _leg_picture(
    leg: OrderLeg,
    payment: Payment | None,
    attempt: Attempt | None,
    reservation: PointReservation | None,
    now: datetime,
) -> LegPicture:
    restored = reservation.restored if reservation is not None else 0
    is_planned = (
        attempt is not None
        and attempt.status == AttemptStatus.READY
        and attempt.first_sent_at is None
        and attempt.number > 1
        and attempt.due_at > now
    )
    state = rules.leg_state_of(
        Standing(
            leg.status,
            leg.amount_minor,
            given_back_minor=restored + (payment.refunded_minor if payment is not None else 0),
            payment_status=payment.status if payment is not None else None,
            attempt_status=attempt.status if attempt is not None else None,
            is_retry_planned=is_planned,
        )
    )
    is_posted = reservation is not None and reservation.status == ReservationStatus.POSTED
    return LegPicture(
        leg,
        state,
        payment,
        attempt,
        payment.refundable if payment is not None else Money(0, leg.currency),
        leg.points - restored if is_posted and leg.status == LegStatus.PAID else 0,
        rules.next_step_of(state, is_retry_planned=is_planned),
        attempt.due_at if attempt is not None and is_planned else None,
    )
