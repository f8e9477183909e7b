"""Writing: notes among staff, and messages to the customer, which go out as notices of their own.

Both are about people, so the table holds them sealed. A notice carries a seal of its own.
"""

import base64
from dataclasses import dataclass
from typing import Any

from opsapp.channels.base import Message
from opsapp.customers import queries as customers
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.notifications import delivering, previewing
from opsapp.notifications.sending import NewNotice, queue_notices
from opsapp.tickets import putting_off, queries, rules
from opsapp.tickets.errors import NobodyToWriteTo, TicketIsResolved
from opsapp.tickets.models import Ticket, TicketMessage
from opsapp.tickets.states import TICKET, TicketStatus

KIND = "ticket_message"
NOTE, CUSTOMER = "note", "customer"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as `notifications.previewing` shows notices."""

    values: dict[str, Any]
    customer_name: str
    locale: str
    kind: str = KIND
    channel: str | None = None
    place: int = 0


@within_transaction
def write_note(ticket_id: int, text: str, *, request_id: str, by: Actor) -> int:
    """Seen by staff alone; also of a resolved ticket. A form sent twice is one note: its id.

    Raises NotFound, Invalid, TextTooLong.
    """
    note = rules.check_note(text)
    queries.lock_ticket(ticket_id)
    if known := queries.find_message(request_id):
        return known.id
    message_id = _write(ticket_id, NOTE, note, request_id, locale="", by=by)
    record(Entry("ticket.noted", "ticket", ticket_id, detail={"message": message_id}), by=by)
    return message_id


@within_transaction
def write_to_customer(
    ticket_id: int, text: str, *, request_id: str, then_wait: bool, by: Actor
) -> int:
    """Queue it for the customer; `then_wait`: for the answer, while the SLA stands still.

    Raises NotFound, TicketIsResolved, NobodyToWriteTo, and what rules.check_text raises.
    """
    written = rules.check_text(text)
    ticket = queries.lock_ticket(ticket_id)
    if known := queries.find_message(request_id):
        return known.id
    customer_id = _require_customer(ticket)
    customer = customers.get_customer(customer_id)
    message_id = _write(ticket_id, CUSTOMER, written, request_id, locale=customer.locale, by=by)
    sealed = seal(written, context=delivering.text_context(request_id))
    values = {
        delivering.TEXT_SEALED: base64.b64encode(sealed).decode(),
        delivering.TEXT_REF: request_id,
    }
    queue_notices([NewNotice(KIND, KIND, message_id, customer_id, values)], by=by)
    detail = {"message": message_id}
    record(Entry("ticket.customer_written_to", "ticket", ticket_id, detail=detail), by=by)
    if then_wait and ticket.status != TicketStatus.WAITING_CUSTOMER:
        putting_off.begin_waiting(ticket, because=putting_off.ASKED, by=by)
    elif ticket.status == TicketStatus.OPEN and by.kind == "staff":
        ticket.assignee_id = ticket.assignee_id or int(by.name)
        TICKET.move(ticket, TicketStatus.IN_PROGRESS, because="taken", by=by)
    return message_id


def preview(text: str, *, name: str, locale: str) -> Message | None:
    """As the customer will read it, the name masked; nothing is written.

    Raises what rules.check_text raises.
    """
    return previewing.show_masked(Draft({"text": rules.check_text(text)}, name, locale))


def text_context(request_id: str) -> str:
    return f"ticket_messages.text|{request_id}"


def _require_customer(ticket: Ticket) -> int:
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket.id)
    if ticket.customer_id is None:
        raise NobodyToWriteTo(id=ticket.id)
    return ticket.customer_id


def _write(ticket_id: int, kind: str, text: str, request_id: str, *, locale: str, by: Actor) -> int:
    [row] = bulk_insert(
        TicketMessage,
        [
            {
                "ticket_id": ticket_id,
                "kind": kind,
                "request_id": request_id,
                "text_sealed": seal(text, context=text_context(request_id)),
                "locale": locale,
                "author": str(by),
            }
        ],
        returning=("id",),
    )
    return int(row.id)
