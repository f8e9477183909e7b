"""Webhooks of PortOne: signed by a foreign library, by the double, and by nobody."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from portone_server_sdk import webhook as vendors
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from opsapp.gateways import portone_webhooks
from opsapp.gateways.base import WebhookRefused
from tests.conformance.portone import (
    CUSTOMER,
    WEBHOOK_SECRET,
    portone as portone,
    portone_url as portone_url,
)
from tests.fakes import portone_webhooks as doubles

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = json.dumps(
    {
        "type": "Transaction.Paid",
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"storeId": "s", "paymentId": "op_1", "transactionId": "t"},
    }
).encode()


def headers(body=BODY, *, at=NOW, secret=WEBHOOK_SECRET, message_id="msg_1"):
    """As the foreign library signs."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


def parse(given, body=BODY, *, secret=WEBHOOK_SECRET, now=NOW):
    return portone_webhooks.parse(given, body, secret=secret, now=now)


def test_what_the_foreign_library_signs_is_accepted():
    message = parse(headers())
    assert (message.delivery_id, message.event_type) == ("msg_1", "Transaction.Paid")
    assert (message.gateway_order_id, message.gateway_key) == ("op_1", "op_1")
    assert (message.said_status, message.is_signed) == ("PAID", True)


def test_every_single_changed_byte_of_the_body_is_refused():
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(WebhookRefused):
            parse(headers(), changed)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(name):
    given = headers()
    del given[name]
    with pytest.raises(WebhookRefused):
        parse(given)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_changed_header_is_refused(name):
    given = headers()
    given[name] = given[name][:-1] + ("1" if given[name][-1] != "1" else "2")
    with pytest.raises(WebhookRefused):
        parse(given)


@pytest.mark.parametrize("age_s", [301, 400, 86_400, -301, -400])
def test_a_message_older_or_newer_than_five_minutes_is_refused(age_s):
    with pytest.raises(WebhookRefused):
        parse(headers(at=NOW - timedelta(seconds=age_s)))


@pytest.mark.parametrize("age_s", [0, 299, 300, -300])
def test_a_message_of_these_five_minutes_is_accepted(age_s):
    assert parse(headers(at=NOW - timedelta(seconds=age_s))).is_signed


@pytest.mark.parametrize("sent_at", ["", "-5", "1e9", "nan", "٣", "9" * 400, "1767323045.5"])
def test_a_time_that_is_no_whole_number_is_refused(sent_at):
    with pytest.raises(WebhookRefused):
        parse(headers() | {"webhook-timestamp": sent_at})


def test_a_wrong_secret_and_no_secret_at_all_are_refused():
    with pytest.raises(WebhookRefused):
        parse(headers(), secret="whsec_" + "YW5vdGhlcg==")
    for nothing in ("", "whsec_", "whsec_!!!"):
        with pytest.raises(WebhookRefused):
            parse(headers(), secret=nothing)


def test_one_right_signature_among_others_is_enough_while_a_secret_is_replaced():
    given = headers()
    right = given["webhook-signature"]
    others = f"v1a,xxxx v1,!!! v1,{'A' * 43}= nonsense {right}"
    assert parse(given | {"webhook-signature": others}).is_signed
    with pytest.raises(WebhookRefused):
        parse(given | {"webhook-signature": right.replace("v1,", "v2,")})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"type": 1, "data": {}}',
        b'{"type": "x"}',
        b'{"type": "x", "data": []}',
        b'{"type": "a", "type": "b", "data": {}}',
        b"{" * 3000,
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(body):
    with pytest.raises(WebhookRefused):
        parse(headers(body), body)


def test_an_unknown_event_with_unknown_fields_is_read_for_what_it_names():
    body = b'{"type": "Transaction.New", "more": 1, "data": {"paymentId": "op_1", "x": []}}'
    message = parse(headers(body), body)
    assert (message.event_type, message.gateway_order_id) == ("Transaction.New", "op_1")
    assert message.said_status is None


def test_a_billing_key_event_names_the_key_and_no_payment():
    body = b'{"type": "BillingKey.Deleted", "data": {"storeId": "s", "billingKey": "b-1"}}'
    message = parse(headers(body), body)
    assert (message.billing_key, message.gateway_order_id) == ("b-1", None)


def test_what_the_double_signs_the_foreign_libraries_and_our_adapter_accept(portone):
    request = portone.paid()
    portone.refund(request, 1000)
    told = portone.controls.webhooks()
    assert [each["type"] for each in told] == ["Transaction.Paid", "Transaction.PartialCancelled"]
    for each in told:
        assert Webhook(WEBHOOK_SECRET).verify(each["body"], each["headers"])
        assert vendors.verify(WEBHOOK_SECRET, each["body"], each["headers"])
        message = portone.gateway.parse_webhook(
            each["headers"], each["body"].encode(), now=datetime.now(UTC)
        )
        assert message.gateway_order_id == request.gateway_order_id


def test_what_the_double_signs_with_another_secret_everybody_refuses(portone):
    portone.controls.merchant(webhook_secret="whsec_YW5vdGhlcg==")
    portone.paid()
    told = portone.controls.webhooks()[-1]
    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(told["body"], told["headers"])
    with pytest.raises(WebhookRefused):
        portone.gateway.parse_webhook(told["headers"], told["body"].encode(), now=datetime.now(UTC))


def test_the_double_signs_as_the_foreign_library_does():
    sent_at = str(int(NOW.timestamp()))
    ours = doubles.signature(WEBHOOK_SECRET, "msg_1", sent_at, BODY.decode())
    assert ours == headers()["webhook-signature"]


def test_an_account_is_told_of_at_each_of_its_states(portone):
    request = portone.account()
    portone.controls.deposit(request.gateway_order_id, 9900)
    portone.controls.deposit(request.gateway_order_id, reverse=True)
    said = [
        portone.gateway.parse_webhook(
            each["headers"], each["body"].encode(), now=datetime.now(UTC)
        ).said_status
        for each in portone.controls.webhooks()
    ]
    assert said == ["VIRTUAL_ACCOUNT_ISSUED", "PAID", "VIRTUAL_ACCOUNT_ISSUED"]


def test_a_deleted_billing_key_is_told_of(portone):
    key = portone.controls.billing_key(CUSTOMER)
    portone.wait(portone.gateway._call("DELETE", f"/billing-keys/{key}", key=secrets.token_hex(9)))
    told = portone.controls.webhooks()[-1]
    assert json.loads(told["body"])["data"]["billingKey"] == key
