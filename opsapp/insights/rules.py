"""What looks like a card number (PAN): digits as cards group them, with a right check digit.

And which periods of a list are short enough to be added up while somebody waits.
"""

import re
from dataclasses import dataclass
from datetime import date

# 13-19 digits in one piece or grouped as printed on cards (4-4-4-4, 4-6-5), not part of a longer
# word or number. First digits 2-6 and 9 are those of card brands; times in milliseconds begin
# with 1. PostgreSQL and Python read it alike.
PAN_PATTERN = (
    r"(?<![0-9A-Za-z])(?<![0-9][.])"  # the digits of a fraction are none
    r"(?:[2-69][0-9]{12,18}"
    r"|[2-69][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{1,7}"
    r"|[2-69][0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5})"
    r"(?![0-9A-Za-z])"
)
_PAN = re.compile(PAN_PATTERN)
SUMMED_DAYS_MAX = 92  # a quarter


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all rows that a filter leaves, in won."""

    count: int
    captured_minor: int = 0
    refunded_minor: int = 0


def is_short(since: date | None, until: date | None) -> bool:
    """Both ends are known and at most a quarter apart."""
    return since is not None and until is not None and (until - since).days < SUMMED_DAYS_MAX


def find_pans(text: str) -> list[str]:
    """Card numbers in a text, masked: first six and last four digits."""
    found = ("".join(filter(str.isdigit, match)) for match in _PAN.findall(text))
    return [f"{digits[:6]}******{digits[-4:]}" for digits in found if _is_luhn_valid(digits)]


def _is_luhn_valid(digits: str) -> bool:
    odd = sum(int(d) for d in digits[-1::-2])
    doubled = sum(sum(divmod(int(d) * 2, 10)) for d in digits[-2::-2])
    return (odd + doubled) % 10 == 0
