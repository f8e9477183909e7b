"""What is filtered by something rare is read from an index of its own, not through the whole list.

Without one, the list is read in its order until thirty rows are found, which are not there.
"""

import pytest
from flask import Flask
from sqlalchemy import event

from opsapp.insights import listing_events
from opsapp.insights.finding_orders import orders_like
from opsapp.insights.listing import LISTS
from opsapp.kernel.db import db

RARE = (
    ("notifications", {"channel": "webpush"}, "notices_pushed"),
    ("webhooks", {"gateway": "stripe"}, "gateway_events_other_gateway"),
    ("webhooks", {"type": "NO_SUCH_EVENT"}, "gateway_events_other_type"),
    ("refunds", {"status": "refused"}, "refunds_other_status"),
    ("tickets", {"tab": "all", "reason": "refund_stuck"}, "tickets_reason"),
    ("tickets", {"tab": "all", "priority": "urgent"}, "tickets_other_priority"),
    ("tickets", {"tab": "all", "assignee": "7"}, "tickets_given"),
    ("tickets", {"tab": "all", "sort": "due"}, "tickets_answer"),
    ("audit", {"refused": "yes"}, "audit_entries_refused"),
    ("payments", {"gateway": "stripe"}, "payments_other_gateway"),
    ("payments", {"method": "mobile"}, "payments_other_method"),
    ("payments", {"failure": "fraud_suspected"}, "payments_failure"),
    # Everything of people who were found, and what has that very number: each at once.
    ("payments", {"q": "김래원"}, "Index Cond: (customer_id = ANY"),
    ("payments", {"q": "김래원"}, "Index Cond: (id = ANY"),
)


@pytest.fixture
def plan_of(app: Flask):
    sent = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        sent.append((statement, parameters))

    def plan(read) -> str:
        del sent[:]
        read()
        statement, parameters = sent[-1]  # the clock may be asked first
        cursor = db.session.connection().connection.cursor()
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())

    event.listen(db.engine, "before_cursor_execute", note)
    yield plan
    event.remove(db.engine, "before_cursor_execute", note)


def test_a_rare_value_is_read_from_an_index_of_its_own(plan_of):
    elsewhere = {}
    for name, query, index in RARE:
        source = LISTS[name]
        wish = source.read_wish(query)
        plan = plan_of(
            lambda source=source, wish=wish: source.list_rows(wish, cursor=None, size=30)
        )
        if index not in plan:
            elsewhere[name, *query.values()] = plan
    assert elsewhere == {}


def test_an_act_that_nobody_did_is_looked_for_in_no_part_of_the_log(plan_of):
    wish = LISTS["audit"].read_wish({"action": "refund.requested"})
    definition = "SELECT indexdef FROM pg_indexes WHERE indexname = 'audit_entries_action'"
    [(made,)] = db.session.connection().exec_driver_sql(definition).all()
    assert "USING brin (action text_bloom_ops)" in made
    assert "audit_entries" in plan_of(lambda: LISTS["audit"].list_rows(wish, cursor=None, size=30))


def test_messages_to_play_again_are_read_in_the_order_of_their_period(plan_of):
    wish = listing_events.read_wish({"since": "2026-10-01", "until": "2026-10-31"})
    plan = plan_of(lambda: listing_events.list_replayable(wish, limit=500))
    assert "gateway_events_listed" in plan
    assert "gateway_events_pkey" not in plan


def test_a_whole_order_number_finds_its_order_alone_and_a_part_of_one_all_that_hold_it(app, owner):
    owner.execute("SET session_replication_role = replica")
    for row_id, ref in ((1, "SHOP-1000"), (2, "SHOP-10001"), (3, "ELSE-1")):
        owner.execute(
            "INSERT INTO orders (id, order_ref, customer_id, title, amount_minor, currency) "
            "VALUES (%s, %s, 1, '사과', 1000, 'KRW')",
            (row_id, ref),
        )

    def found(text: str) -> set[int]:
        return set(db.session.scalars(orders_like(text)))

    assert found("SHOP-1000") == {1}
    assert found("SHOP-100") == {1, 2}
    assert found("SHOP-10001") == {2}
    assert found("SHOP-2000") == set()
