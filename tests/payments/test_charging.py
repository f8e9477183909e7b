import asyncio
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import IntegrityError

from opsapp.gateways import base
from opsapp.gateways.registry import connected
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import TransactionMisuse, db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.ledger.models import LedgerTransfer
from opsapp.payments import charging, recording, requesting
from opsapp.payments.comparing import compare_with_gateway
from opsapp.payments.models import Attempt, Payment
from opsapp.tickets.models import Ticket
from tests.factories import payments as make

BY = Actor("worker", "test")


def take_a_turn(ids):
    charging.execute_attempts(ids, by=BY)


def call(claim):
    async def connected_call():
        async with connected():
            return await charging._call(claim)

    return asyncio.run(connected_call())


@pytest.mark.parametrize(
    ("faults", "attempt", "payment"),
    [
        ({}, "succeeded", "paid"),
        ({"declines": {"REJECT_CARD_PAYMENT": 1.0}}, "declined", "failed"),
        ({"declines": {"INVALID_API_KEY": 1.0}}, "declined", "failed"),
        ({"lost_after": 1.0}, "unknown", "pending"),
        ({"lost_before": 1.0}, "unknown", "pending"),
        ({"errors_500": 1.0}, "unknown", "pending"),
    ],
)
def test_a_charge_ends_where_the_gateway_said(app, gateway, faults, attempt, payment):
    [payment_id] = make.make_payments()
    gateway.faults(**faults)
    take_a_turn(make.attempt_ids([payment_id]))
    assert (make.statuses(), make.statuses(Payment)) == ([attempt], [payment])


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "resets", "errors_500"])
def test_an_uncertain_charge_is_inquired_and_ends_as_exactly_one_capture(app, gateway, fault):
    [payment_id] = make.make_payments()
    gateway.faults(**{fault: 1.0})
    take_a_turn(ids := make.attempt_ids([payment_id]))
    gateway.clear()
    for _ in range(3):
        make.make_everything_due()
        take_a_turn(ids)
    assert make.statuses() == ["succeeded"]
    [at_gateway] = gateway.payments(*make.order_ids([payment_id]))
    assert at_gateway["totalAmount"] == 9900
    differences = compare_with_gateway()
    assert differences.missing_here + differences.missing_there + differences.doubled == []


def test_an_answer_lost_after_the_effect_is_never_charged_again(app, gateway):
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0)
    take_a_turn(ids := make.attempt_ids([payment_id]))
    make.make_everything_due()
    gateway.clear()
    take_a_turn(ids)
    assert make.statuses() == ["succeeded"], "one inquiry is enough"
    with transaction():
        actions = db.session.scalars(
            select(AuditEntry.because)
            .where(AuditEntry.subject_type == "attempt")
            .order_by(AuditEntry.id)
        ).all()
    assert actions[0] == "claimed, to be sent"
    assert actions[2] == "claimed, to be inquired"


def test_an_approval_is_written_with_its_books_and_its_log(app, gateway):
    [payment_id] = make.make_payments()
    take_a_turn(make.attempt_ids([payment_id]))
    with transaction():
        transfer = db.session.scalars(select(LedgerTransfer)).one()
        assert (transfer.debit_account, transfer.credit_account, transfer.amount_minor) == (
            "gateway_clearing:toss",
            "sales",
            9900,
        )
        moves = db.session.execute(
            select(AuditEntry.action, AuditEntry.actor)
            .where(AuditEntry.subject_type.in_(["payment", "attempt"]))
            .order_by(AuditEntry.id)
        ).all()
    assert moves == [
        ("payment.requested", "cli:test"),
        ("attempt.inflight", "worker:test"),
        ("attempt.succeeded", "worker:test"),
        ("payment.paid", "worker:test"),
    ]
    assert make.payment(payment_id).captured_minor == 9900


def test_a_worker_that_froze_after_the_charge_loses_and_doubles_nothing(app, gateway):
    [payment_id] = make.make_payments()
    ids = make.attempt_ids([payment_id])
    with transaction():
        [frozen] = charging._claim(ids, by=BY)
    late_answer = call(frozen)
    take_a_turn(ids)
    assert make.statuses() == ["inflight"], "the lease is respected"
    make.make_everything_due()
    with transaction():
        [second] = charging._claim(ids, by=BY)
        recording.record_answers([(frozen, late_answer)], by=BY)
    assert make.statuses() == ["inflight"], "an answer under a stale fence is discarded"
    found = call(second)
    with transaction():
        recording.record_answers([(second, found)], by=BY)
    assert make.statuses() == ["succeeded"]
    with transaction():
        assert db.session.scalars(select(func.count(LedgerTransfer.id))).one() == 1


def test_a_call_too_late_for_its_lease_is_not_made_and_its_turn_is_taken_back(
    app, gateway, monkeypatch
):
    [payment_id] = make.make_payments()
    ids = make.attempt_ids([payment_id])
    with transaction():
        [claim] = charging._claim(ids, by=BY)
    monkeypatch.setattr(base, "monotonic", lambda: claim.request.call_before + 0.001)
    answer = call(claim)
    with transaction():
        recording.record_answers([(claim, answer)], by=BY)
        attempt = db.session.scalars(select(Attempt)).one()
        assert (attempt.status, attempt.turns, attempt.first_sent_at) == ("ready", 0, None)
    assert gateway.payments(*make.order_ids([payment_id])) == []


def test_a_gateway_that_cannot_be_reached_has_not_been_sent_anything(app, settings):
    [payment_id] = make.make_payments()
    gateway = charging.gateway_named("toss")
    gateway._url = "http://127.0.0.1:9"
    take_a_turn(make.attempt_ids([payment_id]))
    with transaction():
        attempt = db.session.scalars(select(Attempt)).one()
    assert (attempt.status, attempt.turns, attempt.first_sent_at) == ("ready", 0, None)


def test_many_take_the_same_walk_as_one_in_few_commits(app, gateway):
    payment_ids, commits = make.make_payments(200), []
    ids = make.attempt_ids(payment_ids)
    event.listen(db.engine, "commit", commits.append)
    take_a_turn(ids)
    assert set(make.statuses()) == {"succeeded"}
    # 25 commits per thousand is the bar at 100 ms; at no latency batches are small.
    assert len(commits) < 100


def test_two_workers_on_the_same_ids_share_them(app, gateway):
    ids = make.attempt_ids(make.make_payments(4))
    with transaction():
        charging._claim(ids[:2], by=BY)
        with app.app_context(), transaction():
            theirs = charging._claim(ids, by=BY)
            db.session.rollback()
    assert [claim.attempt_id for claim in theirs] == ids[2:]


def test_a_poisonous_row_does_not_spoil_its_neighbours(app, gateway, owner):
    payment_ids = make.make_payments(3)
    mine = [payment_ids[1]]
    owner.execute("UPDATE attempts SET gateway_name = 'gone' WHERE payment_id = %s", mine)
    take_a_turn(make.attempt_ids(payment_ids))
    assert make.statuses() == ["succeeded", "ready", "succeeded"]


def test_a_row_that_no_turn_settles_becomes_a_persons_with_a_ticket(app, gateway):
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    ids = make.attempt_ids([payment_id])
    for _ in range(14):
        take_a_turn(ids)
        make.make_everything_due()
    assert make.statuses() == ["needs_human"]
    with transaction():
        assert db.session.scalars(select(Ticket.reason)).all() == ["uncertain_attempt"]


def test_an_approval_over_another_amount_is_a_persons(app, gateway, owner):
    [payment_id] = make.make_payments()
    owner.execute("UPDATE payments SET amount_minor = 9000")
    take_a_turn(make.attempt_ids([payment_id]))
    assert (make.statuses(), make.statuses(Payment)) == (["needs_human"], ["pending"])


def test_a_retry_is_a_new_attempt_with_a_new_order_id_and_key(app, gateway):
    [payment_id] = make.make_payments()
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    take_a_turn(make.attempt_ids([payment_id]))
    gateway.clear()
    with transaction():
        method_id = db.session.scalars(select(Attempt.payment_method_id)).one()
        requesting.request_another_attempt(
            payment_id, payment_method_id=method_id, due_at=clock.now(), by=BY
        )
    take_a_turn(make.attempt_ids([payment_id]))
    assert (make.statuses(), make.statuses(Payment)) == (["declined", "succeeded"], ["paid"])
    assert len(set(make.order_ids([payment_id]))) == 2


def test_the_database_refuses_a_second_open_attempt(app, gateway, owner):
    make.make_payments()
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_live_attempt"):
        owner.execute(
            "INSERT INTO attempts (payment_id, number, payment_method_id, gateway_name, "
            "method_kind, flow, gateway_order_id, idempotency_key, request_sealed, status, "
            "requested_by) SELECT payment_id, 2, payment_method_id, gateway_name, method_kind, "
            "flow, 'other', 'other', request_sealed, 'ready', requested_by FROM attempts"
        )


def test_the_same_key_is_collected_once_ever(app, gateway):
    [payment_id] = make.make_payments()
    with transaction():
        payment = db.session.get_one(Payment, payment_id)
        method_id = db.session.scalars(select(Attempt.payment_method_id)).one()
        order = requesting.PaymentOrder(
            payment.subject_type,
            payment.subject_id,
            payment.customer_id,
            method_id,
            payment.title,
            payment.amount,
        )
        assert requesting.request_payments([order], by=BY) == {}
    assert len(make.statuses(Payment)) == 1


def test_what_was_never_sent_can_be_withdrawn_and_is_not_charged_any_more(app, gateway):
    payment_ids = make.make_payments(2)
    with transaction():
        assert requesting.withdraw(payment_ids[:1], because="cancelled", by=BY) == 1
    take_a_turn(make.attempt_ids(payment_ids))
    assert make.statuses() == ["withdrawn", "succeeded"]
    assert make.statuses(Payment) == ["cancelled", "paid"]


def test_the_shape_of_a_procedure_is_enforced(app):
    with pytest.raises(TransactionMisuse):
        requesting.request_payments([], by=BY)
    with pytest.raises(TransactionMisuse), transaction():
        charging.execute_attempts([], by=BY)


def test_the_database_refuses_a_capture_of_part_of_the_amount(app, gateway, owner):
    make.make_payments()
    with pytest.raises(psycopg.errors.CheckViolation, match="captured_whole"):
        owner.execute("UPDATE payments SET captured_minor = 1")


def test_a_planned_attempt_is_not_charged_before_its_day(app, gateway):
    [payment_id] = make.make_payments()
    with transaction():
        later = clock.now() + timedelta(days=1)
        db.session.execute(update(Attempt).values(due_at=later))
    take_a_turn(make.attempt_ids([payment_id]))
    assert make.statuses() == ["ready"]
    with transaction():
        clock.advance(timedelta(days=1, minutes=1))
    take_a_turn(make.attempt_ids([payment_id]))
    assert make.statuses() == ["succeeded"]


def test_an_integrity_error_rolls_the_whole_record_back(app, gateway):
    [payment_id] = make.make_payments()
    ids = make.attempt_ids([payment_id])
    with transaction():
        [claim] = charging._claim(ids, by=BY)
    answer = call(claim)
    with transaction():
        db.session.add(
            LedgerTransfer(
                kind="charge",
                debit_account="a",
                credit_account="b",
                amount_minor=1,
                currency="KRW",
                subject_type="attempt",
                subject_id=ids[0],
            )
        )
    with pytest.raises(IntegrityError), transaction():
        recording.record_answers([(claim, answer)], by=BY)
    assert (make.statuses(), make.statuses(Payment)) == (["inflight"], ["pending"])
