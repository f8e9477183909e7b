"""Timetable: when something is to be done again, and the proof that a slot was used once.

A slot can be taken once, so two schedulers cannot both fire it; taken in the transaction that does
the work, a crash gives it back. Slots missed while everything was down are not made up for: only
the latest one fires.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base, db, within_transaction

KEPT = timedelta(days=30)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class TimetableSlot(Base):
    __tablename__ = "timetable_slots"

    job: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    fired_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Every:
    step: timedelta

    def latest_slot(self, now: datetime) -> datetime:
        return now - (now - _EPOCH) % self.step


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day at a wall-clock time of a zone."""

    at: time
    zone: ZoneInfo

    def latest_slot(self, now: datetime) -> datetime:
        today = now.astimezone(self.zone).date()
        slot = datetime.combine(today, self.at, self.zone).astimezone(UTC)
        if slot <= now:
            return slot
        yesterday = today - timedelta(days=1)
        return datetime.combine(yesterday, self.at, self.zone).astimezone(UTC)


@within_transaction
def take_slot(job: str, slot: datetime) -> bool:
    """Whether the slot was free; it is the caller's once his transaction is committed."""
    row = insert(TimetableSlot).values(job=job, slot=slot).on_conflict_do_nothing()
    taken = db.session.execute(row.returning(TimetableSlot.job))
    return taken.first() is not None


@within_transaction
def purge_slots() -> None:
    """Forget slots older than 30 days; the latest of a job is younger."""
    old = func.clock_timestamp() - KEPT
    db.session.execute(delete(TimetableSlot).where(TimetableSlot.fired_at < old))
