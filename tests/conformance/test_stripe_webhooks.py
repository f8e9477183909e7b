"""What the vendor's SDK signs our verifier believes, and what the SDK refuses it refuses."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe

from opsapp.gateways.base import WebhookRefused
from tests.conformance.stripe_cases import SECRET, stripe_at

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "metadata": {"order_id": "op_1"},
}


@pytest.fixture(scope="module")
def gateway():
    return stripe_at("http://127.0.0.1:9")


def event(about: dict, event_type: str = "payment_intent.succeeded", **data) -> bytes:
    fields = {"id": "evt_1", "object": "event", "type": event_type}
    return json.dumps(fields | {"data": {"object": about} | data}, ensure_ascii=False).encode()


def signed(body: bytes, at: datetime = NOW, secret: str = SECRET) -> str:
    return stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(at.timestamp())
    )


def read(gateway, body: bytes, header: str | None, now: datetime = NOW):
    headers = {} if header is None else {"stripe-signature": header}
    return gateway.parse_webhook(headers, body, now=now)


def test_what_the_sdk_has_signed_is_read(gateway):
    body = event(INTENT | {"description": "구독 1회차"})
    message = read(gateway, body, signed(body))
    assert message.is_signed
    assert (message.delivery_id, message.event_type) == ("evt_1", "payment_intent.succeeded")
    assert (message.gateway_key, message.gateway_order_id) == ("pi_1", "op_1")
    assert message.said_status == "succeeded"


def test_a_refund_names_the_intent_that_it_belongs_to(gateway):
    for reference in ("pi_1", {"id": "pi_1"}):
        body = event({"id": "re_1", "object": "refund", "payment_intent": reference})
        assert read(gateway, body, signed(body)).gateway_key == "pi_1"


def test_a_detached_card_is_named_as_its_billing_key_was(gateway):
    about = {"id": "pm_1", "object": "payment_method", "customer": None}
    body = event(about, "payment_method.detached", previous_attributes={"customer": "cus_1"})
    assert read(gateway, body, signed(body)).billing_key == "cus_1|pm_1"


def test_a_renewed_card_is_named_by_its_billing_key(gateway):
    about = {"id": "pm_1", "object": "payment_method", "customer": "cus_1"}
    body = event(about, "payment_method.automatically_updated")
    assert read(gateway, body, signed(body)).billing_key == "cus_1|pm_1"


def test_any_of_several_signatures_may_match_while_a_secret_is_replaced(gateway):
    body = event(INTENT)
    old, new = signed(body, secret="whsec_old"), signed(body).partition(",")[2]
    for header in (f"{old},{new}", f"{old},v0=00,{new}"):
        assert read(gateway, body, header).is_signed
        stripe.WebhookSignature.verify_header(body.decode(), header, SECRET)


@pytest.mark.parametrize("age_s", [0, 299, 300])
def test_a_delivery_is_fresh_for_300_seconds(gateway, age_s):
    body = event(INTENT)
    assert read(gateway, body, signed(body), NOW + timedelta(seconds=age_s)).is_signed


@pytest.mark.parametrize("age_s", [301, 400, 86_400, -301])
def test_a_stale_delivery_and_one_from_the_future_are_refused(gateway, age_s):
    body = event(INTENT)
    with pytest.raises(WebhookRefused):
        read(gateway, body, signed(body), NOW + timedelta(seconds=age_s))


def test_one_changed_byte_anywhere_is_refused_by_us_and_by_the_sdk(gateway):
    body = event(INTENT)
    header = signed(body)
    for place in range(0, len(body), 7):
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(WebhookRefused):
            read(gateway, altered, header)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(altered.decode(), header, SECRET)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1",
        "v1=00",
        "t=,v1=00",
        "t=abc,v1=00",
        "t=١٢٣,v1=00",
        f"t={'9' * 5000},v1=00",
        "t=1,v1=é\udce9",
        ",,,===,,",
    ],
)
def test_a_header_of_any_shape_is_refused_and_breaks_nothing(gateway, header):
    with pytest.raises(WebhookRefused):
        read(gateway, event(INTENT), header)


def test_a_time_that_was_put_in_front_of_the_signed_one_is_refused(gateway):
    body = event(INTENT)
    stale = signed(body, NOW - timedelta(days=1))
    with pytest.raises(WebhookRefused):
        read(gateway, body, f"t={int(NOW.timestamp())},{stale}")


def test_the_secret_of_somebody_else_is_refused(gateway):
    body = event(INTENT)
    with pytest.raises(WebhookRefused):
        read(gateway, body, signed(body, secret="whsec_other"))


def test_without_a_secret_of_ours_nothing_is_believed():
    body = event(INTENT)
    with pytest.raises(WebhookRefused):
        read(stripe_at("http://127.0.0.1:9", webhook_secret=""), body, signed(body, secret=""))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"id": "evt_1"}', b'{"id": 1}'])
def test_a_signed_body_that_is_no_event_is_refused(gateway, body):
    with pytest.raises(WebhookRefused):
        read(gateway, body, signed(body))
