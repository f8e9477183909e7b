"""Assigning: handing a ticket to a colleague, sharing out many, and saying what comes first."""

from collections.abc import Sequence

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record, record_many
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.tickets import queries, writing
from opsapp.tickets.errors import CannotWorkTickets, TicketIsResolved
from opsapp.tickets.models import Ticket
from opsapp.tickets.rules import Priority
from opsapp.tickets.states import TicketStatus


@within_transaction
def hand_over(ticket_id: int, *, to: int, note: str, request_id: str, by: Actor) -> None:
    """The note tells the colleague what was done and what is left to do.

    Raises NotFound, TicketIsResolved, CannotWorkTickets, Invalid.
    """
    _require_worker(to)
    ticket = queries.lock_ticket(ticket_id)
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket_id)
    writing.write_note(ticket_id, note, request_id=request_id, by=by)
    if ticket.assignee_id == to:
        return
    ticket.assignee_id = to
    record(_handed_over(ticket_id, to), by=by)


@within_transaction
def assign_many(ticket_ids: Sequence[int], *, to: int, by: Actor) -> int:
    """All of them that are not resolved, whoever had them. Returns how many went to another one.

    Raises CannotWorkTickets.
    """
    _require_worker(to)
    rows = [
        row
        for row in queries.lock_tickets(ticket_ids)
        if row.status != TicketStatus.RESOLVED and row.assignee_id != to
    ]
    bulk_update(Ticket, [{"id": row.id, "assignee_id": to} for row in rows])
    record_many([_handed_over(row.id, to) for row in rows], by=by)
    return len(rows)


@within_transaction
def set_priority(ticket_id: int, priority: str, *, by: Actor) -> None:
    """Raises NotFound, Invalid, TicketIsResolved."""
    if priority not in list(Priority):
        raise Invalid(field="priority", reason="Choose a priority.")
    ticket = queries.lock_ticket(ticket_id)
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket_id)
    if ticket.priority == priority:
        return
    detail = {"before": ticket.priority, "after": priority}
    ticket.priority = priority
    record(Entry("ticket.priority_set", "ticket", ticket_id, detail=detail), by=by)


def _require_worker(account_id: int) -> None:
    if account_id not in {person.id for person in staff.list_people(Permission.WORK_TICKETS)}:
        raise CannotWorkTickets(field="to")


def _handed_over(ticket_id: int, to: int) -> Entry:
    return Entry("ticket.handed_over", "ticket", ticket_id, detail={"to": to})
