"""Putting off: the customer is waited for, and the SLA with them, or it comes back another day."""

from datetime import datetime

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.tickets import queries, rules
from opsapp.tickets.errors import TicketIsResolved
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TICKET, TicketStatus

ANSWERED = "the customer answered"
ASKED = "the customer was asked"


@within_transaction
def wait_for_customer(ticket_id: int, *, because: str, by: Actor) -> None:
    """The SLA stands still from now on. Raises NotFound, IllegalMove."""
    begin_waiting(queries.lock_ticket(ticket_id), because=because, by=by)


@within_transaction
def go_on(ticket_id: int, *, by: Actor, because: str = ANSWERED) -> None:
    """The SLA goes on where it stood. Raises NotFound, IllegalMove."""
    ticket = queries.lock_ticket(ticket_id)
    TICKET.move(ticket, TicketStatus.IN_PROGRESS, because=because, by=by)
    if ticket.waiting_since is not None:
        ticket.answer_due_at = rules.due_after_waiting(
            ticket.answer_due_at, ticket.waiting_since, clock.now()
        )
    ticket.waiting_since = ticket.snoozed_until = None


@within_transaction
def snooze(ticket_id: int, *, until: datetime, by: Actor) -> None:
    """Out of the queue until then; the SLA runs on. Raises NotFound, Invalid, TicketIsResolved."""
    rules.check_snooze(until, clock.now())
    ticket = queries.lock_ticket(ticket_id)
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket_id)
    ticket.snoozed_until = until
    detail = {"until": until.isoformat()}
    record(Entry("ticket.snoozed", "ticket", ticket_id, detail=detail), by=by)


def begin_waiting(ticket: Ticket, *, because: str, by: Actor) -> None:
    """Of a locked row. Raises IllegalMove."""
    TICKET.move(ticket, TicketStatus.WAITING_CUSTOMER, because=because, by=by)
    ticket.waiting_since = clock.now()
