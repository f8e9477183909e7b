"""Probes of points: balances against lots, entries, reservations and the books."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, literal, or_, select

from opsapp.insights.probing_money import sentence, sum_where
from opsapp.ledger.models import LedgerTransfer
from opsapp.ledger.rules import (
    POINTS_COST,
    POINTS_EXPIRED,
    POINTS_LIABILITY,
    POINTS_RESERVED,
    REFUNDS,
    SALES,
)
from opsapp.orders.models import OrderLeg
from opsapp.orders.states import LegStatus
from opsapp.points.models import (
    PointAccount,
    PointAdjustment,
    PointEntry,
    PointLot,
    PointReservation,
    PointReservationLot,
)
from opsapp.points.moving import SUBJECT
from opsapp.points.rules import CURRENCY
from opsapp.points.states import AdjustmentStatus, ReservationStatus

RESERVED = ReservationStatus.RESERVED.value


def points() -> list[Select[str]]:
    """I6."""
    return [
        _accounts_off(),
        _reservations_off(),
        _unbooked_entries(),
        _adjustments_off(),
        _legs_off(),
        _held_for_nothing(),
    ]


def expected_balances() -> list[Select[Any]]:
    """(account, currency, debits less credits) that points must have in the books, for I5."""
    kind, change = PointEntry.kind, PointEntry.change
    given = sum_where(change, kind.in_(["earned", "adjusted"]))
    spent = sum_where(-PointEntry.reserved_change, kind == "posted")
    of_entries = (
        (POINTS_COST, given),
        (SALES, -spent),
        (REFUNDS, sum_where(change, kind == "restored")),
        (POINTS_EXPIRED, sum_where(change, kind == "expired")),
    )
    of_accounts = (
        (POINTS_LIABILITY, -func.coalesce(func.sum(PointAccount.available), 0)),
        (POINTS_RESERVED, -func.coalesce(func.sum(PointAccount.reserved), 0)),
    )
    return [_in_books(account, minor) for account, minor in (*of_entries, *of_accounts)]


def is_about_points() -> ColumnElement[bool]:
    """A transfer that follows an entry of points; it belongs to no payment."""
    entry = select(PointEntry.id).where(PointEntry.id == LedgerTransfer.subject_id)
    return and_(LedgerTransfer.subject_type == SUBJECT, entry.exists())


def _in_books(account: str, minor: Any) -> Select[Any]:
    return select(
        literal(account).label("account"),
        literal(CURRENCY).label("currency"),
        minor.label("minor"),
    )


def _accounts_off() -> Select[str]:
    """An account's balances against the sums of its entries, its lots and what is reserved."""
    entries = _by_customer(
        PointEntry.customer_id,
        available=func.sum(PointEntry.change),
        reserved=func.sum(PointEntry.reserved_change),
    )
    lots = _by_customer(PointLot.customer_id, available=func.sum(PointLot.remaining))
    held = _by_customer(
        PointReservation.customer_id,
        reserved=sum_where(PointReservation.points, PointReservation.status == RESERVED),
    )
    moved, moved_reserved = _or_0(entries.c.available), _or_0(entries.c.reserved)
    in_lots, in_reservations = _or_0(lots.c.available), _or_0(held.c.reserved)
    available, reserved = PointAccount.available, PointAccount.reserved
    told = sentence(
        "points of customer ", PointAccount.customer_id, ": ", available, " and ", reserved,
        " reserved; the entries say ", moved, " and ", moved_reserved, ", the lots ", in_lots,
        ", the reservations ", in_reservations,
    )  # fmt: skip
    differs = or_(
        available != moved, available != in_lots, reserved != moved_reserved,
        reserved != in_reservations,
    )  # fmt: skip
    found = select(told)
    for part in (entries, lots, held):
        found = found.outerjoin(part, part.c.customer_id == PointAccount.customer_id)
    return found.where(differs)


def _reservations_off() -> Select[str]:
    parts = (
        select(
            PointReservationLot.reservation_id,
            func.sum(PointReservationLot.points).label("points"),
            func.sum(PointReservationLot.restored).label("restored"),
        )
        .group_by(PointReservationLot.reservation_id)
        .subquery()
    )
    points, restored = _or_0(parts.c.points), _or_0(parts.c.restored)
    told = sentence(
        "point reservation ", PointReservation.id, ": ", PointReservation.points, " points, ",
        PointReservation.restored, " given back; its lots say ", points, " and ", restored,
    )  # fmt: skip
    return (
        select(told)
        .outerjoin(parts, parts.c.reservation_id == PointReservation.id)
        .where(or_(PointReservation.points != points, PointReservation.restored != restored))
    )


def _unbooked_entries() -> Select[str]:
    """Each entry has one transfer of its amount."""
    amount = func.abs(
        case((PointEntry.change != 0, PointEntry.change), else_=PointEntry.reserved_change)
    )
    booked = _or_0(LedgerTransfer.amount_minor)
    told = sentence(
        "point entry ", PointEntry.id, " (", PointEntry.kind, "): ", amount,
        " points, booked ", booked,
    )  # fmt: skip
    same = and_(
        LedgerTransfer.subject_type == SUBJECT,
        LedgerTransfer.subject_id == PointEntry.id,
        LedgerTransfer.kind == func.concat("points_", PointEntry.kind),
    )
    return select(told).outerjoin(LedgerTransfer, same).where(booked != amount)


def _adjustments_off() -> Select[str]:
    """Approved is moved, once and as it was asked for; anything else is not."""
    moved = (
        select(PointEntry.subject_id, func.sum(PointEntry.change).label("points"))
        .where(PointEntry.subject_type == "point_adjustment")
        .group_by(PointEntry.subject_id)
        .subquery()
    )
    wanted = case(
        (PointAdjustment.status == AdjustmentStatus.APPROVED.value, PointAdjustment.points),
        else_=0,
    )
    told = sentence(
        "point adjustment ", PointAdjustment.id, " (", PointAdjustment.status, "): ",
        PointAdjustment.points, " points, moved ", _or_0(moved.c.points),
    )  # fmt: skip
    return (
        select(told)
        .outerjoin(moved, moved.c.subject_id == PointAdjustment.id)
        .where(wanted != _or_0(moved.c.points))
    )


def _legs_off() -> Select[str]:
    """A leg and its points go together: paid is spent, given up is given back."""
    leg, held = OrderLeg.status, PointReservation.status
    told = sentence(
        "order leg ", OrderLeg.id, " (", leg, ", ", OrderLeg.points, " points): its reservation ",
        PointReservation.id, " is ", held, " over ", PointReservation.points,
    )  # fmt: skip
    off = or_(
        OrderLeg.points != PointReservation.points,
        and_(leg == LegStatus.PAID.value, held != ReservationStatus.POSTED.value),
        and_(leg == LegStatus.OPEN.value, held == ReservationStatus.VOIDED.value),
        and_(leg == LegStatus.RELEASED.value, held == RESERVED),
    )
    joined = select(told).join(PointReservation, PointReservation.id == OrderLeg.reservation_id)
    return joined.where(off)


def _held_for_nothing() -> Select[str]:
    told = sentence("point reservation ", PointReservation.id, ": reserved for no leg")
    leg = select(OrderLeg.id).where(OrderLeg.reservation_id == PointReservation.id)
    is_for_order = PointReservation.subject_type == "order"
    return select(told).where(is_for_order, PointReservation.status == RESERVED, ~leg.exists())


def _by_customer(customer_id: Any, **sums: Any) -> FromClause:
    columns = [minor.label(name) for name, minor in sums.items()]
    statement: Select[Any] = select(customer_id, *columns).group_by(customer_id)
    return statement.subquery()


def _or_0(amount: Any) -> ColumnElement[int]:
    return func.coalesce(amount, 0)
