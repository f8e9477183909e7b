"""Taking and resolving tickets, by a person or because their cause is gone."""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.tickets import queries
from opsapp.tickets.errors import TicketIsResolved, TicketIsTaken
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TICKET, TicketStatus


@within_transaction
def take(ticket_id: int, *, assignee_id: int, by: Actor) -> None:
    """Make it the work of one person; taking one's own again changes nothing.

    Raises NotFound, TicketIsResolved, TicketIsTaken.
    """
    ticket = queries.lock_ticket(ticket_id)
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket_id)
    if ticket.status == TicketStatus.IN_PROGRESS:
        if ticket.assignee_id != assignee_id:
            raise TicketIsTaken(id=ticket_id)
        return
    ticket.assignee_id = assignee_id
    TICKET.move(ticket, TicketStatus.IN_PROGRESS, because="taken", by=by)


@within_transaction
def resolve(ticket_id: int, *, because: str, by: Actor) -> None:
    """Raises NotFound, TicketIsResolved."""
    ticket = queries.lock_ticket(ticket_id)
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket_id)
    ticket.resolved_at = clock.now()
    TICKET.move(ticket, TicketStatus.RESOLVED, because=because, by=by)


@within_transaction
def resolve_for(
    subject_type: str, subject_ids: Sequence[int], reason: str, *, because: str, by: Actor
) -> int:
    """Resolve what was open about these subjects for this reason; returns how many."""
    rows = queries.lock_unresolved(subject_type, subject_ids, reason)
    now = clock.now()
    moves = [
        RowMove(row.id, row.status, TicketStatus.RESOLVED, because, also={"resolved_at": now})
        for row in rows
    ]
    return len(TICKET.move_many(Ticket, moves, by=by))
