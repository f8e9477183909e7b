"""How soon a ticket must be answered, how pressing it is, and what may be written in it."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from opsapp.kernel.errors import Invalid
from opsapp.tickets.errors import NotForTelephones, PlaceLeftOpen, TextTooLong, UnknownPlace

ANSWER_WITHIN = timedelta(hours=24)
SNOOZE_MAX = timedelta(days=31)
# With greeting and signature it still fits one long message of Korean carriers (2,000 bytes).
TEXT_LENGTH_MAX = 800
NOTE_LENGTH_MAX = 2000
MACRO_NAME_LENGTH_MAX = 60
CARRIER = "cp949"  # EUC-KR as telephones know it

# Money whose whereabouts nobody knows does not wait a day.
_WITHIN = {
    "gateway_paused": timedelta(hours=1),  # nothing is charged there until somebody has looked
    "approval_bypassed": timedelta(hours=1),  # one person moved what needs two
    "uncertain_attempt": timedelta(hours=4),
    "webhook_disabled": timedelta(hours=4),  # the shop hears of nothing
    "refund_stuck": timedelta(hours=4),
    "gateway_disagrees": timedelta(hours=4),
    "refund_account_asked": timedelta(days=7),  # as long as the customer's link works
    "unmapped_code": timedelta(hours=4),  # until then what fails with it stays uncertain
}


class Priority(StrEnum):
    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_PRIORITY = {
    "gateway_paused": Priority.URGENT,
    "uncertain_attempt": Priority.HIGH,
    "webhook_disabled": Priority.HIGH,
    "refund_stuck": Priority.HIGH,
    "gateway_disagrees": Priority.HIGH,
    "unmapped_code": Priority.HIGH,
    "unmatched_money": Priority.HIGH,
    "refund_account_asked": Priority.LOW,
}

# How a case ended. Staff choose one of the first four; the others are written by machines.
SETTLED, CAUSE_GONE, MERGED = "settled", "cause_gone", "merged"
CHOSEN = (SETTLED, "told", "no_answer", "nothing_to_do")
RESOLUTIONS = (*CHOSEN, CAUSE_GONE, MERGED)

# Each is about money of its own, which is settled for itself: these are merged with nothing.
KEPT_APART = frozenset(
    {"unmatched_money", "uncertain_attempt", "refund_stuck", "refund_refused", "gateway_disagrees"}
)

# What a macro may name: filled from the ticket's payment and subscription.
PLACES = ("shop", "amount", "title", "paid_on", "next_on")
_PLACE = re.compile(r"\{([^{}\n]{0,40})\}")


def answer_within(reason: str) -> timedelta:
    return _WITHIN.get(reason, ANSWER_WITHIN)


def priority_of(reason: str) -> Priority:
    """Until a person says otherwise."""
    return _PRIORITY.get(reason, Priority.NORMAL)


def due_after_waiting(due_at: datetime, waiting_since: datetime, now: datetime) -> datetime:
    """The clock stood still while the customer was waited for."""
    return due_at + max(now - waiting_since, timedelta(0))


def check_note(text: str) -> str:
    """Raises Invalid."""
    return _check(text, longest=NOTE_LENGTH_MAX)


def check_text(text: str) -> str:
    """What goes to a customer: complete, and of characters that telephones know.

    Raises Invalid, PlaceLeftOpen, NotForTelephones.
    """
    written = _check(text, longest=TEXT_LENGTH_MAX)
    if left := find_places(written):
        raise PlaceLeftOpen(field="text", places=", ".join(left))
    try:
        written.encode(CARRIER)
    except UnicodeEncodeError as error:
        raise NotForTelephones(field="text", character=written[error.start]) from error
    return written


def check_macro(text: str, *, field: str) -> str:
    """Raises Invalid, UnknownPlace."""
    written = _check(text, longest=TEXT_LENGTH_MAX, field=field)
    if unknown := [place for place in find_places(written) if place not in PLACES]:
        raise UnknownPlace(field=field, places=", ".join(unknown), known=", ".join(PLACES))
    return written


def check_macro_name(name: str) -> str:
    """Raises Invalid."""
    written = " ".join(name.split())
    if not 1 <= len(written) <= MACRO_NAME_LENGTH_MAX or not written.isprintable():
        raise Invalid(field="name", reason="Give it a name of at most 60 characters.")
    return written


def find_places(text: str) -> list[str]:
    return _PLACE.findall(text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """What has no value stays in braces, for a person to fill in."""
    return _PLACE.sub(lambda match: values.get(match[1]) or match[0], text)


def check_snooze(until: datetime, now: datetime) -> None:
    """Raises Invalid."""
    if not now < until <= now + SNOOZE_MAX:
        raise Invalid(field="until", reason="Choose a day within the next 31 days.")


def _check(text: str, *, longest: int, field: str = "text") -> str:
    written = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
    if not written:
        raise Invalid(field=field, reason="Write something.")
    if len(written) > longest:
        raise TextTooLong(field=field, limit=f"{longest:,}")
    if not written.replace("\n", "").replace("\t", "").isprintable():
        raise Invalid(field=field, reason="The text holds characters that cannot be printed.")
    return written
