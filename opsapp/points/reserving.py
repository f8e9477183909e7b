"""Reserving: points are set aside for a purchase, then spent or given back, exactly one of both.

The account's row is locked first; a reservation then leaves `reserved` by one conditional update.
"""

from collections.abc import Collection, Mapping

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.kernel.states import RowMove
from opsapp.points import expiring, granting, queries, rules
from opsapp.points.errors import NotEnoughPoints, PointsReservedOtherwise
from opsapp.points.models import (
    PointAccount,
    PointLot,
    PointReservation,
    PointReservationLot,
)
from opsapp.points.moving import Movement, move
from opsapp.points.rules import Part
from opsapp.points.states import RESERVATION, ReservationStatus

FOR_A_PURCHASE = "set aside for a purchase"
PAID = "what they were set aside for is paid"


@within_transaction
def reserve(customer_id: int, points: int, *, subject_type: str, subject_id: int, by: Actor) -> int:
    """Set points aside; returns the reservation's id, the known one if it lives and says the same.

    After a void the same subject may reserve again. Raises Invalid, NotEnoughPoints,
    PointsReservedOtherwise.
    """
    rules.check_points(points)
    accounts = queries.lock_accounts([customer_id])
    if customer_id not in accounts:
        raise NotEnoughPoints(field="points", available=0, wanted=points)
    if (known := queries.find_living_reservation(subject_type, subject_id)) is not None:
        if (known.customer_id, known.points) != (customer_id, points):
            raise PointsReservedOtherwise(field="points", reserved=known.points)
        return known.id
    expiring.expire_of(accounts)
    taken = take_from(accounts[customer_id], points)
    subject = (subject_type, subject_id)
    reservation_id = _insert(customer_id, points, subject, by=by)
    bulk_insert(
        PointReservationLot,
        [
            {"reservation_id": reservation_id, "lot_id": part.lot_id, "points": part.points}
            for part in taken
        ],
    )
    movement = Movement(
        "reserved",
        customer_id,
        -points,
        reserved_change=points,
        subject=subject,
        because=FOR_A_PURCHASE,
    )
    move([movement], accounts, by=by)
    return reservation_id


@within_transaction
def post_reservations(reservation_ids: Collection[int], *, by: Actor) -> set[int]:
    """What was bought is paid: the points are spent. Returns those that were reserved until now."""
    if not reservation_ids:
        return set()
    accounts = _lock_accounts_of(reservation_ids)
    ended = _end(reservation_ids, ReservationStatus.POSTED, PAID, by=by)
    movements = [
        Movement(
            "posted",
            row.customer_id,
            0,
            reserved_change=-row.points,
            subject=(row.subject_type, row.subject_id),
            because=PAID,
        )
        for row in ended.values()
    ]
    move(movements, accounts, by=by)
    return set(ended)


@within_transaction
def void_reservations(reservation_ids: Collection[int], *, because: str, by: Actor) -> set[int]:
    """Nothing was bought: the points go back. Returns those that were reserved until now."""
    if not reservation_ids:
        return set()
    because = because[: rules.BECAUSE_LENGTH_MAX]
    accounts = _lock_accounts_of(reservation_ids)
    ended = _end(reservation_ids, ReservationStatus.VOIDED, because, by=by)
    parts = {
        f"void:{row.reservation_id}:{row.lot_id}": (
            ended[row.reservation_id].customer_id,
            Part(row.lot_id, row.points, row.expires_at),
        )
        for row in (queries.list_parts(ended) if ended else [])
    }
    granting.give_back(parts, because=because, life=rules.VOIDED_LIFE)
    movements = [
        Movement(
            "voided",
            row.customer_id,
            row.points,
            reserved_change=-row.points,
            subject=(row.subject_type, row.subject_id),
            because=because,
        )
        for row in ended.values()
    ]
    move(movements, accounts, by=by)
    return set(ended)


@within_transaction
def take_from(account: PointAccount, points: int) -> list[Part]:
    """Out of the lots that expire first. Raises NotEnoughPoints."""
    if points > account.available:
        raise NotEnoughPoints(field="points", available=account.available, wanted=points)
    lots = queries.list_first_lots(account.customer_id, points)
    held = {lot.lot_id: lot.points for lot in lots}
    taken = rules.take(lots, points)
    rows = [{"id": part.lot_id, "remaining": held[part.lot_id] - part.points} for part in taken]
    bulk_update(PointLot, rows)
    return taken


def _insert(customer_id: int, points: int, subject: tuple[str, int], *, by: Actor) -> int:
    status = ReservationStatus.RESERVED.value
    row = {
        "ref": new_ref("ptr"),
        "customer_id": customer_id,
        "points": points,
        "status": status,
        "subject_type": subject[0],
        "subject_id": subject[1],
        "created_at": clock.now(),
    }
    [written] = bulk_insert(PointReservation, [row], returning=("id",))
    entry = Entry(
        "point_reservation.reserved",
        "point_reservation",
        written.id,
        because=FOR_A_PURCHASE,
        to_state=status,
        detail={"points": points, "customer_id": customer_id},
    )
    record(entry, by=by)
    reservation_id: int = written.id
    return reservation_id


def _lock_accounts_of(reservation_ids: Collection[int]) -> dict[int, PointAccount]:
    rows = queries.list_reservations(reservation_ids)
    return queries.lock_accounts({row.customer_id for row in rows.values()})


def _end(
    reservation_ids: Collection[int], to: ReservationStatus, because: str, *, by: Actor
) -> Mapping[int, PointReservation]:
    """Those that really moved; the others were ended before."""
    rows = queries.list_reservations(reservation_ids)
    at = clock.now()
    moves = [
        RowMove(row.id, row.status, to, because, also={"ended_at": at})
        for row in sorted(rows.values(), key=lambda row: row.id)
        if row.status == ReservationStatus.RESERVED
    ]
    moved = RESERVATION.move_many(PointReservation, moves, by=by)
    return {row_id: rows[row_id] for row_id in sorted(moved)}
