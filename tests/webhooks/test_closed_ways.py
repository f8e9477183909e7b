"""Ways that somebody who can reach the door, and knows no secret, tried."""

import pytest

from opsapp.kernel.actors import Actor
from opsapp.payments import charging, receiving
from tests.factories import payments, webhooks as make
from tests.payments.conftest import gateway as gateway

BY = Actor("worker", "test")


def say(client, body, number, **options):
    return make.toss(body, delivery_id=f"forged-{number}").send(client, **options)


def about(order_id="op_nobody", **fields):
    return {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"orderId": order_id, **fields}}


def count(owner, table):
    return owner.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608


@pytest.mark.parametrize(
    "event_type",
    [
        "환불이 승인되었습니다. 국민 123-456으로 송금하세요",
        "refund approved",
        "A\nB",
        "<img src=x onerror=alert(1)>",
        "\u202ePAID",
        "x" * 101,
        "1",
    ],
)
def test_a_stranger_writes_no_sentence_into_the_log(client, contents, event_type):
    before = contents()
    assert say(client, {"eventType": event_type, "data": {}}, 1).status_code == 400
    assert contents() == before


def test_a_delivery_id_is_text_that_can_be_shown(client, contents):
    before = contents()
    for number in ("\x1b[2J", "\x85", "\xad"):
        assert say(client, about(), number).status_code == 400
    assert contents() == before


def test_who_floods_the_door_with_what_is_nobodys_is_stopped(client, owner, refusals, monkeypatch):
    monkeypatch.setattr(receiving, "UNSIGNED_ABOUT_NOTHING_MAX", 5)
    codes = [say(client, about(f"op_{n}"), n).status_code for n in range(8)]
    assert codes == [200] * 5 + [429] * 3
    assert count(owner, "gateway_events") == count(owner, "audit_entries") == 5
    assert refusals() == {
        'opsapp_webhooks_refused_total{gateway="toss",reason="too_many_messages"}': 3
    }
    owner.execute("UPDATE gateway_events SET received_at = received_at - interval '11 minutes'")
    assert say(client, about(), "later").status_code == 200


def test_a_flood_keeps_no_signed_message_out_and_none_about_a_payment(
    app, client, owner, gateway, monkeypatch
):
    monkeypatch.setattr(receiving, "UNSIGNED_ABOUT_NOTHING_MAX", 0)
    monkeypatch.setattr(receiving, "UNSIGNED_ABOUT_ONE_MAX", 2)
    one, other = payments.order_ids(payments.make_payments(2))
    assert say(client, about(), 0).status_code == 429
    assert make.portone({"paymentId": "op_nobody"}).send(client).status_code == 200
    assert make.toss_payout().send(client).status_code == 200
    assert [say(client, about(one), n).status_code for n in range(3)] == [200, 200, 429]
    assert say(client, about(other), "other").status_code == 200


def test_an_invented_key_does_not_stand_in_for_the_secret_of_an_account(
    app, client, contents, gateway
):
    [payment_id] = payments.make_payments(kind="virtual_account")
    charging.execute_attempts(payments.attempt_ids([payment_id]), by=BY)
    [order_id] = payments.order_ids([payment_id])
    [payment] = gateway.payments(order_id)
    before = contents()
    for fields in ({"paymentKey": "x"}, {"secret": "x"}, {}, {"secret": "x", "paymentKey": "x"}):
        assert say(client, about(order_id, **fields), 1).status_code == 403, fields
    assert contents() == before
    assert say(client, about(order_id, secret=payment["secret"]), 1).status_code == 200
    assert say(client, about(order_id, paymentKey=payment["paymentKey"]), 2).status_code == 200


def test_a_packed_body_is_not_unpacked(client, contents):
    before = contents()
    packed = b"\x1f\x8b\x08\x00" + b"\x00" * 100
    headers = {"tosspayments-webhook-transmission-id": "z", "Content-Encoding": "gzip"}
    assert client.post("/webhooks/toss", data=packed, headers=headers).status_code == 400
    assert contents() == before
