"""What a plan may look like."""

import re
from datetime import date, timedelta

from opsapp.catalog.errors import PriceTooHigh, VersionTooLate
from opsapp.kernel.errors import Invalid

CODE_LENGTH_MAX = 64
NAME_LENGTH_MAX = 100
INTERVALS = ("day", "week", "month")
INTERVAL_COUNT_MAX = 366
TRIAL_DAYS_MAX = 366
TERM_PERIODS_MAX = 1200
AMOUNT_MINOR_MAX = 10**12  # times any quantity it still fits where amounts are kept
FEE_BP_MAX = 9000  # with its VAT still less than what is paid
AHEAD_MAX = timedelta(days=3 * 366)  # a mistyped year would keep out every version before it

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


def check_trial_days(days: int, *, field: str = "trial_days") -> int:
    """Raises Invalid."""
    if not 0 <= days <= TRIAL_DAYS_MAX:
        raise Invalid(field=field, reason=f"must be between 0 and {TRIAL_DAYS_MAX}.")
    return days


def check_term_periods(count: int | None, *, field: str = "term_periods") -> int | None:
    """Raises Invalid. None: it goes on until somebody ends it."""
    if count is not None and not 1 <= count <= TERM_PERIODS_MAX:
        raise Invalid(field=field, reason=f"must be between 1 and {TERM_PERIODS_MAX}.")
    return count


def check_amount(minor: int, *, field: str = "amount") -> int:
    """Raises Invalid."""
    if minor <= 0:
        raise Invalid(field=field, reason="must be above 0.")
    if minor > AMOUNT_MINOR_MAX:
        raise PriceTooHigh(field=field)
    return minor


def check_effective_on(day: date, *, today: date, field: str = "effective_on") -> date:
    """Raises VersionTooLate."""
    if day > today + AHEAD_MAX:
        raise VersionTooLate(field=field, day=today + AHEAD_MAX)
    return day


def check_fee(fee_bp: int, *, field: str = "fee") -> int:
    """Basis points. Raises Invalid."""
    if not 0 <= fee_bp <= FEE_BP_MAX:
        raise Invalid(field=field, reason="Enter a fee from 0 to 90 percent.")
    return fee_bp
