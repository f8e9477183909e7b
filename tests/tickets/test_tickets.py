from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from opsapp.insights import listing_tickets
from opsapp.insights.listing_tickets import TicketWish
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.tickets import merging, opening, queries, resolving
from opsapp.tickets.errors import (
    TicketIsResolved,
    TicketIsTaken,
    TicketKeptApart,
    TicketsDiffer,
)
from opsapp.tickets.opening import NewTicket
from opsapp.tickets.states import TicketStatus

BY = Actor("staff", "1")


def open_ticket(subject_id: int = 1, *, reason: str = "repeated_failure") -> list[int]:
    with transaction():
        wish = NewTicket("subscription", subject_id, None, reason, "two charges failed in a row")
        return opening.open_tickets([wish], by=BY)


def status(ticket_id: int) -> str:
    with transaction():
        return queries.get_ticket(ticket_id).status


def test_a_second_cause_joins_the_open_ticket(app: Flask) -> None:
    [first] = open_ticket()
    assert open_ticket() == []
    assert open_ticket(reason="method_unusable")
    with transaction():
        resolving.resolve(first, because="the customer paid", by=BY)
    assert open_ticket() != []


def test_one_call_opens_many_and_leaves_out_the_open_ones(app: Flask) -> None:
    open_ticket(2)
    wishes = [NewTicket("subscription", n, None, "repeated_failure", "x") for n in (1, 2, 3)]
    with transaction():
        assert len(opening.open_tickets(wishes, by=BY)) == 2
        assert opening.open_tickets([], by=BY) == []


def test_a_ticket_says_until_when_it_is_to_be_answered(app: Flask) -> None:
    [ordinary] = open_ticket()
    [pressing] = open_ticket(reason="uncertain_attempt")
    with transaction():
        first, second = queries.get_ticket(ordinary), queries.get_ticket(pressing)
        assert first.answer_due_at - first.opened_at == timedelta(hours=24)
        assert second.answer_due_at - second.opened_at == timedelta(hours=4)
        assert [row.id for row in queries.list_most_urgent()] == [pressing, ordinary]


def test_what_is_overdue_is_counted(app: Flask) -> None:
    open_ticket()
    open_ticket(2)
    with transaction():
        clock.advance(timedelta(hours=25))
    with transaction():
        assert queries.count_unresolved() == queries.TicketFigures(unresolved=2, overdue=2)


def test_a_ticket_is_the_work_of_one_person(app: Flask) -> None:
    [ticket_id] = open_ticket()
    with transaction():
        resolving.take(ticket_id, assignee_id=1, by=BY)
        resolving.take(ticket_id, assignee_id=1, by=BY)
    with pytest.raises(TicketIsTaken), transaction():
        resolving.take(ticket_id, assignee_id=2, by=BY)
    assert status(ticket_id) == "in_progress"


def test_a_resolved_ticket_can_neither_be_taken_nor_resolved(app: Flask) -> None:
    [ticket_id] = open_ticket()
    with transaction():
        resolving.resolve(ticket_id, because="told the customer", by=BY)
    with pytest.raises(TicketIsResolved), transaction():
        resolving.take(ticket_id, assignee_id=1, by=BY)
    with pytest.raises(TicketIsResolved), transaction():
        resolving.resolve(ticket_id, because="again", by=BY)


def test_a_ticket_that_is_not_there_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound), transaction():
        resolving.take(404, assignee_id=1, by=BY)


def test_tickets_are_resolved_when_their_cause_is_gone(app: Flask) -> None:
    [mine] = open_ticket(1)
    [other_reason] = open_ticket(1, reason="method_unusable")
    [other_subject] = open_ticket(2)
    because = "the missing period was paid"
    with transaction():
        count = resolving.resolve_for(
            "subscription", [1, 3], "repeated_failure", because=because, by=BY
        )
    assert count == 1
    assert [status(each) for each in (mine, other_reason, other_subject)] == [
        "resolved",
        "open",
        "open",
    ]


def test_each_step_of_a_ticket_is_logged(app: Flask) -> None:
    [ticket_id] = open_ticket()
    with transaction():
        resolving.take(ticket_id, assignee_id=1, by=BY)
        resolving.resolve(ticket_id, because="done", by=BY)
    with transaction():
        actions = db.session.scalars(
            select(AuditEntry.action)
            .where(AuditEntry.subject_type == "ticket", AuditEntry.subject_id == ticket_id)
            .order_by(AuditEntry.id)
        )
        assert list(actions) == ["ticket.opened", "ticket.in_progress", "ticket.resolved"]


def test_lists_show_what_was_asked_for(app: Flask) -> None:
    [first] = open_ticket()
    [second] = open_ticket(2)
    with transaction():
        resolving.resolve(first, because="done", by=BY)
    with transaction():
        page = queries.list_tickets(statuses=[TicketStatus.OPEN])
        assert [row.id for row in page.rows] == [second]
        assert [row.id for row in queries.list_about("subscription", 1)] == [first]


def open_for(customer_id: int, subject_id: int, reason: str) -> int:
    with transaction():
        wish = NewTicket("subscription", subject_id, customer_id, reason, "x")
        [ticket_id] = opening.open_tickets([wish], by=BY)
    return ticket_id


def test_only_open_cases_of_one_customer_become_one_and_money_is_kept_apart(app: Flask) -> None:
    first, second = open_for(1, 1, "repeated_failure"), open_for(1, 1, "method_unusable")
    stranger, money = open_for(2, 2, "repeated_failure"), open_for(1, 3, "refund_stuck")
    for other in (stranger, first):
        with pytest.raises(TicketsDiffer), transaction():
            merging.merge(first, into=other, by=BY)
    for pair in ((money, first), (first, money)):
        with pytest.raises(TicketKeptApart), transaction():
            merging.merge(pair[0], into=pair[1], by=BY)
    with transaction():
        merging.merge(second, into=first, by=BY)
    with pytest.raises(TicketsDiffer), transaction():
        merging.merge(second, into=first, by=BY)


def test_what_others_were_merged_into_stays_when_its_own_cause_is_gone(app: Flask) -> None:
    first, second = open_for(1, 1, "repeated_failure"), open_for(1, 2, "method_unusable")
    with transaction():
        merging.merge(second, into=first, by=BY)
    with transaction():
        assert resolving.resolve_for(
            "subscription", [1], "repeated_failure", because="it was paid", by=BY
        ) == 0  # fmt: skip
    assert status(first) == "open"


def test_the_inbox_turns_its_pages_by_what_is_due_first(app: Flask) -> None:
    reasons = ("repeated_failure", "uncertain_attempt", "gateway_paused", "method_unusable")
    ids = [open_for(1, n, reason) for n, reason in enumerate(reasons, start=1)]
    due_first = [ids[2], ids[1], ids[0], ids[3]]
    with transaction():
        first = listing_tickets.list_tickets(TicketWish(), cursor=None, size=3)
        rest = listing_tickets.list_tickets(TicketWish(), cursor=first.next_cursor, size=3)
        back = listing_tickets.list_tickets(TicketWish(), cursor=rest.previous_cursor, size=3)
    assert [row.id for row in (*first.rows, *rest.rows)] == due_first
    assert [row.id for row in back.rows] == due_first[:3]
