"""Words and formats for people: Korean first, English beside it.

Message keys are English sentences; locale/ko.po holds the Korean, read once by Babel's own reader.
The locale belongs to the context: a door sets it per request, a worker per message.
"""

from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from babel.dates import TIMEDELTA_UNITS, format_timedelta
from babel.messages.pofile import read_po

from opsapp.kernel.clock import SEOUL
from opsapp.kernel.money import EXPONENTS, Money

LOCALES = ("ko", "en")
ROOT = Path(__file__).parents[2]
# In a checkout beside the packages, in a wheel inside (hatch_build.py).
FOLDERS = (Path(__file__).parents[1] / "_locale", ROOT / "locale")
NEXT_UNIT_FROM = 0.85  # of the larger unit, as Babel has it

current_locale: ContextVar[str] = ContextVar("current_locale", default="ko")


def gettext(key: str, **values: Any) -> str:
    """The text in the context's locale, its {placeholders} filled; the key where none is known."""
    text = _catalogue(current_locale.get()).get(key, key)
    return text.format(**values) if values else text


def won(amount: Money) -> str:
    """1,234,000원 in Korean, ₩1,234,000 in English; other currencies by their code."""
    exponent = EXPONENTS.get(amount.currency, 0)
    number = (
        f"{abs(amount.minor) / 10**exponent:,.{exponent}f}"
        if exponent
        else (f"{abs(amount.minor):,}")
    )
    sign = "-" if amount.minor < 0 else ""
    if amount.currency != "KRW":
        return f"{sign}{number} {amount.currency}"
    return f"{sign}{number}원" if current_locale.get() == "ko" else f"{sign}₩{number}"


def kst(moment: datetime) -> str:
    """2026-11-22 14:00:00 KST."""
    return f"{moment.astimezone(SEOUL):%Y-%m-%d %H:%M:%S} KST"


def kst_short(moment: datetime) -> str:
    """2026-11-22 14:00, Asia/Seoul."""
    return f"{moment.astimezone(SEOUL):%Y-%m-%d %H:%M}"


def kst_with_utc(moment: datetime) -> str:
    """2026-11-22 14:00:00 KST (05:00 UTC)."""
    return f"{kst(moment)} ({moment.astimezone(UTC):%H:%M} UTC)"


def kst_day(moment: datetime | date) -> str:
    """2026-11-22, the day in Asia/Seoul."""
    day = moment.astimezone(SEOUL) if isinstance(moment, datetime) else moment
    return f"{day:%Y-%m-%d}"


def ago(moment: datetime, *, now: datetime) -> str:
    """`5분 전`, `in 3 hours`; whole units, the largest that fits."""
    return _largest_unit(moment - now, True)


def span(length: timedelta) -> str:
    """`5분`, `3 hours`; whole units, the largest that fits."""
    return _largest_unit(length, False)


def _largest_unit(length: timedelta, has_direction: bool) -> str:
    """As Babel's format_timedelta says it, which takes long, so that each text is made once."""
    seconds = length.days * 86_400 + length.seconds
    name, unit_s = next(
        unit for unit in TIMEDELTA_UNITS if abs(seconds) / unit[1] >= NEXT_UNIT_FROM or unit[1] == 1
    )
    count = max(round(abs(seconds) / unit_s), 1) if seconds else 0
    return _units(-count if seconds < 0 else count, name, has_direction, current_locale.get())


@lru_cache(maxsize=2048)
def _units(count: int, name: str, has_direction: bool, locale: str) -> str:
    unit_s = dict(TIMEDELTA_UNITS)[name]
    return format_timedelta(
        timedelta(seconds=count * unit_s),
        granularity=cast(Any, name),
        threshold=float("inf"),  # no larger unit
        add_direction=has_direction,
        locale=locale,
    )


@lru_cache(maxsize=4)
def _catalogue(locale: str) -> dict[str, str]:
    for folder in FOLDERS:
        file = folder / f"{locale}.po"
        if file.exists():
            with file.open("rb") as source:
                catalogue = read_po(source, locale=locale)
            return {str(m.id): str(m.string) for m in catalogue if m.id and m.string}
    return {}
