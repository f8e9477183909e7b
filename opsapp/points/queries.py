from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.kernel import clock
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.points.models import (
    PointAccount,
    PointAdjustment,
    PointEntry,
    PointLot,
    PointReservation,
    PointReservationLot,
)
from opsapp.points.rules import EXPIRING_SHOWN, Part, end_of_fresh, last_day_of
from opsapp.points.states import AdjustmentStatus, ReservationStatus


@dataclass(frozen=True, slots=True)
class Balance:
    """What may be spent now, what is set aside, and what of it expires within 30 days.

    `expiring`: (last day, points), the earliest first.
    """

    available: int = 0
    reserved: int = 0
    expiring: tuple[tuple[date, int], ...] = ()


def find_balance(customer_id: int) -> Balance:
    """A customer who never had points has none."""
    return list_balances([customer_id]).get(customer_id, Balance())


def list_balances(customer_ids: Collection[int]) -> dict[int, Balance]:
    """By customer; those who never had points are missing."""
    accounts = db.session.execute(
        select(PointAccount.customer_id, PointAccount.available, PointAccount.reserved).where(
            PointAccount.customer_id.in_(customer_ids)
        )
    ).all()
    now = clock.now()
    gone: dict[int, int] = {}
    expiring: dict[int, dict[date, int]] = {}
    for lot in db.session.execute(_ending(customer_ids, end_of_fresh(EXPIRING_SHOWN, now))):
        if lot.expires_at <= now:  # not swept yet, and nobody's to spend
            gone[lot.customer_id] = gone.get(lot.customer_id, 0) + int(lot.points)
        else:
            days, day = expiring.setdefault(lot.customer_id, {}), last_day_of(lot.expires_at)
            days[day] = days.get(day, 0) + int(lot.points)
    return {
        row.customer_id: Balance(
            row.available - gone.get(row.customer_id, 0),
            row.reserved,
            tuple(sorted(expiring.get(row.customer_id, {}).items())),
        )
        for row in accounts
    }


def list_entries(customer_id: int, *, limit: int, before: int | None = None) -> list[PointEntry]:
    """The newest first, older than the entry `before`."""
    entries = select(PointEntry).where(PointEntry.customer_id == customer_id)
    if before is not None:
        entries = entries.where(PointEntry.id < before)
    return list(db.session.scalars(entries.order_by(PointEntry.id.desc()).limit(limit)))


def list_reservations(reservation_ids: Collection[int]) -> dict[int, PointReservation]:
    if not reservation_ids:
        return {}
    wanted = select(PointReservation).where(PointReservation.id.in_(reservation_ids))
    fresh = wanted.execution_options(populate_existing=True)
    return {row.id: row for row in db.session.scalars(fresh)}


def find_living_reservation(subject_type: str, subject_id: int) -> PointReservation | None:
    """Reserved or posted."""
    wanted = select(PointReservation).where(
        PointReservation.subject_type == subject_type,
        PointReservation.subject_id == subject_id,
        PointReservation.status != ReservationStatus.VOIDED.value,
    )
    return db.session.scalar(wanted.execution_options(populate_existing=True))


def lock_accounts(customer_ids: Collection[int]) -> dict[int, PointAccount]:
    """By ascending customer; those who never had points are missing."""
    wanted = (
        select(PointAccount)
        .where(PointAccount.customer_id.in_(customer_ids))
        .order_by(PointAccount.customer_id)
    )
    return {row.customer_id: row for row in db.session.scalars(locked(wanted))}


def lock_accounts_with_expired(*, limit: int) -> dict[int, PointAccount]:
    """Accounts that somebody is working on are passed over; their points expire next time."""
    over = select(PointLot.id).where(
        PointLot.customer_id == PointAccount.customer_id,
        PointLot.remaining > 0,
        PointLot.expires_at <= clock.now(),
    )
    wanted = (
        select(PointAccount).where(over.exists()).order_by(PointAccount.customer_id).limit(limit)
    )
    return {row.customer_id: row for row in db.session.scalars(locked(wanted, skip=True))}


def lock_untold_lots(until: datetime, *, limit: int) -> list[Any]:
    """Lots that expire by then and whose customers were not told; one customer's stand together."""
    wanted = (
        select(PointLot.id, PointLot.customer_id, PointLot.remaining, PointLot.expires_at)
        .where(
            PointLot.remaining > 0,
            PointLot.told_at.is_(None),
            PointLot.expires_at > clock.now(),
            PointLot.expires_at <= until,
        )
        .order_by(PointLot.customer_id, PointLot.id)
        .limit(limit)
    )
    return list(db.session.execute(locked(wanted, skip=True)))


def list_expired_lots(customer_ids: Collection[int]) -> list[Any]:
    wanted = select(PointLot.id, PointLot.customer_id, PointLot.remaining).where(
        PointLot.customer_id.in_(customer_ids),
        PointLot.remaining > 0,
        PointLot.expires_at <= clock.now(),
    )
    return list(db.session.execute(wanted.order_by(PointLot.customer_id, PointLot.id)))


def list_first_lots(customer_id: int, points: int) -> list[Part]:
    """As many lots as hold `points`, in the order in which they expire."""
    order = (PointLot.expires_at.asc().nulls_last(), PointLot.id)
    before = func.sum(PointLot.remaining).over(order_by=order) - PointLot.remaining
    lots = (
        select(PointLot.id, PointLot.remaining, PointLot.expires_at, before.label("before"))
        .where(PointLot.customer_id == customer_id, PointLot.remaining > 0)
        .subquery()
    )
    wanted = select(lots).where(lots.c.before < points).order_by(lots.c.before, lots.c.id)
    return [Part(row.id, row.remaining, row.expires_at) for row in db.session.execute(wanted)]


def list_lots(customer_id: int, *, limit: int) -> list[PointLot]:
    """What is left, in the order in which it goes."""
    wanted = (
        select(PointLot)
        .where(PointLot.customer_id == customer_id, PointLot.remaining > 0)
        .order_by(PointLot.expires_at.asc().nulls_last(), PointLot.id)
        .limit(limit)
    )
    return list(db.session.scalars(wanted))


def list_parts(reservation_ids: Collection[int]) -> list[Any]:
    """(reservation_id, lot_id, points, restored, expires_at) of reservations."""
    wanted = (
        select(
            PointReservationLot.reservation_id,
            PointReservationLot.lot_id,
            PointReservationLot.points,
            PointReservationLot.restored,
            PointLot.expires_at,
        )
        .join(PointLot, PointLot.id == PointReservationLot.lot_id)
        .where(PointReservationLot.reservation_id.in_(reservation_ids))
        .order_by(PointReservationLot.reservation_id, PointReservationLot.lot_id)
    )
    return list(db.session.execute(wanted))


def list_remaining(lot_ids: Collection[int]) -> dict[int, int]:
    """What each lot holds now; its account must be locked, or it is no longer true."""
    wanted = select(PointLot.id, PointLot.remaining).where(PointLot.id.in_(lot_ids))
    return {row.id: row.remaining for row in db.session.execute(wanted)}


def list_reservation_lots(reservation_id: int) -> dict[int, PointReservationLot]:
    wanted = select(PointReservationLot).where(PointReservationLot.reservation_id == reservation_id)
    fresh = wanted.execution_options(populate_existing=True)
    return {row.lot_id: row for row in db.session.scalars(fresh)}


def get_reservation(reservation_id: int) -> PointReservation:
    """As it is now. Raises NotFound."""
    found = list_reservations([reservation_id]).get(reservation_id)
    if found is None:
        raise NotFound(noun="point reservation", id=reservation_id)
    return found


def find_lot_by_request(request_id: str) -> PointLot | None:
    return db.session.scalar(select(PointLot).where(PointLot.request_id == request_id))


def find_entry_by_request(request_id: str) -> PointEntry | None:
    return db.session.scalar(select(PointEntry).where(PointEntry.request_id == request_id))


def sum_entries(customer_id: int, kind: str, since: datetime) -> int:
    total: Select[Any] = select(func.coalesce(func.sum(PointEntry.change), 0)).where(
        PointEntry.customer_id == customer_id, PointEntry.kind == kind, PointEntry.at >= since
    )
    return int(db.session.scalars(total).one())


def get_adjustment(adjustment_id: int) -> PointAdjustment:
    """Raises NotFound."""
    found = db.session.get(PointAdjustment, adjustment_id)
    if found is None:
        raise NotFound(noun="adjustment", id=adjustment_id)
    return found


def lock_adjustment(adjustment_id: int) -> PointAdjustment:
    """After its account (house order). Raises NotFound."""
    wanted = select(PointAdjustment).where(PointAdjustment.id == adjustment_id)
    found = db.session.scalar(locked(wanted))
    if found is None:
        raise NotFound(noun="adjustment", id=adjustment_id)
    return found


def find_adjustment_by_request(request_id: str) -> PointAdjustment | None:
    return db.session.scalar(
        select(PointAdjustment).where(PointAdjustment.request_id == request_id)
    )


def sum_adjusted(since: datetime, *, customer_id: int | None = None, by: str = "") -> int:
    """Points up and down since then, asked for or approved, of a customer or by one person."""
    alive = (AdjustmentStatus.REQUESTED.value, AdjustmentStatus.APPROVED.value)
    total: Select[Any] = select(func.coalesce(func.sum(func.abs(PointAdjustment.points)), 0)).where(
        PointAdjustment.requested_at >= since, PointAdjustment.status.in_(alive)
    )
    if customer_id is not None:
        total = total.where(PointAdjustment.customer_id == customer_id)
    if by:
        total = total.where(PointAdjustment.requested_by == by)
    return int(db.session.scalars(total).one())


def list_adjustments_of(customer_id: int, *, limit: int) -> Sequence[PointAdjustment]:
    """The newest first."""
    wanted = select(PointAdjustment).where(PointAdjustment.customer_id == customer_id)
    return list(db.session.scalars(wanted.order_by(PointAdjustment.id.desc()).limit(limit)))


def _ending(customer_ids: Collection[int], until: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(
            PointLot.customer_id,
            PointLot.expires_at,
            func.sum(PointLot.remaining).label("points"),
        )
        .where(
            PointLot.customer_id.in_(customer_ids),
            PointLot.remaining > 0,
            PointLot.expires_at <= until,
        )
        .group_by(PointLot.customer_id, PointLot.expires_at)
    )
