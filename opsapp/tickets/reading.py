"""Reading: what was written in a ticket, unsealed for the people who work on it."""

from dataclasses import dataclass
from datetime import datetime

from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.tickets import queries, writing


@dataclass(frozen=True, slots=True)
class Written:
    """`text` is None where its key is gone."""

    id: int
    kind: str
    text: str | None
    locale: str
    author: str
    at: datetime
    from_ticket_id: int | None


def list_written(ticket_id: int) -> list[Written]:
    """Oldest first."""
    return [
        Written(
            row.id,
            row.kind,
            _open(row.text_sealed, row.request_id),
            row.locale,
            row.author,
            row.at,
            row.from_ticket_id,
        )
        for row in queries.list_messages(ticket_id)
    ]


def _open(sealed: bytes, request_id: str) -> str | None:
    try:
        return unseal(sealed, context=writing.text_context(request_id))
    except Unreadable:
        return None
