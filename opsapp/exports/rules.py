"""What an export may be, and how its cells are made harmless."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import timedelta

from opsapp.kernel.errors import Invalid

FORMATS = ("csv", "xlsx")
ZONES = ("Asia/Seoul", "UTC")
AT_ONCE_MAX = 10_000  # rows; more are written by a worker
PAGE = 1_000
OPEN_MAX = 3  # jobs of one person
TURNS_MAX = 3
KEPT = timedelta(days=7)
LEASE = timedelta(minutes=5)  # far above one page
PART_BYTES = 1 << 20
BECAUSE_LENGTH_MIN, BECAUSE_LENGTH_MAX = 3, 200
COLUMNS_MAX = 60
QUERY_LENGTH_MAX = 4_000
# A sheet takes a text that begins so for a formula; NFKC makes these of the wide forms that Hangul
# input writes. U+2212 is the minus that stays one.
RISKY = frozenset("=+-@\u2212")
CONTROLS = frozenset("\t\r\n\x00")
_FILTER = re.compile(r"[a-z_]{1,30}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_request_id(text: str) -> str:
    """Raises Invalid."""
    if not _REQUEST_ID.fullmatch(text):
        raise Invalid(field="request_id", reason="This form cannot be read. Load the page again.")
    return text


def check_because(text: str) -> str:
    """Raises Invalid."""
    because = " ".join(text.replace("\x00", "").split())
    if not BECAUSE_LENGTH_MIN <= len(because) <= BECAUSE_LENGTH_MAX:
        raise Invalid(field="because", reason="Say why, in 3 to 200 characters.")
    return because


def check_filters(query: Mapping[str, str]) -> None:
    """Their names stand in the log, so they have to be names of filters. Raises Invalid."""
    if sum(map(len, (*query, *query.values()))) > QUERY_LENGTH_MAX:
        raise Invalid(field="query", reason="The filter is too long.")
    if not all(map(is_filter, query)):
        raise Invalid(field="query", reason="This form cannot be read. Load the page again.")


def is_filter(name: str) -> bool:
    return _FILTER.fullmatch(name) is not None


def harmless(text: str) -> str:
    """A text that no sheet takes for a formula, also after the file is saved as another kind.

    What cannot be seen in front of it is no protection: some programs strip it as they read.
    """
    seen = next((at for at, letter in enumerate(text) if not _is_unseen(letter)), len(text))
    begins = unicodedata.normalize("NFKC", text[seen : seen + 1])[:1]
    return f"'{text}" if begins in RISKY or text[:1] in CONTROLS else text


def _is_unseen(letter: str) -> bool:
    """Spaces of every width, control characters, and those that only shape what follows."""
    return letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf")


def name_file(list_name: str, *, since: str, until: str, day: str, format_: str) -> str:
    """`payments_2026-11-01_2026-11-22.csv`; a list without bounds says when it was made."""
    bounds = [text for text in (since, until) if _DAY.fullmatch(text)]
    if not bounds:
        return f"{list_name}_all_until_{day}.{format_}"
    first = since if since in bounds else "begin"
    last = until if until in bounds else day
    return f"{list_name}_{first}_{last}.{format_}"
