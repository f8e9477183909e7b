from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.points.states import ADJUSTMENT, RESERVATION

KINDS = ("earned", "reserved", "posted", "voided", "restored", "expired", "adjusted")


class PointAccount(Base):
    """What a customer has; its row is the lock under which everything else here is written."""

    __tablename__ = "point_accounts"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available_not_negative"),
        CheckConstraint("reserved >= 0", name="reserved_not_negative"),
    )

    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customers.id"), primary_key=True, autoincrement=False
    )
    available: Mapped[int] = mapped_column(server_default="0")
    reserved: Mapped[int] = mapped_column(server_default="0")


class PointLot(Base):
    """Points that came together and expire together; the ones that expire first are spent first."""

    __tablename__ = "point_lots"
    __table_args__ = (
        CheckConstraint("granted > 0", name="granted_positive"),
        CheckConstraint("remaining BETWEEN 0 AND granted", name="remaining_within"),
        Index(
            "point_lots_spendable",
            "customer_id",
            "expires_at",
            "id",
            postgresql_where=text("remaining > 0"),
        ),
        Index("point_lots_expiring", "expires_at", postgresql_where=text("remaining > 0")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("point_accounts.customer_id"))
    granted: Mapped[int]
    remaining: Mapped[int]
    expires_at: Mapped[datetime | None]  # the first moment at which they are gone; NULL: never
    because: Mapped[str]
    request_id: Mapped[str] = mapped_column(unique=True)
    granted_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    told_at: Mapped[datetime | None]  # that they expire soon


class PointEntry(Base):
    """One movement. The sums of an account's entries are its balances; the ledger follows them."""

    __tablename__ = "point_entries"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("change <> 0 OR reserved_change <> 0", name="moves_something"),
        CheckConstraint("available_after >= 0", name="available_not_negative"),
        Index("point_entries_customer", "customer_id", "id"),
        Index("point_entries_subject", "subject_type", "subject_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("point_accounts.customer_id"))
    kind: Mapped[str]
    change: Mapped[int]  # of what is available
    reserved_change: Mapped[int] = mapped_column(server_default="0")
    available_after: Mapped[int]
    # What the points were for: an order's leg, or the lot or adjustment they came by.
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    because: Mapped[str]
    request_id: Mapped[str | None] = mapped_column(unique=True)  # of what may be asked for twice
    at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class PointReservation(Base):
    """Points set aside for one purchase until it is known whether it is paid."""

    __tablename__ = "point_reservations"
    __table_args__ = (
        RESERVATION.check(),
        CheckConstraint("points > 0", name="points_positive"),
        CheckConstraint("restored BETWEEN 0 AND points", name="restored_within"),
        CheckConstraint("restored = 0 OR status = 'posted'", name="restored_was_posted"),
        # A subject whose reservation was voided may be tried once more.
        Index(
            "one_living_reservation_per_subject",
            "subject_type",
            "subject_id",
            unique=True,
            postgresql_where=text("status <> 'voided'"),
        ),
        Index("point_reservations_customer", "customer_id", "id"),
        Index(
            "point_reservations_open",
            "created_at",
            postgresql_where=text("status = 'reserved'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("point_accounts.customer_id"))
    points: Mapped[int]
    status: Mapped[str] = mapped_column(default=RESERVATION.start.value)
    restored: Mapped[int] = mapped_column(server_default="0")
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    ended_at: Mapped[datetime | None]


class PointReservationLot(Base):
    """How much of a reservation came out of which lot, and how much of it was given back."""

    __tablename__ = "point_reservation_lots"
    __table_args__ = (
        CheckConstraint("points > 0", name="points_positive"),
        CheckConstraint("restored BETWEEN 0 AND points", name="restored_within"),
    )

    reservation_id: Mapped[int] = mapped_column(
        ForeignKey("point_reservations.id"), primary_key=True, autoincrement=False
    )
    lot_id: Mapped[int] = mapped_column(
        ForeignKey("point_lots.id"), primary_key=True, autoincrement=False
    )
    points: Mapped[int]
    restored: Mapped[int] = mapped_column(server_default="0")


class PointAdjustment(Base):
    """A correction that one person asks for and another one decides."""

    __tablename__ = "point_adjustments"
    __table_args__ = (
        ADJUSTMENT.check(),
        CheckConstraint("points <> 0", name="points_not_zero"),
        CheckConstraint("status = 'withdrawn' OR decided_by <> requested_by", name="two_people"),
        CheckConstraint(
            "(status = 'requested') = (decided_by IS NULL)", name="decided_by_somebody"
        ),
        Index("point_adjustments_customer", "customer_id", "id"),
        Index("point_adjustments_status", "status", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    request_id: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    points: Mapped[int]  # signed
    expires_on: Mapped[date | None]  # of points that are given: their last day
    reason: Mapped[str]
    status: Mapped[str] = mapped_column(default=ADJUSTMENT.start.value)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_because: Mapped[str] = mapped_column(server_default="")
