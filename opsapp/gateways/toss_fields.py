"""Fields of the Toss Payments objects, taken one by one: what is not as promised is not guessed.

The readers raise Unreadable, or what Python raises for a field that is not there; `TROUBLE` names
them all, and a reader of a whole object turns each into an uncertain answer.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from opsapp.gateways.http import fault
from opsapp.gateways.values import Answer
from opsapp.kernel.clock import SEOUL
from opsapp.kernel.money import BIGINT_MAX, Money

KEY_LENGTH_MAX = 200  # paymentKey and billingKey; a transactionKey has 64
SHOWN_LENGTH_MAX = 200
URL_LENGTH_MAX = 500
CURRENCY = "KRW"
SOURCE = "toss_api"
METHOD_KINDS = {
    "카드": "card",
    "가상계좌": "virtual_account",
    "간편결제": "easy_pay",
    "휴대폰": "mobile",
    "계좌이체": "transfer",
}


class Unreadable(ValueError):
    """A field is there and is not what the vendor promises."""


TROUBLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def won(value: object) -> int:
    """A sum of money: a whole number, never below zero, never a float that looks like one."""
    if type(value) is not int or not 0 <= value <= BIGINT_MAX:
        raise Unreadable("not a sum in whole won")
    return value


def money(value: object, currency: object) -> Money:
    return Money(won(value), _taken(currency))


def signed_money(value: object, currency: object) -> Money:
    """A sum of a list, where what goes back is negative."""
    if type(value) is not int or abs(value) > BIGINT_MAX:
        raise Unreadable("not a sum in whole won")
    return Money(value, _taken(currency))


def key(value: object) -> str:
    """A name that the vendor gave and that will be sent back to it: whole or not at all."""
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= KEY_LENGTH_MAX
        or not value.isprintable()
    ):
        raise Unreadable("not a key")
    return value


def shown(value: object, *, length_max: int = SHOWN_LENGTH_MAX) -> str | None:
    """A text that people may read, or None: nothing depends on it."""
    if not isinstance(value, str) or not value:
        return None
    text = value[:length_max]
    if text.isprintable():
        return text
    return "".join(each for each in text if each.isprintable()) or None


def code(value: object) -> str:
    """A code as the log may hold it; what is no text is no code."""
    return shown(value, length_max=100) or ""


def moment(value: object) -> datetime:
    """The vendor writes some times with +09:00 and some (dueDate) without an offset."""
    if not isinstance(value, str):
        raise Unreadable("not a time")
    read = datetime.fromisoformat(value)
    return (read if read.tzinfo else read.replace(tzinfo=SEOUL)).astimezone(UTC)


def day(value: object) -> date:
    if not isinstance(value, str):
        raise Unreadable("not a day")
    return date.fromisoformat(value)


def part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside another; null and absent are the same."""
    read = whole.get(name)
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise Unreadable(f"{name} is no object")
    return read


def parts(whole: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    read = whole.get(name)
    if read is None:
        return []
    if not isinstance(read, list) or not all(isinstance(each, dict) for each in read):
        raise Unreadable(f"{name} is no list of objects")
    return read


def unreadable(what: str, trouble: Exception, trace_id: str | None) -> Answer:
    because = f"the {what} could not be read ({type(trouble).__name__})"
    return fault("MALFORMED_RESPONSE", because, trace_id=trace_id)


def _taken(currency: object) -> str:
    if currency != CURRENCY:
        raise Unreadable("a currency that was never asked for")
    return CURRENCY
