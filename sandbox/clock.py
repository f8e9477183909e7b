"""Seoul time as the vendor writes it."""

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

KST: Final = timezone(timedelta(hours=9), "KST")


@lru_cache(maxsize=4096)
def _stamp_of_second(second: int) -> str:
    return datetime.fromtimestamp(second, KST).isoformat(timespec="seconds")


def stamp(at_s: float) -> str:
    """`2022-01-01T00:00:00+09:00`, the form of requestedAt and approvedAt."""
    return _stamp_of_second(int(at_s))


def stamp_without_offset(at_s: float) -> str:
    """`2022-01-01T00:00:00`, the form of a virtual account's dueDate."""
    return stamp(at_s)[:19]


def webhook_stamp(at_s: float) -> str:
    """`2022-01-01T00:00:00.000000`: six digits of a second, no offset (webhook createdAt)."""
    return datetime.fromtimestamp(at_s, KST).replace(tzinfo=None).isoformat(timespec="microseconds")


def day_of(at_s: float) -> date:
    return datetime.fromtimestamp(at_s, KST).date()


def parse_instant(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 text; without offset it is Seoul time.

    Raises ValueError.
    """
    # A plus sign that a client forgot to escape in a query arrives as a space.
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=KST)
    return moment.timestamp()


def working_day_after(day: date, count: int) -> date:
    """The day `count` working days (Monday to Friday) after `day`; holidays are not known."""
    while count > 0:
        day += timedelta(days=1)
        if day.weekday() < 5:
            count -= 1
    return day
