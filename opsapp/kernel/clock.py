"""Business time: what day it is for customers, and how demo and test installations move it.

Leases, sessions and lock-outs do not look here: they run on the database's own clock.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base, db, execute_plain, kept_in_transaction, within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.settings import current

SEOUL = ZoneInfo("Asia/Seoul")

_NOW = "kernel.clock.now"
_ASKED = select(func.ops_now())


class ClockIsReal(OpsError):
    code = "clock_is_real"
    message = "The clock can be moved in demo and test mode only."
    remedy = "Set OPSAPP_MODE=demo on an installation without real customers."


class TestClock(Base):
    """At most one row: how far business time stands from real time. Empty in production."""

    __tablename__ = "test_clock"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shift: Mapped[timedelta]


def now() -> datetime:
    """The business time in aware UTC; every process reads the same clock.

    One transaction has one moment: all that it writes happened then.
    """
    kept = kept_in_transaction()
    if _NOW not in kept:
        kept[_NOW] = execute_plain(_ASKED).scalar_one().astimezone(UTC)
    moment: datetime = kept[_NOW]
    return moment


def keep(moment: datetime) -> None:
    """`func.ops_now()` was read along with something else: `now` does not ask for it once more."""
    kept_in_transaction().setdefault(_NOW, moment.astimezone(UTC))


def seoul_date(moment: datetime) -> date:
    """The calendar day in Asia/Seoul: it differs from the UTC day in 9 of 24 hours."""
    return moment.astimezone(SEOUL).date()


@lru_cache(maxsize=512)  # a billing run asks for the same few days again and again
def seoul_midnight(day: date, *, hour: int = 0) -> datetime:
    """`hour` o'clock of a Seoul day, in UTC."""
    return datetime.combine(day, time(hour), SEOUL).astimezone(UTC)


@within_transaction
def set_to(moment: datetime) -> None:
    """Move the test clock; it goes on running from there. Raises ClockIsReal in production."""
    _shift_by(moment - now())


@within_transaction
def advance(step: timedelta) -> None:
    """Move the test clock onwards. Raises ClockIsReal in production."""
    _shift_by(step)


def _shift_by(step: timedelta) -> None:
    if current().mode == "production":
        raise ClockIsReal
    kept_in_transaction().pop(_NOW, None)
    row = insert(TestClock).values(id=1, shift=step)
    db.session.execute(
        row.on_conflict_do_update(
            index_elements=["id"], set_={"shift": TestClock.shift + row.excluded.shift}
        )
    )
