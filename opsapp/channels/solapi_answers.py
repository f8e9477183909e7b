"""What SOLAPI answers to a batch, read message by message.

The vendor echoes our `ref` in customFields. Where it does not, a message that was not taken is
known by its number, and the count of those taken speaks for the rest.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from opsapp.channels.base import Outcome, Receipt

TAKEN = "2000"
# Our sender's number is not registered (yet): ours to mend, and the message goes out afterwards.
OURS_TO_MEND = frozenset({"1062"})

_STATUS_CODE = re.compile(r"[0-9]{4}")
_ERROR_CODE = re.compile(r"[A-Za-z]{1,40}")  # letters only: no number can slip into a row
_MESSAGE_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{7,63}")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to go: `place` is its place in the batch that was handed over."""

    place: int
    ref: str
    number: str
    body: bytes


def receipts(body: object, letters: Sequence[Letter]) -> dict[int, Receipt]:
    """Exactly one for each letter, by place, whatever the answer is."""
    if not isinstance(body, dict):
        return for_all(letters, Receipt(Outcome.AWAY, "the answer cannot be read"))
    waiting = list(letters)
    found: dict[int, Receipt] = {}
    refused = 0
    for item in _items(body.get("failedMessageList")):
        refused += 1
        if (letter := _take(item, waiting)) is not None:
            found[letter.place] = _refusal(item)
    taken = 0
    for item in _items(body.get("messageList")):
        if item.get("statusCode") != TAKEN:
            continue
        if (letter := _take(item, waiting, by_number=False)) is not None:
            taken += 1
            found[letter.place] = Receipt(Outcome.ACCEPTED, provider_ref=_message_id(item))
    is_rest_taken = _counts(body) == (taken + len(waiting), refused)
    rest = (
        Receipt(Outcome.ACCEPTED)
        if is_rest_taken
        else Receipt(Outcome.AWAY, "the answer does not name it")
    )
    return found | for_all(waiting, rest)


def for_all(letters: Sequence[Letter], receipt: Receipt) -> dict[int, Receipt]:
    return {letter.place: receipt for letter in letters}


def reason(status: int, body: object) -> str:
    """Why a whole request was not taken, without a word that could quote a message."""
    code = body.get("errorCode") if isinstance(body, dict) else None
    if isinstance(code, str) and _ERROR_CODE.fullmatch(code):
        return f"SOLAPI {code}"
    return f"HTTP {status}"


def message_id(value: object) -> str | None:
    return value if isinstance(value, str) and _MESSAGE_ID.fullmatch(value) else None


def _items(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _take(item: dict[str, Any], waiting: list[Letter], *, by_number: bool = True) -> Letter | None:
    """The letter that an item is about, taken off the list."""
    custom = item.get("customFields")
    ref = custom.get("ref") if isinstance(custom, dict) else None
    number = item.get("to") if by_number and ref is None else None
    for place, letter in enumerate(waiting):
        if letter.ref == ref or letter.number == number:
            return waiting.pop(place)
    return None


def _refusal(item: dict[str, Any]) -> Receipt:
    code = item.get("statusCode")
    if not (isinstance(code, str) and _STATUS_CODE.fullmatch(code)):
        return Receipt(Outcome.REFUSED, "SOLAPI gives no code", _message_id(item))
    outcome = Outcome.AWAY if code in OURS_TO_MEND else Outcome.REFUSED
    return Receipt(outcome, f"SOLAPI {code}", _message_id(item))


def _message_id(item: dict[str, Any]) -> str | None:
    return message_id(item.get("messageId"))


def _counts(body: dict[str, Any]) -> tuple[object, object]:
    """How many were registered, and how many were not, by the vendor's own count."""
    group = body.get("groupInfo")
    count = group.get("count") if isinstance(group, dict) else None
    if not isinstance(count, dict):
        return (None, None)
    return (count.get("registeredSuccess"), count.get("registeredFailed"))
