import base64
import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from opsapp.gateways.registry import gateway_named
from opsapp.kernel.crypto import unseal
from opsapp.settings import Settings, use
from tests.factories import webhooks as make

ABOUT = {"storeId": "store-test", "paymentId": "op_nobody", "transactionId": "t-1"}
INTENT = {"id": "pi_1", "object": "payment_intent", "metadata": {"order_id": "op_nobody"}}
OTHER_SECRET = "whsec_" + base64.b64encode(b"q" * 32).decode()

HOSTILE = {
    "half a character pair in the order id": rb'{"data": {"orderId": "\ud800"}}',
    "half a character pair in the type": rb'{"eventType": "\udfff"}',
    "half a character pair as a name": rb'{"\ud800": 1}',
    "a name twice": b'{"eventType": "A", "eventType": "B"}',
    "a name twice further down": b'{"data": {"orderId": "a", "orderId": "b"}}',
    "NUL, written": rb'{"eventType": "\u0000"}',
    "NUL": b'{"eventType": "\x00"}',
    "ever deeper lists": b"[" * 60_000,
    "ever deeper objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number without end": b'{"a": ' + b"9" * 5_000 + b"}",
    "a list": b"[]",
    "nothing": b"",
    "a word": b"nonsense",
    "not UTF-8": b'{"a": "\xff"}',
}
# A body is refused for what it is also when whoever sent it knows the secret.
SIGNED_BY_THE_VENDOR = {
    "toss": make.toss,
    "portone": make.portone_signed,
    "stripe": make.stripe_signed,
}


def refused():
    """Made when it is sent: what is signed carries the time of its signing."""
    return {
        "toss: a payout signed with another key": make.toss_payout(key="cd" * 32),
        "toss: a payout with one byte altered": make.toss_payout().altered(),
        "toss: a payout without a signature": make.toss({"eventType": "payout.changed"}),
        "toss: no id, so that a repeat could not be told": make.toss({}, delivery_id=""),
        "toss: an id without end": make.toss({}, delivery_id="x" * 201),
        "portone: signed with another secret": make.portone(ABOUT, secret=OTHER_SECRET),
        "portone: one byte altered": make.portone(ABOUT).altered(),
        "portone: sent 6 minutes ago": make.portone(ABOUT, age_s=360),
        "portone: sent in 6 minutes": make.portone(ABOUT, age_s=-360),
        "portone: not signed": make.Message("portone", b"{}", {"webhook-id": "m"}),
        "stripe: signed with another secret": make.stripe(INTENT, secret="whsec_other"),
        "stripe: one byte altered": make.stripe(INTENT).altered(),
        "stripe: sent 6 minutes ago": make.stripe(INTENT, age_s=360),
        "stripe: sent in 6 minutes": make.stripe(INTENT, age_s=-360),
        "stripe: not signed": make.Message("stripe", b"{}"),
    }


def taken(kind):
    return {
        "toss": make.toss(
            {"eventType": "PAYMENT_STATUS_CHANGED", "data": {"orderId": "op_nobody"}}
        ),
        "toss, signed": make.toss_payout(),
        "portone": make.portone(ABOUT),
        "stripe": make.stripe(INTENT),
    }[kind]


TAKEN = ("toss", "toss, signed", "portone", "stripe")


def stored(owner):
    return owner.execute("SELECT count(*) FROM gateway_events").fetchone()[0]


@pytest.mark.parametrize("gateway_name", SIGNED_BY_THE_VENDOR)
def test_what_the_vendor_did_not_sign_or_sent_long_ago_changes_nothing(
    client, contents, refusals, gateway_name
):
    before = contents()
    messages = {kind: m for kind, m in refused().items() if m.gateway_name == gateway_name}
    for kind, message in messages.items():
        assert message.send(client).status_code == 400, kind
    assert contents() == before
    name = f'opsapp_webhooks_refused_total{{gateway="{gateway_name}",reason="unreadable"}}'
    assert refusals() == {name: len(messages)}


@pytest.mark.parametrize("gateway_name", SIGNED_BY_THE_VENDOR)
def test_a_hostile_body_changes_nothing_even_if_it_is_signed(client, contents, gateway_name):
    before = contents()
    for kind, body in HOSTILE.items():
        assert SIGNED_BY_THE_VENDOR[gateway_name](body).send(client).status_code == 400, kind
    assert contents() == before


@pytest.mark.parametrize("gateway_name", SIGNED_BY_THE_VENDOR)
@pytest.mark.parametrize("size", [65 * 1024, 10 * 1024 * 1024])
def test_a_huge_body_changes_nothing(client, contents, refusals, gateway_name, size):
    before = contents()
    message = SIGNED_BY_THE_VENDOR[gateway_name](b'{"a": "' + b"x" * size + b'"}')
    assert message.send(client).status_code == 413
    # Chunked, so that no length is named before.
    endless = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert message.send(client, environ_overrides=endless).status_code == 413
    assert contents() == before
    assert sum(refusals().values()) == 2


@pytest.mark.parametrize("kind", TAKEN)
def test_a_message_of_the_vendor_is_stored_raw_and_sealed_and_once(client, owner, kind):
    message = taken(kind)
    assert message.send(client).json == {"code": "stored"}
    assert message.send(client).json == {"code": "repeat"}
    [(gateway_name, delivery_id, sealed, status, repeats)] = owner.execute(
        "SELECT gateway_name, delivery_id, body_sealed, status, repeats FROM gateway_events"
    ).fetchall()
    assert (gateway_name, status, repeats) == (message.gateway_name, "stored", 1)
    assert b"nobody" not in sealed
    text = unseal(sealed, context=f"gateway_events.body|{delivery_id}")
    assert json.loads(text)["body"].encode() == message.body


def test_a_whole_character_pair_is_text_like_any_other(client, owner):
    message = make.toss(rb'{"data": {"orderId": "\ud83d\ude00"}}')
    assert message.send(client).status_code == 200
    assert stored(owner) == 1


def test_each_gateway_counts_its_own_deliveries(client, owner):
    make.toss({}, delivery_id="one").send(client)
    assert make.portone(ABOUT, delivery_id="one").send(client).json == {"code": "stored"}
    assert stored(owner) == 2


def test_a_gateway_that_is_not_in_use_has_no_address(client, contents):
    before = contents()
    for name in ("nobody", "toss2", "..", "toss/"):
        assert client.post(f"/webhooks/{name}", data=b"{}").status_code == 404, name
    assert contents() == before


def test_nothing_is_read_at_the_address_by_looking(client):
    assert client.get("/webhooks/toss").status_code == 405


@pytest.fixture
def from_named_sources(client, settings):
    sources = "13.124.18.147, 10.0.0.0/8"
    named = {"toss_webhook_sources": sources, "portone_webhook_sources": sources}
    use(settings.model_copy(update=named))
    return client


@pytest.mark.parametrize("gateway_name", ["toss", "portone"])
def test_where_sources_are_named_nobody_else_is_heard(from_named_sources, owner, gateway_name):
    def knock(address):
        origin = {"REMOTE_ADDR": address}
        return taken(gateway_name).send(from_named_sources, environ_base=origin).status_code

    assert [knock(address) for address in ("13.124.18.148", "", "::1")] == [403] * 3
    assert stored(owner) == 0
    assert [knock(address) for address in ("13.124.18.147", "10.1.2.3")] == [200] * 2
    assert stored(owner) == 1


def test_a_header_makes_nobody_a_known_source(from_named_sources, owner):
    message = make.toss({})
    answer = from_named_sources.post(
        "/webhooks/toss",
        data=message.body,
        headers={**message.headers, "X-Forwarded-For": "13.124.18.147"},
    )
    assert (answer.status_code, stored(owner)) == (403, 0)


@pytest.mark.parametrize("name", ["toss_webhook_sources", "portone_webhook_sources"])
def test_a_network_that_is_none_is_refused_at_start(settings, name):
    values = settings.model_dump() | {name: "13.124.18.300"}
    with pytest.raises(ValidationError, match=name):
        Settings(**values)


def test_refusals_stand_in_the_metrics(client):
    refused()["stripe: not signed"].send(client)
    line = 'opsapp_webhooks_refused_total{gateway="stripe",reason="unreadable"} 1'
    assert line in client.get("/metrics").text.splitlines()


READ_AT = datetime.now(UTC)  # as are the messages below
NAMES_A_KEY = {
    "toss": make.toss({"eventType": "BILLING_DELETED", "data": {"billingKey": "k"}}),
    "portone": make.portone({"billingKey": "k"}, event_type="BillingKey.Deleted"),
    "stripe": make.stripe(
        {"id": "pm_1", "object": "payment_method", "customer": "cus_1"},
        event_type="payment_method.detached",
    ),
}
LIVING_KEYS = (
    make.portone({"billingKey": "k"}, event_type="BillingKey.Issued"),
    make.stripe(
        {"id": "pm_1", "object": "payment_method", "customer": "cus_1"},
        event_type="payment_method.automatically_updated",
    ),
)


@pytest.mark.parametrize("gateway_name", NAMES_A_KEY)
def test_only_a_deletion_says_that_a_key_is_gone(app, gateway_name):
    def parsed(message):
        adapter = gateway_named(message.gateway_name)
        headers = {name.lower(): value for name, value in message.headers.items()}
        return adapter.parse_webhook(headers, message.body, now=READ_AT)

    assert parsed(NAMES_A_KEY[gateway_name]).is_key_deleted
    for message in LIVING_KEYS:
        said = parsed(message)
        assert (bool(said.billing_key), said.is_key_deleted) == (True, False)
