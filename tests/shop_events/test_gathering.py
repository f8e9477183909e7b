"""Events out of the log: the right ones, once each, in order, and none of them missed."""

import psycopg
import pytest
from sqlalchemy import event

from opsapp.audit import sealing
from opsapp.kernel.db import db, transaction
from opsapp.kernel.states import MACHINES
from opsapp.payments import charging
from opsapp.shop_events import gathering, rules
from tests.factories import payments as paying
from tests.factories.carts import charge, goods, place, tea
from tests.factories.shop_events import events, gather, say

# Written by verbs, not by a move of a state machine.
BORN = {
    "refund.requested", "refund.adopted", "unmatched_money.opened", "order.placed",
    "subscription.started", "checkout.opened",
}  # fmt: skip


def test_every_action_that_is_waited_for_is_one_that_the_log_can_write(app):
    for action in set(rules.ACTIONS) - BORN:
        subject, _, state = action.partition(".")
        assert state in {each.value for each in type(MACHINES[subject].start)}, action


def test_a_paid_payment_becomes_one_event_however_often_the_log_is_read(app):
    ids = paying.make_payments(3)
    charging.execute_attempts(paying.attempt_ids(ids), by=paying.BY)
    gather()
    gather()
    assert [type_ for type_, _ in events()] == ["payment_method.active", *["payment.paid"] * 3]


def test_what_commits_late_is_told_all_the_same(app, database_url):
    early, late = paying.make_payments(2)
    with psycopg.connect(database_url) as slow:
        slow.execute(
            "INSERT INTO audit_entries (actor, action, subject_type, subject_id, from_state,"
            " to_state, because) VALUES ('worker:slow', 'payment.paid', 'payment', %s,"
            " 'pending', 'paid', '')",
            [late],
        )
        say([early], "paid")
        with transaction():
            sealing.seal()
        with transaction():
            gathering.gather()
    gather()
    refs = {paying.payment(id_).ref for id_ in (early, late)}
    assert {ref for type_, ref in events() if type_ == "payment.paid"} == refs


def test_an_idle_round_is_one_statement(app):
    gather()
    sent = []

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    with transaction():
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            assert gathering.gather() == 0
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
    assert len(sent) == 1


@pytest.mark.parametrize("count", [1, 60])
def test_a_window_costs_as_many_statements_however_much_happened(app, count):
    ids = paying.make_payments(count)
    gather()
    say(ids, "paid")
    with transaction():
        sealing.seal()
    sent = []

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    with transaction():
        gathering.gather()
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(sent) <= 6


def told_of_order() -> list[str]:
    return [type_ for type_, _ in events() if type_.startswith("order.")]


def test_a_mixed_order_is_told_leg_by_leg_and_as_paid_once(app):
    cart = place(goods("사과", 12_000), tea(), points=2_000, pay=False)
    gather()
    assert told_of_order() == ["order.placed"]
    charge(cart.order_id)
    gather()
    told = told_of_order()
    assert sorted(told) == ["order.leg_paid", "order.leg_paid", "order.paid", "order.placed"]
    assert told[-1] == "order.paid"
    assert "subscription.started" in [type_ for type_, _ in events()]


def test_an_order_that_points_pay_wholly_is_told_as_paid(app):
    place(goods("사과", 2_000), points=2_000, pay=False)
    gather()
    told = told_of_order()
    assert told[0] == "order.placed"
    assert told.count("order.paid") == 1
