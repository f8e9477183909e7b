"""Releasing: a leg is given up. Its payment is withdrawn, its points go back, others stand."""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove
from opsapp.orders import queries, settling
from opsapp.orders.errors import LegMayBePaid
from opsapp.orders.events import LegsReleased
from opsapp.orders.models import Order, OrderLeg
from opsapp.orders.states import LEG, LegStatus
from opsapp.payments import requesting
from opsapp.points import queries as points, reserving, restoring
from opsapp.points.states import ReservationStatus

BY = Actor("timetable", "orders.release_due")
RELEASE_MAX = 500
GIVEN_UP = "given up by staff"
NOT_PAID_IN_TIME = "nobody paid it in time"


@within_transaction
def release_due() -> int:
    """Legs of orders that are held no longer; returns how many. What is under way ends first:
    points stay reserved for as long as money may still come.
    """
    overdue = queries.list_overdue_legs(limit=RELEASE_MAX)
    return len(release([leg.id for leg in overdue], because=NOT_PAID_IN_TIME, by=BY))


@within_transaction
def give_up(leg_id: int, *, by: Actor) -> None:
    """A person says that nobody will pay it: at once, whatever its order's policy. One that is
    given up already stays so. Raises NotFound, LegMayBePaid.
    """
    if queries.get_leg(leg_id).status == LegStatus.RELEASED:
        return
    if not release([leg_id], because=GIVEN_UP, by=by):
        raise LegMayBePaid


@within_transaction
def hold_no_longer(order_ids: Sequence[int]) -> None:
    """What failed is given up with the next sweep, what is under way as soon as it fails."""
    now = clock.now()
    bulk_update(Order, [{"id": order_id, "hold_until": now} for order_id in order_ids])


@within_transaction
def release(leg_ids: Sequence[int], *, because: str, by: Actor) -> list[int]:
    """Ids of those that are given up now; one that is paid, or may be paid yet, stays."""
    if not leg_ids:
        return []
    # House order: payments before legs.
    requesting.withdraw(queries.list_payments_of_legs(leg_ids), because=because, by=by)
    legs = [leg for leg in queries.lock_legs(leg_ids) if leg.status == LegStatus.OPEN]
    living = queries.list_living_payments([leg.payment_id for leg in legs if leg.payment_id])
    legs = [leg for leg in legs if leg.payment_id not in living]
    if not legs:
        return []
    now = clock.now()
    moves = [
        RowMove(leg.id, leg.status, LegStatus.RELEASED, because, also={"settled_at": now})
        for leg in legs
    ]
    released = LEG.move_many(OrderLeg, moves, by=by)
    orders = queries.list_by_id([leg.order_id for leg in legs])
    customers = {order.id: order.customer_id for order in orders.values()}
    announce(LegsReleased(settling.facts_of(legs, customers)))
    _give_back_points(legs, because=because, by=by)  # last: points are locked after subscriptions
    return sorted(released)


def _give_back_points(legs: Sequence[OrderLeg], *, because: str, by: Actor) -> None:
    """Reserved ones are voided; those of a leg that had been paid once are restored."""
    ids = [leg.reservation_id for leg in legs if leg.reservation_id is not None]
    if not ids:
        return
    voided = reserving.void_reservations(ids, because=because, by=by)
    held = points.list_reservations([id_ for id_ in ids if id_ not in voided])
    for id_, reservation in sorted(held.items()):
        left = reservation.points - reservation.restored
        if reservation.status == ReservationStatus.POSTED and left:
            # One by one: deposits that a bank takes back are rare.
            restoring.restore(id_, left, request_id=f"released-{id_}", because=because, by=by)
