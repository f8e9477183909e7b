"""What a plan may look like."""

import re

from opsapp.kernel.errors import Invalid

CODE_LENGTH_MAX = 64
NAME_LENGTH_MAX = 100
INTERVALS = ("day", "week", "month")
INTERVAL_COUNT_MAX = 366

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_code(text: str, *, field: str = "plan_code") -> str:
    """Raises Invalid."""
    if len(text) > CODE_LENGTH_MAX:
        raise Invalid(field=field, reason=f"is longer than {CODE_LENGTH_MAX} characters.")
    if not _CODE.fullmatch(text):
        raise Invalid(field=field, reason="must be letters, digits and . _ - only.")
    return text


def check_name(text: str, *, field: str = "plan_name") -> str:
    """Raises Invalid."""
    name = " ".join(text.split())
    if not name:
        raise Invalid(field=field, reason="must not be empty.")
    if len(name) > NAME_LENGTH_MAX:
        raise Invalid(field=field, reason=f"is longer than {NAME_LENGTH_MAX} characters.")
    if not name.isprintable():
        raise Invalid(field=field, reason="holds characters that cannot be printed.")
    return name


def check_interval(text: str, *, field: str = "interval") -> str:
    """Raises Invalid."""
    if text not in INTERVALS:
        raise Invalid(field=field, reason=f"{text[:20]!r} is not one of {', '.join(INTERVALS)}.")
    return text


def check_interval_count(count: int, *, field: str = "interval_count") -> int:
    """Raises Invalid."""
    if not 1 <= count <= INTERVAL_COUNT_MAX:
        raise Invalid(field=field, reason=f"must be between 1 and {INTERVAL_COUNT_MAX}.")
    return count
