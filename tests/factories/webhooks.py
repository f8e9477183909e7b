"""Messages as the vendors send them, signed with whatever secret a test gives them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

PORTONE_SECRET = "whsec_" + base64.b64encode(b"p" * 32).decode()
STRIPE_SECRET = "whsec_stripe_for_tests"
TOSS_SECURITY_KEY = "ab" * 32

SETTINGS = {
    "portone_secret": "portone-secret",
    "portone_store_id": "store-test",
    "portone_channels": "card=channel-1,virtual_account=channel-2",
    "portone_webhook_secret": PORTONE_SECRET,
    "stripe_secret_key": "sk_test_opsapp",
    "stripe_webhook_secret": STRIPE_SECRET,
    "toss_security_key": TOSS_SECURITY_KEY,
}


@dataclass(frozen=True, slots=True)
class Message:
    gateway_name: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def altered(self) -> "Message":
        """One byte of the body is another; the headers are those of the original."""
        head, _, tail = self.body.rpartition(b"o")
        return replace(self, body=head + b"0" + tail)

    def with_body(self, body: bytes) -> "Message":
        return replace(self, body=body)

    def send(self, client, **options):
        return client.post(
            f"/webhooks/{self.gateway_name}", data=self.body, headers=dict(self.headers), **options
        )


def toss(body: object, *, delivery_id: str = "delivery-1") -> Message:
    headers = {"tosspayments-webhook-transmission-id": delivery_id} if delivery_id else {}
    return Message("toss", _bytes(body), headers)


def toss_payout(*, key: str = TOSS_SECURITY_KEY, delivery_id: str = "payout-1") -> Message:
    body = _bytes({"eventType": "payout.changed", "eventId": "e-1", "entityBody": {"id": "one"}})
    sent_at = "2026-11-22T12:00:00+09:00"
    said = hmac.digest(key.encode(), body + b":" + sent_at.encode(), hashlib.sha256)
    return Message(
        "toss",
        body,
        {
            "tosspayments-webhook-transmission-id": delivery_id,
            "tosspayments-webhook-transmission-time": sent_at,
            "tosspayments-webhook-signature": f"v1:{base64.b64encode(said).decode()}",
        },
    )


def portone(
    data: Mapping[str, str],
    *,
    event_type: str = "Transaction.Paid",
    delivery_id: str = "msg-1",
    secret: str = PORTONE_SECRET,
    age_s: int = 0,
) -> Message:
    """Standard Webhooks."""
    body = _bytes({"type": event_type, "timestamp": "2026-11-22T03:00:00Z", "data": dict(data)})
    return portone_signed(body, delivery_id=delivery_id, secret=secret, age_s=age_s)


def portone_signed(
    body: bytes, *, delivery_id: str = "msg-1", secret: str = PORTONE_SECRET, age_s: int = 0
) -> Message:
    sent_at = str(int(time.time()) - age_s)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = hmac.digest(key, f"{delivery_id}.{sent_at}.".encode() + body, hashlib.sha256)
    headers = {
        "webhook-id": delivery_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(said).decode()}",
    }
    return Message("portone", body, headers)


def stripe(
    about: Mapping[str, object],
    *,
    event_type: str = "payment_intent.succeeded",
    delivery_id: str = "evt_1",
    secret: str = STRIPE_SECRET,
    age_s: int = 0,
) -> Message:
    event = {"id": delivery_id, "object": "event", "type": event_type, "data": {"object": about}}
    return stripe_signed(_bytes(event), secret=secret, age_s=age_s)


def stripe_signed(body: bytes, *, secret: str = STRIPE_SECRET, age_s: int = 0) -> Message:
    sent_at = int(time.time()) - age_s
    said = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    return Message("stripe", body, {"stripe-signature": f"t={sent_at},v1={said}"})


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
