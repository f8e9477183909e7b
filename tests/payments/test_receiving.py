import json

import pytest
from sqlalchemy import select

from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.payments import applying, charging, reading, recording
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


def deposit_callback(gateway, payment_id, *, status="DONE", **fields):
    [order_id] = make.order_ids([payment_id])
    [payment] = gateway.payments(order_id)
    created_at = "2026-11-22T00:00:00.000000"
    body = {"orderId": order_id, "status": status, "createdAt": created_at}
    return body | {"secret": payment["secret"]} | fields


def read_all():
    """What a worker does with the messages that came."""
    with transaction():
        ids = list(db.session.scalars(select(GatewayEvent.id).order_by(GatewayEvent.id)))
    applying.read_events(ids, by=BY)


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
    assert knock(app, deposit_callback(gateway, awaited)).status_code == 200
    assert due_ids() == [], "the door itself only stores"
    read_all()
    charging.execute_attempts(due_ids(), by=BY)
    assert make.statuses() == ["waiting"], "the message lied: nothing was paid in"
    gateway.deposit(orderId=make.order_ids([awaited])[0])
    knock(app, deposit_callback(gateway, awaited), delivery_id="delivery-2")
    read_all()
    charging.execute_attempts(due_ids(), by=BY)
    assert make.statuses(GatewayEvent) == ["applied", "applied"]
    assert (make.statuses(), make.statuses(Payment)) == (["succeeded"], ["paid"])


def test_a_repeated_message_is_stored_once(app, awaited, gateway):
    assert knock(app, deposit_callback(gateway, awaited)).json == {"code": "stored"}
    assert knock(app, deposit_callback(gateway, awaited)).json == {"code": "repeat"}
    with transaction():
        assert db.session.scalars(select(GatewayEvent.repeats)).all() == [1]


def test_a_message_about_something_else_is_kept_and_changes_nothing(app, awaited):
    assert knock(app, {"eventType": "BILLING_DELETED", "data": {}}).status_code == 200
    read_all()
    assert due_ids() == []
    assert make.statuses(GatewayEvent) == ["ignored"]


@pytest.mark.parametrize(
    "fields",
    [{"secret": "ps_of_somebody_else"}, {"secret": ""}, {"secret": None}, {"secret": "한글"}],
    ids=["another", "empty", "none", "not ASCII"],
)
def test_who_does_not_know_the_secret_of_the_account_changes_nothing(
    app, awaited, gateway, owner, fields
):
    gateway.deposit(orderId=make.order_ids([awaited])[0])
    counts = "SELECT (SELECT count(*) FROM gateway_events), (SELECT max(id) FROM audit_entries)"
    before = owner.execute(counts).fetchone()
    answer = knock(app, deposit_callback(gateway, awaited, **fields))
    assert (answer.status_code, answer.json) == (403, {"code": "forged_message"})
    assert owner.execute(counts).fetchone() == before
    assert due_ids() == []


def test_what_is_kept_of_a_message_holds_no_secret_beside_its_body(app, awaited, gateway):
    body = deposit_callback(gateway, awaited)
    knock(app, body)
    with transaction():
        [event] = db.session.scalars(select(GatewayEvent))
        said, kept = reading.unwrap(event.body_sealed, event.delivery_id)
    assert json.loads(kept) == body
    assert (said.gateway_order_id, said.secret) == (body["orderId"], None)


def test_a_message_that_comes_while_the_gateway_is_asked_is_not_forgotten(app, awaited, gateway):
    ids = make.attempt_ids([awaited])
    make.make_everything_due()
    with transaction():
        [claim] = charging._claim(ids, by=BY)
    knock(app, deposit_callback(gateway, awaited))
    read_all()
    assert make.statuses(GatewayEvent) == ["stored"], "it waits for the answer under way"
    with transaction():
        answer = Answer(Outcome.PENDING, "waiting for the deposit")
        recording.record_answers([(claim, answer)], by=BY)
    assert due_ids() == []
    read_all()
    assert (make.statuses(GatewayEvent), due_ids()) == (["applied"], ids)


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
        body = {"data": {"orderId": make.order_ids([payment_id])[0], "status": "DONE"}}
        knock(app, body, delivery_id=f"delivery-{number}")
        read_all()
        charging.execute_attempts(ids, by=BY)
    assert make.statuses() == ["unknown"]
