import json

import pytest
from sqlalchemy import select

from opsapp.gateways.base import Answer, Outcome
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.payments import charging, recording
from opsapp.payments.models import Attempt, GatewayEvent, Payment
from tests.factories import payments as make

BY = Actor("worker", "test")


@pytest.fixture
def awaited(app, gateway):
    """A payment by virtual account whose account has been issued."""
    [payment_id] = make.make_payments(kind="virtual_account")
    charging.execute_attempts(make.attempt_ids([payment_id]), by=BY)
    return payment_id


def knock(app, body, *, delivery_id="delivery-1"):
    return app.test_client().post(
        "/webhooks/toss",
        data=body if isinstance(body, str) else json.dumps(body),
        headers={"tosspayments-webhook-transmission-id": delivery_id},
    )


def deposit_callback(payment_id):
    [order_id] = make.order_ids([payment_id])
    created_at = "2026-11-22T00:00:00.000000"
    return {"orderId": order_id, "status": "DONE", "secret": "x", "createdAt": created_at}


def due_ids():
    with transaction():
        return list(
            db.session.scalars(select(Attempt.id).where(Attempt.due_at <= db.func.ops_now()))
        )


def test_a_virtual_account_is_issued_and_waited_for(awaited, owner):
    assert (make.statuses(), make.statuses(Payment)) == (["waiting"], ["awaiting_deposit"])
    account = owner.execute("SELECT account FROM attempts").fetchone()[0]
    assert account["bank"] == "20"
    assert account["number"].startswith("****")


def test_a_deposit_is_believed_only_after_asking_the_gateway(app, awaited, gateway):
    assert knock(app, deposit_callback(awaited)).status_code == 200
    charging.execute_attempts(due_ids(), by=BY)
    assert make.statuses() == ["waiting"], "the message lied: nothing was paid in"
    gateway.deposit(orderId=make.order_ids([awaited])[0])
    knock(app, deposit_callback(awaited), delivery_id="delivery-2")
    charging.execute_attempts(due_ids(), by=BY)
    assert (make.statuses(), make.statuses(Payment)) == (["succeeded"], ["paid"])


def test_a_repeated_message_is_stored_once(app, awaited):
    assert knock(app, deposit_callback(awaited)).json == {"code": "stored"}
    assert knock(app, deposit_callback(awaited)).json == {"code": "repeat"}
    with transaction():
        assert db.session.scalars(select(GatewayEvent.repeats)).all() == [1]


def test_a_message_about_something_else_is_kept_and_changes_nothing(app, awaited):
    assert knock(app, {"eventType": "BILLING_DELETED", "data": {}}).status_code == 200
    assert due_ids() == []


@pytest.mark.parametrize("body", ["", "[]", "nonsense", "3"])
def test_an_unreadable_message_is_refused_and_not_stored(app, body):
    assert knock(app, body).status_code == 400
    assert make.statuses(Payment) == []
    with transaction():
        assert db.session.scalars(select(GatewayEvent.id)).all() == []


def test_a_message_without_a_delivery_id_is_refused(app):
    assert knock(app, {"orderId": "x"}, delivery_id="").status_code == 400


def test_a_huge_message_is_refused(app):
    assert knock(app, json.dumps({"x": "y" * 70_000})).status_code == 413


def test_a_message_that_comes_while_the_gateway_is_asked_is_not_forgotten(app, awaited, gateway):
    ids = make.attempt_ids([awaited])
    make.make_everything_due()
    with transaction():
        [claim] = charging._claim(ids, by=BY)
    knock(app, deposit_callback(awaited))
    with transaction():
        answer = Answer(Outcome.PENDING, "waiting for the deposit")
        recording.record_answers([(claim, answer)], by=BY)
    assert due_ids() == ids


def test_an_account_that_nobody_paid_into_ends_as_failed(app, awaited, gateway):
    claim_all = make.attempt_ids([awaited])
    gateway.clock(9 * 86_400)
    try:
        make.make_everything_due()
        charging.execute_attempts(claim_all, by=BY)
    finally:
        gateway.clock(0)
    assert (make.statuses(), make.statuses(Payment)) == (["declined"], ["failed"])


def test_messages_cannot_use_up_the_looks_at_an_uncertain_charge(app, gateway):
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    ids = make.attempt_ids([payment_id])
    charging.execute_attempts(ids, by=BY)
    for number in range(20):
        knock(app, deposit_callback(payment_id), delivery_id=f"delivery-{number}")
        charging.execute_attempts(ids, by=BY)
    assert make.statuses() == ["unknown"]
