"""What the address of a list may hold. An unreadable filter is named, never ignored.

A wish is read here and not in the door: an export and a saved view ask for the same rows later,
from the same words.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import gettext as _

YEARS = range(1900, 9999)  # at the ends of the calendar a day more or less is none
TEXT_LENGTH_MAX = 200
DIGITS_MAX = 18
METHOD_KINDS = ("card", "transfer", "easy_pay", "mobile", "virtual_account")
CHANNELS = ("email", "sms", "fcm", "webpush")
GATEWAYS = ("toss", "portone", "stripe")

Query = Mapping[str, str]


def plain(query: Query, name: str) -> str:
    """PostgreSQL cannot hold NUL, so it is dropped."""
    return query.get(name, "").replace("\x00", "").strip()


def search(query: Query, name: str = "q") -> str:
    """What somebody looks for; nothing that is called anything here is longer."""
    return plain(query, name)[:TEXT_LENGTH_MAX]


def choice(query: Query, name: str, allowed: Iterable[str], default: str = "") -> str:
    """Raises Invalid naming the argument and what was asked."""
    value = plain(query, name) or default
    if value != default and value not in [str(each) for each in allowed]:
        raise Invalid(field=name, reason=_("{value} is not one of the choices.", value=value[:50]))
    return value


def day(query: Query, name: str) -> date | None:
    """Raises Invalid."""
    value = plain(query, name)
    if not value:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        reason = _("{value} is not a date like 2026-11-22.", value=value[:50])
        raise Invalid(field=name, reason=reason)
    return found


def period(query: Query) -> tuple[date | None, date | None]:
    """`since` and `until`, Seoul days. Raises Invalid, also for one that runs backwards."""
    since, until = day(query, "since"), day(query, "until")
    if since and until and until < since:
        raise Invalid(field="until", reason="The period ends before it begins.")
    return since, until


def whole_number(query: Query, name: str) -> int | None:
    """Raises Invalid. Separators are taken as people write them."""
    value = plain(query, name).replace(",", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > DIGITS_MAX:
        raise Invalid(field=name, reason=_("{value} is not a whole number.", value=value[:50]))
    return int(value)


def is_ticked(query: Query, name: str) -> bool:
    """Raises Invalid."""
    return choice(query, name, ("yes",)) == "yes"
