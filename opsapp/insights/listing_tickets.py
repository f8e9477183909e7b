"""The inbox of cases: whose work they are, and until when they are to be answered."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from opsapp.customers.models import Customer
from opsapp.insights import reading_wishes as reading
from opsapp.insights.reading_wishes import Query
from opsapp.kernel import clock
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.paging import Page, page_of
from opsapp.staff.models import StaffAccount
from opsapp.tickets.models import Ticket
from opsapp.tickets.rules import Priority
from opsapp.tickets.states import TicketStatus

PAGE_SIZE = 30
TODO, UNASSIGNED, SNOOZED, ALL = "todo", "unassigned", "snoozed", "all"
TABS = (TODO, UNASSIGNED, *TicketStatus, SNOOZED, ALL)
DUE, NEWEST = "due", "newest"
# What the next moment of work says nothing about.
_ENDED = (TicketStatus.RESOLVED.value, ALL)
COUNTED_MAX = 1000


@dataclass(frozen=True, slots=True)
class TicketWish:
    """ "" and None ask for all. `todo`: what somebody can work on now, of nobody or of anybody."""

    tab: str = TODO
    assignee: int | None = None
    reason: str = ""
    priority: str = ""
    customer: int | None = None
    is_overdue: bool = False
    since: date | None = None  # opened, in Seoul days
    until: date | None = None
    sort: str = ""

    @property
    def order(self) -> str:
        return self.sort or (NEWEST if self.tab in _ENDED else DUE)


def read_wish(query: Query) -> TicketWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    return TicketWish(
        tab=reading.choice(query, "tab", TABS, TODO),
        assignee=reading.whole_number(query, "assignee"),
        reason=reading.search(query, "reason"),
        priority=reading.choice(query, "priority", Priority),
        customer=reading.whole_number(query, "customer"),
        is_overdue=reading.is_ticked(query, "overdue"),
        since=since,
        until=until,
        sort=reading.choice(query, "sort", (DUE, NEWEST)),
    )


def list_tickets(wish: TicketWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """The soonest to be answered first, or the newest. Raises BadCursor."""
    moment = Ticket.answer_due_at if wish.order == DUE else Ticket.opened_at
    return page_of(
        _tickets().where(*_filters(wish, clock.now())),
        keys=(moment, Ticket.id),
        cursor=cursor,
        size=size,
        soonest_first=wish.order == DUE,
    )


def list_next(now: datetime, account_id: int, *, limit: int = 8) -> list[Any]:
    """What this person could work on now: their own first, then nobody's, the soonest due first."""
    wanted = _tickets().where(
        can_be_worked_on(now),
        or_(Ticket.assignee_id == account_id, Ticket.assignee_id.is_(None)),
    )
    ordered = wanted.order_by(Ticket.assignee_id.is_(None), Ticket.answer_due_at, Ticket.id)
    return list(db.session.execute(ordered.limit(limit)))


def count_parts(now: datetime, account_id: int) -> dict[str, Select[*tuple[Any, ...]]]:
    """How many each of the inbox's lists shows, to be counted up to COUNTED_MAX."""
    wishes = {
        "mine": TicketWish(assignee=account_id),
        "unassigned": TicketWish(tab=UNASSIGNED),
        "overdue": TicketWish(is_overdue=True),
    }
    return {
        name: select(Ticket.id).where(*_filters(wish, now)).limit(COUNTED_MAX)
        for name, wish in wishes.items()
    }


def _tickets() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Ticket.id, Ticket.reason, Ticket.summary, Ticket.status, Ticket.priority,
            Ticket.subject_type, Ticket.subject_id, Ticket.opened_at, Ticket.answer_due_at,
            Ticket.waiting_since, Ticket.snoozed_until, Ticket.resolved_at, Ticket.resolution,
            Ticket.customer_id, Ticket.assignee_id, Customer.name.label("customer_name"),
            Customer.customer_ref, StaffAccount.name.label("assignee"),
        )
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(StaffAccount, StaffAccount.id == Ticket.assignee_id)
    )  # fmt: skip


def _filters(wish: TicketWish, now: datetime) -> list[ColumnElement[bool]]:
    found = [*_of_tab(wish.tab, now)]
    if wish.assignee is not None:
        found.append(Ticket.assignee_id == wish.assignee)
    if wish.reason:
        found.append(Ticket.reason == wish.reason)
    if wish.priority:
        found.append(Ticket.priority == wish.priority)
    if wish.customer is not None:
        found.append(Ticket.customer_id == wish.customer)
    if wish.is_overdue:
        found += [
            Ticket.answer_due_at < now,
            Ticket.status != TicketStatus.RESOLVED.value,
            Ticket.waiting_since.is_(None),
        ]
    if wish.since is not None:
        found.append(Ticket.opened_at >= seoul_midnight(wish.since))
    if wish.until is not None:
        found.append(Ticket.opened_at < seoul_midnight(wish.until + timedelta(days=1)))
    return found


def _of_tab(tab: str, now: datetime) -> list[ColumnElement[bool]]:
    match tab:
        case "all":
            return []
        case "todo":
            return [can_be_worked_on(now)]
        case "unassigned":
            return [can_be_worked_on(now), Ticket.assignee_id.is_(None)]
        case "snoozed":
            return [Ticket.status != TicketStatus.RESOLVED.value, Ticket.snoozed_until > now]
        case _:
            return [Ticket.status == tab]


def can_be_worked_on(now: datetime) -> ColumnElement[bool]:
    """Not put off; who waits for a customer is at work again on the day that was named."""
    has_come = Ticket.snoozed_until <= now
    waits = Ticket.status == TicketStatus.WAITING_CUSTOMER.value
    return and_(
        Ticket.status != TicketStatus.RESOLVED.value,
        or_(has_come, and_(~waits, Ticket.snoozed_until.is_(None))),
    )
