"""Taking and resolving tickets, by a person or because their cause is gone."""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.states import RowMove
from opsapp.tickets import queries, rules
from opsapp.tickets.errors import TicketCameAgain, TicketIsResolved, TicketIsTaken
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
    if ticket.status != TicketStatus.OPEN:
        if ticket.assignee_id not in (None, assignee_id):
            raise TicketIsTaken(id=ticket_id)
        ticket.assignee_id = assignee_id
        return
    ticket.assignee_id = assignee_id
    TICKET.move(ticket, TicketStatus.IN_PROGRESS, because="taken", by=by)


@within_transaction
def take_many(ticket_ids: Sequence[int], *, assignee_id: int, by: Actor) -> int:
    """Those of them that are new; what somebody works on stays with them. Returns how many."""
    rows = queries.lock_tickets(ticket_ids)
    also = {"assignee_id": assignee_id}
    moves = [
        RowMove(row.id, row.status, TicketStatus.IN_PROGRESS, "taken", also=also)
        for row in rows
        if row.status == TicketStatus.OPEN
    ]
    return len(TICKET.move_many(Ticket, moves, by=by))


@within_transaction
def put_back(ticket_id: int, *, by: Actor) -> None:
    """Nobody's work again. Raises NotFound, IllegalMove unless somebody is at work on it."""
    ticket = queries.lock_ticket(ticket_id)
    ticket.assignee_id = None
    TICKET.move(ticket, TicketStatus.OPEN, because="put back", by=by)


@within_transaction
def resolve(ticket_id: int, *, because: str, resolution: str = rules.SETTLED, by: Actor) -> None:
    """Raises NotFound, TicketIsResolved, Invalid."""
    if resolution not in rules.CHOSEN:
        raise Invalid(field="resolution", reason="Choose how it ended.")
    ticket = queries.lock_ticket(ticket_id)
    if ticket.status == TicketStatus.RESOLVED:
        raise TicketIsResolved(id=ticket_id)
    ticket.resolved_at, ticket.resolution = clock.now(), resolution
    ticket.waiting_since = ticket.snoozed_until = None
    TICKET.move(
        ticket, TicketStatus.RESOLVED, because=because, by=by, detail={"resolution": resolution}
    )


@within_transaction
def reopen(ticket_id: int, *, because: str, by: Actor) -> None:
    """It was not settled after all; it has to be answered as soon as a new one.

    Raises NotFound, TicketCameAgain, IllegalMove.
    """
    ticket = queries.lock_ticket(ticket_id)
    if queries.has_open_twin(ticket):
        raise TicketCameAgain
    TICKET.move(ticket, TicketStatus.OPEN, because=because, by=by)
    ticket.resolved_at = ticket.resolution = ticket.merged_into_id = None
    ticket.answer_due_at = clock.now() + rules.answer_within(ticket.reason)


@within_transaction
def resolve_for(
    subject_type: str, subject_ids: Sequence[int], reason: str, *, because: str, by: Actor
) -> int:
    """Resolve what was open about these subjects for this reason; returns how many."""
    rows = queries.lock_unresolved(subject_type, subject_ids, reason)
    also = {
        "resolved_at": clock.now(),
        "resolution": rules.CAUSE_GONE,
        "waiting_since": None,
        "snoozed_until": None,
    }
    moves = [RowMove(row.id, row.status, TicketStatus.RESOLVED, because, also=also) for row in rows]
    return len(TICKET.move_many(Ticket, moves, by=by))
