"""What one person may do alone, how long it can be undone, and how soon a second one decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import BIGINT_MAX, Money

CURRENCY = "KRW"  # limits are in won; another currency has no limit of its own
ROLES = ("cs", "finance", "admin")  # those that may refund
UNDO_MINUTES = range(61)
ANSWER_HOURS = range(1, 73)
EXPIRE_HOURS = range(1, 24 * 14 + 1)
ROWS = range(10_001)
REASON_LENGTH = range(5, 301)
COMMENT_LENGTH = range(2, 301)
EMERGENCY_LENGTH = range(20, 301)  # a word would do for a comment; an emergency is told

OVER_LIMIT = "over_limit"
OTHER_CURRENCY = "other_currency"
MANY_ROWS = "many_rows"
LARGE_SUM = "large_sum"


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of the policy. Minutes and hours are business time, amounts whole won.

    `limits` by role: up to it one person refunds alone. `bulk_rows`, `bulk_sum`: above either a
    bulk job needs a second person.
    """

    refund_undo_minutes: int
    bulk_undo_minutes: int
    limits: Mapping[str, int]
    bulk_rows: int
    bulk_sum: int
    answer_hours: int
    expire_hours: int

    @property
    def refund_undo(self) -> timedelta:
        return timedelta(minutes=self.refund_undo_minutes)

    @property
    def bulk_undo(self) -> timedelta:
        return timedelta(minutes=self.bulk_undo_minutes)

    def limit_of(self, role: str | None) -> int:
        return self.limits.get(role or "", 0)


# Version 0: in force until somebody writes another one.
SHIPPED = Terms(
    refund_undo_minutes=3,
    bulk_undo_minutes=3,
    limits={"cs": 300_000, "finance": 3_000_000, "admin": 10_000_000},
    bulk_rows=1_000,
    bulk_sum=3_000_000,
    answer_hours=4,
    expire_hours=72,
)


def why_not_alone(terms: Terms, role: str | None, amount: Money) -> str:
    """Why this refund needs a second person; "" if it needs none."""
    if amount.currency != CURRENCY:
        return OTHER_CURRENCY
    return OVER_LIMIT if amount.minor > terms.limit_of(role) else ""


def why_not_alone_in_bulk(
    terms: Terms,
    role: str | None,
    rows: int,
    amounts: Iterable[Money],
    *,
    ordered_today: int = 0,
) -> str:
    """`amounts`: what each row would give back; empty where no money goes back.

    `ordered_today`: won in other jobs of the same person. A large job in small ones is a large one.
    """
    total = ordered_today
    for amount in amounts:
        if why := why_not_alone(terms, role, amount):
            return why
        total += amount.minor
    if total > terms.bulk_sum:
        return LARGE_SUM
    return MANY_ROWS if rows > terms.bulk_rows else ""


def check(terms: Terms) -> None:
    """Raises Invalid naming the field."""
    spans: tuple[tuple[str, int, range, str], ...] = (
        ("refund_undo_minutes", terms.refund_undo_minutes, UNDO_MINUTES, "0 to 60 minutes."),
        ("bulk_undo_minutes", terms.bulk_undo_minutes, UNDO_MINUTES, "0 to 60 minutes."),
        ("bulk_rows", terms.bulk_rows, ROWS, "0 to 10,000 rows."),
        ("answer_hours", terms.answer_hours, ANSWER_HOURS, "1 to 72 hours."),
        ("expire_hours", terms.expire_hours, EXPIRE_HOURS, "1 to 336 hours."),
    )
    for field, value, allowed, reason in spans:
        if value not in allowed:
            raise Invalid(field=field, reason=reason)
    if terms.expire_hours < terms.answer_hours:
        raise Invalid(field="expire_hours", reason="Not sooner than the answer is due.")
    for role in ROLES:
        if not 0 <= terms.limits.get(role, -1) <= BIGINT_MAX:
            raise Invalid(field=f"limit_{role}", reason="Enter the amount in won.")
    if not 0 <= terms.bulk_sum <= BIGINT_MAX:
        raise Invalid(field="bulk_sum", reason="Enter the amount in won.")


def check_comment(text: str, *, is_needed: bool) -> str:
    """Raises Invalid."""
    return _checked("comment", text, COMMENT_LENGTH, "Write 2 to 300 characters.", is_needed)


def check_reason(text: str) -> str:
    """Raises Invalid."""
    return _checked("because", text, REASON_LENGTH, "Give a reason of 5 to 300 characters.")


def check_emergency(text: str) -> str:
    """Raises Invalid."""
    reason = "Describe the emergency in 20 to 300 characters."
    return _checked("comment", text, EMERGENCY_LENGTH, reason)


def _checked(field: str, text: str, allowed: range, reason: str, is_needed: bool = True) -> str:
    plain = " ".join(text.split())
    if len(plain) not in allowed and (plain or is_needed):
        raise Invalid(field=field, reason=reason)
    return plain


def as_json(terms: Terms) -> dict[str, Any]:
    return {
        "refund_undo_minutes": terms.refund_undo_minutes,
        "bulk_undo_minutes": terms.bulk_undo_minutes,
        "limits": dict(terms.limits),
        "bulk_rows": terms.bulk_rows,
        "bulk_sum": terms.bulk_sum,
        "answer_hours": terms.answer_hours,
        "expire_hours": terms.expire_hours,
    }


def read(fields: Mapping[str, Any]) -> Terms:
    return Terms(**fields)


def differences(before: Terms, after: Terms) -> list[tuple[str, int, int]]:
    """(name, before, after) of what changes; a limit is named limit_<role>."""
    then, now = _flat(before), _flat(after)
    return [(name, then[name], now[name]) for name in now if then[name] != now[name]]


def sums_of(amounts: Iterable[Money]) -> dict[str, int]:
    """Minor units by currency."""
    sums: dict[str, int] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    return sums


def _flat(terms: Terms) -> dict[str, int]:
    fields = as_json(terms)
    limits = fields.pop("limits")
    return fields | {f"limit_{role}": limits[role] for role in ROLES}
