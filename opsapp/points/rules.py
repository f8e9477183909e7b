"""How much may be moved at once, which points go first, and when points expire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.errors import Invalid

CURRENCY = "KRW"  # one point is one won
POINTS_MAX = 10_000_000  # in one movement
BALANCE_MAX = 100_000_000
EARNED_PER_DAY_MAX = 20_000_000  # by one customer
ADJUSTED_MAX = 1_000_000  # in one adjustment
ADJUSTED_PER_DAY_MAX = 2_000_000  # of one customer, up and down together
ASKED_PER_DAY_MAX = 10_000_000  # by one member of staff
LIFE_MAX = timedelta(days=3650)
ADJUSTED_LIFE = timedelta(days=365)

# What comes back into a lot that has expired meanwhile.
RESTORED_LIFE = timedelta(days=30)  # after a refund: time to buy something else
VOIDED_LIFE = timedelta(days=3)  # after a purchase that failed: time to try again

TOLD_BEFORE = timedelta(days=7)
TOLD_HOURS = range(10, 20)  # in Seoul
EXPIRING_SHOWN = timedelta(days=30)
BECAUSE_LENGTH_MAX = 200
REASON_LENGTH = range(5, 201)
REQUEST_ID_LENGTH = range(8, 101)


@dataclass(frozen=True, slots=True)
class Part:
    """So many points of one lot. `expires_at` is the lot's: None never."""

    lot_id: int
    points: int
    expires_at: datetime | None


def check_points(points: int, *, most: int = POINTS_MAX, field: str = "points") -> int:
    """Raises Invalid."""
    if type(points) is not int or points <= 0:
        raise Invalid(field=field, reason="Must be above 0.")
    if points > most:
        raise Invalid(field=field, reason=f"At most {most:,} points at once.")
    return points


def check_request_id(text: str) -> str:
    """Raises Invalid."""
    if len(text) not in REQUEST_ID_LENGTH or not text.isprintable():
        raise Invalid(field="request_id", reason="Give 8 to 100 characters, new for each request.")
    return text


def check_because(text: str, *, field: str = "because") -> str:
    """Raises Invalid."""
    because = " ".join(text.split())
    if not because or len(because) > BECAUSE_LENGTH_MAX:
        raise Invalid(field=field, reason=f"Give a reason of 1 to {BECAUSE_LENGTH_MAX} characters.")
    return because


def check_reason(text: str) -> str:
    """Why staff adjust: whoever decides reads nothing else. Raises Invalid."""
    reason = " ".join(text.split())
    if len(reason) not in REASON_LENGTH:
        raise Invalid(field="reason", reason="Give a reason of 5 to 200 characters.")
    return reason


def check_expires_on(day: date | None, *, today: date) -> date | None:
    """The last day of the points. Raises Invalid."""
    if day is None:
        return None
    if day < today:
        raise Invalid(field="expires_on", reason="This day is over.")
    if day - today > LIFE_MAX:
        raise Invalid(field="expires_on", reason="At most ten years from today.")
    return day


def end_of(day: date) -> datetime:
    """The first moment at which points of this last day are gone."""
    return seoul_midnight(day + timedelta(days=1))


def last_day_of(expires_at: datetime) -> date:
    return seoul_date(expires_at - timedelta(microseconds=1))


def end_of_fresh(life: timedelta, now: datetime) -> datetime:
    """Whole Seoul days from tomorrow on."""
    return end_of(seoul_date(now) + life)


def take(lots: Sequence[Part], points: int) -> list[Part]:
    """`points` out of lots that stand in the order of their expiry. They hold that many."""
    taken, left = [], points
    for lot in lots:
        if left == 0:
            break
        part = min(left, lot.points)
        taken.append(Part(lot.lot_id, part, lot.expires_at))
        left -= part
    if left:
        raise ValueError(f"{points} points, and the lots hold {points - left}")
    return taken


def give_back(parts: Sequence[Part], points: int) -> list[Part]:
    """Where `points` go back to: what expires last first, for that favours the customer."""
    never = [part for part in parts if part.expires_at is None]
    ending = [(part.expires_at, part) for part in parts if part.expires_at is not None]
    ending.sort(key=lambda pair: (pair[0], pair[1].lot_id), reverse=True)
    return take([*never, *(part for _, part in ending)], points)
