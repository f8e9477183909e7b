"""Who has how many cases, how late they are, and which kinds come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select

from opsapp.insights.listing_tickets import can_be_worked_on
from opsapp.kernel.db import db
from opsapp.staff.models import StaffAccount
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TicketStatus

RECENT = timedelta(days=7)
_RESOLVED = TicketStatus.RESOLVED.value


@dataclass(frozen=True, slots=True)
class Load:
    """Of one person, or of nobody. `oldest_due_at`: of what can be worked on now."""

    account_id: int | None
    name: str | None
    todo: int
    overdue: int
    waiting: int
    snoozed: int
    resolved: int  # in the last seven days
    took: timedelta | None  # on average, from opening to the end, of these
    oldest_due_at: datetime | None


def list_workload(now: datetime) -> list[Load]:
    """Nobody's cases first, then by how much there is to do; in one statement."""
    is_open = Ticket.status != _RESOLVED
    todo = can_be_worked_on(now)
    is_recent = and_(Ticket.status == _RESOLVED, Ticket.resolved_at > now - RECENT)
    counted = (
        select(
            Ticket.assignee_id,
            StaffAccount.name,
            func.count().filter(todo).label("todo"),
            func.count().filter(todo, _is_overdue(now)),
            func.count().filter(Ticket.status == TicketStatus.WAITING_CUSTOMER.value),
            func.count().filter(is_open, Ticket.snoozed_until > now),
            func.count().filter(is_recent),
            func.avg(Ticket.resolved_at - Ticket.opened_at).filter(is_recent),
            func.min(Ticket.answer_due_at).filter(todo),
        )
        .outerjoin(StaffAccount, StaffAccount.id == Ticket.assignee_id)
        .where(or_(is_open, is_recent))
        .group_by(Ticket.assignee_id, StaffAccount.name)
        .order_by(Ticket.assignee_id.is_not(None), func.count().filter(todo).desc())
    )
    return [Load(*row) for row in db.session.execute(counted)]


def list_reasons(now: datetime) -> list[Any]:
    """Unresolved cases by reason, the most frequent first."""
    counted = (
        select(
            Ticket.reason,
            func.count().label("todo"),
            func.count().filter(_is_overdue(now)).label("overdue"),
        )
        .where(can_be_worked_on(now))
        .group_by(Ticket.reason)
        .order_by(func.count().desc(), Ticket.reason)
    )
    return list(db.session.execute(counted))


def _is_overdue(now: datetime) -> Any:
    return and_(Ticket.answer_due_at < now, Ticket.waiting_since.is_(None))
