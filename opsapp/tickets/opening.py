"""Opening: something needs a person. A second cause of the same kind joins the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.tickets import rules
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TICKET


@dataclass(frozen=True, slots=True)
class NewTicket:
    """`summary` is a plain sentence with ids and codes, without personal data.

    `priority`, `answer_within`: where somebody has set them, instead of what the reason asks for.
    """

    subject_type: str
    subject_id: int
    customer_id: int | None
    reason: str
    summary: str
    assignee_id: int | None = None
    priority: rules.Priority | None = None
    answer_within: timedelta | None = None


@within_transaction
def open_tickets(wishes: Sequence[NewTicket], *, by: Actor) -> list[int]:
    """Returns the ids of the new ones; an unresolved one of that subject and reason stays."""
    if not wishes:
        return []
    now = clock.now()
    opened = bulk_insert(
        Ticket,
        [
            {
                "subject_type": wish.subject_type,
                "subject_id": wish.subject_id,
                "customer_id": wish.customer_id,
                "reason": wish.reason,
                "summary": wish.summary,
                "status": TICKET.start.value,
                "priority": (wish.priority or rules.priority_of(wish.reason)).value,
                "opened_at": now,
                "assignee_id": wish.assignee_id,
                "answer_due_at": now + (wish.answer_within or rules.answer_within(wish.reason)),
            }
            for wish in sorted(wishes, key=attrgetter("subject_type", "subject_id", "reason"))
        ],
        returning=("id", "reason", "subject_type", "subject_id"),
        or_nothing=True,
    )
    log.record_many(
        [
            log.Entry(
                "ticket.opened",
                "ticket",
                row.id,
                because=row.reason,
                to_state=TICKET.start.value,
                detail={"subject_type": row.subject_type, "subject_id": row.subject_id},
            )
            for row in opened
        ],
        by=by,
    )
    return [row.id for row in opened]
