"""Merging: several tickets of one customer become one; what was written moves along."""

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.tickets import queries, rules
from opsapp.tickets.errors import TicketKeptApart, TicketsDiffer
from opsapp.tickets.models import Ticket, TicketMessage
from opsapp.tickets.states import TICKET, TicketStatus

BECAUSE = "merged into another ticket"


@within_transaction
def merge(ticket_id: int, *, into: int, by: Actor) -> None:
    """`into` stays open and has to be answered by the earlier moment of both.

    Raises NotFound, TicketsDiffer, TicketKeptApart.
    """
    found = {row.id: row for row in queries.lock_tickets([ticket_id, into])}
    merged = found.get(ticket_id) or queries.get_ticket(ticket_id)
    survivor = found.get(into) or queries.get_ticket(into)
    _require_alike(merged, survivor)
    messages = queries.list_messages(ticket_id)
    bulk_update(
        TicketMessage,
        [
            {"id": m.id, "ticket_id": into, "from_ticket_id": m.from_ticket_id or ticket_id}
            for m in messages
        ],
    )
    survivor.answer_due_at = min(survivor.answer_due_at, merged.answer_due_at)
    merged.merged_into_id, merged.resolution = into, rules.MERGED
    merged.resolved_at = clock.now()
    merged.waiting_since = merged.snoozed_until = None
    TICKET.move(merged, TicketStatus.RESOLVED, because=BECAUSE, by=by, detail={"into": into})
    record(
        Entry(
            "ticket.took_in",
            "ticket",
            into,
            detail={"from": ticket_id, "messages": len(messages)},
        ),
        by=by,
    )


def _require_alike(merged: Ticket, survivor: Ticket) -> None:
    is_one_customer = merged.customer_id is not None and merged.customer_id == survivor.customer_id
    is_open = TicketStatus.RESOLVED not in (merged.status, survivor.status)
    if not (is_one_customer and is_open and merged.id != survivor.id):
        raise TicketsDiffer
    for ticket in (merged, survivor):
        if ticket.reason in rules.KEPT_APART:
            raise TicketKeptApart(id=ticket.id)
