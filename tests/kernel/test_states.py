from enum import StrEnum

import psycopg
import pytest
from hypothesis import given, strategies as st
from sqlalchemy import select

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import TransactionMisuse, db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.states import MACHINES, IllegalMove, Move, RowMove, StateMachine
from opsapp.notifications.models import Notice
from opsapp.notifications.states import NOTICE
from opsapp.payments.models import Payment
from opsapp.payments.states import PAYMENT, PaymentStatus
from opsapp.reactions import TABLES
from tests.factories import payments as make

BY = Actor("staff", "1")
assert TABLES, "every machine is known once every table is"


def as_move(payment_id, to, *, source="pending"):
    return RowMove(payment_id, source, to, "a test")


def test_an_unlisted_move_is_refused_and_writes_nothing(app):
    [payment_id] = make.make_payments()
    with pytest.raises(IllegalMove), transaction():
        PAYMENT.move(
            db.session.get_one(Payment, payment_id), PaymentStatus.REFUNDED, because="x", by=BY
        )
    with pytest.raises(IllegalMove), transaction():
        PAYMENT.move_many(Payment, [as_move(payment_id, PaymentStatus.REFUNDED)], by=BY)
    assert make.statuses(Payment) == ["pending"]


def test_many_rows_move_in_one_statement_and_each_is_in_the_log(app):
    ids = make.make_payments(3)
    with transaction():
        moved = PAYMENT.move_many(
            Payment, [as_move(id_, PaymentStatus.FAILED) for id_ in ids], by=BY
        )
        logged = db.session.execute(
            select(AuditEntry.subject_id, AuditEntry.from_state, AuditEntry.actor).where(
                AuditEntry.action == "payment.failed"
            )
        ).all()
    assert moved == set(ids)
    assert sorted(logged) == [(id_, "pending", "staff:1") for id_ in ids]


def test_many_rows_begin_and_are_logged_in_one_statement_each_once(app):
    customer_id = make.make_customer()

    def rows(*ids):
        new = {"ref": "r", "kind": "refund_made", "subject_type": "refund", "values": {"n": 1}}
        return [new | {"subject_id": id_, "customer_id": customer_id} for id_ in ids]

    with transaction():
        first = NOTICE.begin_many(Notice, rows(1, 2), because="kind", by=BY)
        again = NOTICE.begin_many(Notice, rows(2, 3), because="kind", by=BY)
        logged = db.session.execute(
            select(
                AuditEntry.subject_id, AuditEntry.action, AuditEntry.from_state,
                AuditEntry.to_state, AuditEntry.because, AuditEntry.detail,
            ).where(AuditEntry.subject_type == "notice")
        ).all()  # fmt: skip
    assert (len(first), len(again)) == (2, 1), "what was told already is left out"
    told = ("notice.queued", None, "queued", "refund_made", {})
    assert sorted(logged) == [(id_, *told) for id_ in sorted(first + again)]
    assert make.statuses(Notice) == ["queued"] * 3


def test_a_row_that_has_left_its_state_stays_and_is_not_logged(app):
    ids = make.make_payments(2)
    with transaction():
        PAYMENT.move_many(Payment, [as_move(ids[0], PaymentStatus.FAILED)], by=BY)
    with transaction():
        moves = [as_move(id_, PaymentStatus.CANCELLED) for id_ in ids]
        assert PAYMENT.move_many(Payment, moves, by=BY) == {ids[1]}
    assert make.statuses(Payment) == ["failed", "cancelled"]


def test_the_database_knows_the_states_too(app, owner):
    make.make_payments()
    with pytest.raises(psycopg.errors.CheckViolation, match="status_known"):
        owner.execute("UPDATE payments SET status = 'payed'")


def test_a_move_outside_a_transaction_is_a_programming_error(app):
    with pytest.raises(TransactionMisuse):
        PAYMENT.move_many(Payment, [], by=BY)


def test_a_state_that_no_move_reaches_is_refused():
    light = StrEnum("light", ["on", "off"])
    with pytest.raises(ValueError, match="no move leads to"):
        StateMachine("light", start=light.on, moves=[Move(light.off, light.on, "switched on")])


@given(st.sampled_from(sorted(MACHINES)), st.lists(st.integers(0, 50), max_size=30))
def test_no_walk_through_a_machine_leaves_its_states(name, choices):
    machine = MACHINES[name]
    states = {state.value for state in type(machine.start)}
    here = machine.start.value
    for choice in choices:
        onwards = sorted(s for s in type(machine.start) if machine.allows(here, s))
        if not onwards:
            break
        here = onwards[choice % len(onwards)].value
        assert here in states
