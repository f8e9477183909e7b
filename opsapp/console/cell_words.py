"""What stands in a cell of a list, by the table that its column names. Keys of the catalogue."""

from collections.abc import Mapping
from typing import Any

from opsapp.console import (
    deposit_words,
    event_words,
    failure_words,
    order_words,
    sale_words,
    ticket_words,
    words,
)
from opsapp.kernel.locale import gettext as _

ACTOR = {
    "timetable": "Timetable",
    "worker": "Automatic",
    "program": "Shop's program",
    "customer": "Customer",
    "cli": "Command line",
}
WORDS: Mapping[str, Mapping[str, Any]] = {
    "METHOD_KIND": words.METHOD_KIND,
    "GATEWAY": words.GATEWAY,
    "PAID_FOR": {"subscription": "Recurring", "order": "One-off"},
    "ORDER_STATE": sale_words.ORDER_STATE,
    "DEPOSIT_REASON": deposit_words.REASON,
    "RECEIPT_KIND": order_words.RECEIPT_KIND,
    "NOTICE_KIND": words.NOTICE_KIND,
    "CHANNEL": words.CHANNEL,
    "FINDING": event_words.FINDING,
    "FAILURE_SHORT": words.FAILURE_SHORT,
    "RETRY_MODE": failure_words.RETRY_MODE,
    "OUTCOME": failure_words.OUTCOME,
    "TICKET_REASON": ticket_words.REASON,
}


def tell(table: str, value: str) -> str:
    """In the reader's language; a value that no table knows is shown as it is."""
    known: Mapping[str, Any] = WORDS.get(table) or words.TABLES.get(table) or {}
    found: Any = known.get(value, value)
    return _(str(getattr(found, "text", found)))


def tell_actor(actor: str) -> str:
    """`gateway:toss` in words; people are named elsewhere."""
    kind, _colon, rest = actor.partition(":")
    if kind == "gateway":
        return _(words.GATEWAY.get(rest, rest))
    return _(ACTOR.get(kind, actor))
