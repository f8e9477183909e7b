"""Reads of tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import aliased

from opsapp.kernel import clock
from opsapp.kernel.db import as_array, db, is_among, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.tickets.models import Ticket, TicketMacro, TicketMessage
from opsapp.tickets.states import TicketStatus

_UNRESOLVED = Ticket.status != TicketStatus.RESOLVED.value


@dataclass(frozen=True, slots=True)
class TicketFigures:
    unresolved: int
    overdue: int  # past the moment by which they had to be answered


def find_ticket(ticket_id: int) -> Ticket | None:
    return db.session.get(Ticket, ticket_id)


def get_ticket(ticket_id: int) -> Ticket:
    """Raises NotFound."""
    ticket = find_ticket(ticket_id)
    if ticket is None:
        raise NotFound(noun="ticket", id=ticket_id)
    return ticket


def list_tickets(
    *, statuses: Sequence[TicketStatus], cursor: str | None = None, size: int = 50
) -> Page[Any]:
    """Those in one of the states, newest first. Rows have the ticket's columns."""
    wanted = [status.value for status in statuses]
    return page_of(
        select(*Ticket.__table__.c).where(Ticket.status.in_(wanted)),
        keys=(Ticket.opened_at, Ticket.id),
        cursor=cursor,
        size=size,
    )


def list_most_urgent(*, limit: int = 50) -> list[Ticket]:
    """Unresolved ones, the soonest to be answered first."""
    urgent = select(Ticket).where(_UNRESOLVED).order_by(Ticket.answer_due_at, Ticket.id)
    return list(db.session.scalars(urgent.limit(limit)))


def list_about(subject_type: str, subject_id: int) -> list[Ticket]:
    """All about one subject, newest first."""
    about = select(Ticket).where(
        Ticket.subject_type == subject_type, Ticket.subject_id == subject_id
    )
    return list(db.session.scalars(about.order_by(Ticket.id.desc())))


def list_of_customer(customer_id: int, *, limit: int = 50) -> list[Ticket]:
    of_customer = select(Ticket).where(Ticket.customer_id == customer_id)
    return list(db.session.scalars(of_customer.order_by(Ticket.id.desc()).limit(limit)))


def count_unresolved() -> TicketFigures:
    is_overdue = Ticket.answer_due_at < clock.now()
    row = db.session.execute(
        select(func.count(), func.count().filter(is_overdue)).select_from(Ticket).where(_UNRESOLVED)
    ).one()
    return TicketFigures(unresolved=row[0], overdue=row[1])


def lock_ticket(ticket_id: int) -> Ticket:
    """Raises NotFound."""
    ticket = db.session.scalars(locked(select(Ticket).where(Ticket.id == ticket_id))).first()
    if ticket is None:
        raise NotFound(noun="ticket", id=ticket_id)
    return ticket


def lock_tickets(ticket_ids: Sequence[int]) -> list[Ticket]:
    """Those that there are, in the order of ids."""
    wanted = select(Ticket).where(Ticket.id.in_(ticket_ids)).order_by(Ticket.id)
    return list(db.session.scalars(locked(wanted)))


def lock_unresolved(subject_type: str, subject_ids: Sequence[int], reason: str) -> list[Any]:
    """Id and status of those open for this reason.

    Without what others were merged into: their causes are not gone with this one's.
    """
    asked = {"subject": subject_type, "ids": as_array(subject_ids), "because": reason}
    return list(db.session.execute(_lock_unresolved(), asked))


@cache
def _lock_unresolved() -> Select[int, str]:
    merged = aliased(Ticket)
    unresolved = select(Ticket.id, Ticket.status).where(
        Ticket.subject_type == bindparam("subject"),
        is_among(Ticket.subject_id, "ids"),
        Ticket.reason == bindparam("because"),
        _UNRESOLVED,
        ~select(merged.id).where(merged.merged_into_id == Ticket.id).exists(),
    )
    return locked(unresolved.order_by(Ticket.id))


def has_open_twin(ticket: Ticket) -> bool:
    """Whether the same cause has opened another ticket since."""
    twin = select(Ticket.id).where(
        Ticket.subject_type == ticket.subject_type,
        Ticket.subject_id == ticket.subject_id,
        Ticket.reason == ticket.reason,
        Ticket.id != ticket.id,
        _UNRESOLVED,
    )
    return db.session.scalars(twin.limit(1)).first() is not None


def find_message(request_id: str) -> TicketMessage | None:
    wanted = select(TicketMessage).where(TicketMessage.request_id == request_id)
    return db.session.scalars(wanted).one_or_none()


def list_messages(ticket_id: int) -> list[TicketMessage]:
    """Oldest first."""
    of_ticket = select(TicketMessage).where(TicketMessage.ticket_id == ticket_id)
    return list(db.session.scalars(of_ticket.order_by(TicketMessage.id)))


def list_macros(*, with_retired: bool = False) -> list[TicketMacro]:
    wanted = select(TicketMacro).order_by(TicketMacro.name)
    if not with_retired:
        wanted = wanted.where(TicketMacro.is_active)
    return list(db.session.scalars(wanted))


def find_macro_named(name: str) -> TicketMacro | None:
    return db.session.scalars(select(TicketMacro).where(TicketMacro.name == name)).one_or_none()


def lock_macro(macro_id: int) -> TicketMacro:
    """Raises NotFound."""
    wanted = select(TicketMacro).where(TicketMacro.id == macro_id)
    macro = db.session.scalars(locked(wanted)).one_or_none()
    if macro is None:
        raise NotFound(noun="macro", id=macro_id)
    return macro


def get_macro(macro_id: int) -> TicketMacro:
    """Raises NotFound."""
    macro = db.session.get(TicketMacro, macro_id)
    if macro is None:
        raise NotFound(noun="macro", id=macro_id)
    return macro
