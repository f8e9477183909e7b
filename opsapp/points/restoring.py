"""Restoring: points that paid for something come back, because it is given back."""

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.points import granting, queries, rules
from opsapp.points.errors import NothingToRestore
from opsapp.points.models import PointEntry, PointReservation
from opsapp.points.moving import Movement, move
from opsapp.points.rules import Part
from opsapp.points.states import ReservationStatus

REQUEST_USED = "This request id was used for something else."


@within_transaction
def restore(reservation_id: int, points: int, *, request_id: str, because: str, by: Actor) -> int:
    """Back to the lots they came from; the entry's id, the known one for a known request.

    What came out of a lot that has expired meanwhile lives for 30 days more. Raises Invalid,
    NotFound, NothingToRestore.
    """
    rules.check_points(points)
    because = rules.check_because(because)
    request = f"restore:{rules.check_request_id(request_id)}"
    customer_id = queries.get_reservation(reservation_id).customer_id
    accounts = queries.lock_accounts([customer_id])
    reservation = queries.get_reservation(reservation_id)
    if (known := queries.find_entry_by_request(request)) is not None:
        return _same(known, reservation, points)
    left = reservation.points - reservation.restored
    if reservation.status != ReservationStatus.POSTED or points > left:
        can = left if reservation.status == ReservationStatus.POSTED else 0
        raise NothingToRestore(field="points", left=can, wished=points)
    parts = _open_parts(reservation, points)
    granting.give_back(
        {f"{request}:{part.lot_id}": (customer_id, part) for part in parts},
        because=because,
        life=rules.RESTORED_LIFE,
    )
    movement = Movement(
        "restored",
        customer_id,
        points,
        subject=(reservation.subject_type, reservation.subject_id),
        because=because,
        request_id=request,
    )
    [entry_id] = move([movement], accounts, by=by)
    return entry_id


def _open_parts(reservation: PointReservation, points: int) -> list[Part]:
    """Which lots they go back to; noted on the reservation."""
    rows = queries.list_parts([reservation.id])
    still_out = [
        Part(row.lot_id, row.points - row.restored, row.expires_at)
        for row in rows
        if row.points > row.restored
    ]
    parts = rules.give_back(still_out, points)
    lots = queries.list_reservation_lots(reservation.id)
    for part in parts:
        lots[part.lot_id].restored += part.points
    reservation.restored += points
    return parts


def _same(known: PointEntry, reservation: PointReservation, points: int) -> int:
    about = (known.subject_type, known.subject_id, known.change)
    if about != (reservation.subject_type, reservation.subject_id, points):
        raise Invalid(field="request_id", reason=REQUEST_USED)
    return known.id
