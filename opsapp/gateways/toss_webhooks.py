"""Webhooks of Toss Payments: only payout and seller events are signed.

A deposit callback carries the account's `secret` instead; everything else is a hint and nothing
more (docs.tosspayments.com/reference/using-api/webhook-events).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from opsapp.gateways import reading
from opsapp.gateways.base import WebhookRefused
from opsapp.gateways.values import WebhookMessage

ID_HEADER = "tosspayments-webhook-transmission-id"
TIME_HEADER = "tosspayments-webhook-transmission-time"
SIGNATURE_HEADER = "tosspayments-webhook-signature"
SIGNED_EVENTS = ("payout.changed", "seller.changed")
DELIVERY_ID_LENGTH_MAX = 100


def parse(headers: Mapping[str, str], body: bytes, *, security_key: str) -> WebhookMessage:
    """Two shapes: {eventType, data: Payment}, and the deposit callback without either.

    Raises WebhookRefused: unreadable, without the id that tells repeats apart, or an event of a
    signed kind without the right signature.
    """
    delivery_id = headers.get(ID_HEADER, "")
    if not 0 < len(delivery_id) <= DELIVERY_ID_LENGTH_MAX:
        raise WebhookRefused("the delivery has no id")
    read = reading.as_object(body)
    event_type = reading.as_text(read.get("eventType")) or "DEPOSIT_CALLBACK"
    is_signed = event_type in SIGNED_EVENTS
    if is_signed and not _is_signed(headers, body, security_key):
        raise WebhookRefused("the signature is not the vendor's")
    data = read.get("data")
    about = data if isinstance(data, dict) else read
    return WebhookMessage(
        delivery_id=delivery_id,
        event_type=event_type,
        gateway_order_id=reading.as_text(about.get("orderId")),
        gateway_key=reading.as_text(about.get("paymentKey")),
        said_status=reading.as_text(about.get("status")),
        is_signed=is_signed,
        secret=reading.as_text(about.get("secret")),
        billing_key=reading.as_text(about.get("billingKey")),
        is_key_deleted=event_type == "BILLING_DELETED",
    )


def _is_signed(headers: Mapping[str, str], body: bytes, security_key: str) -> bool:
    """HMAC-SHA256 over `body:time`; `v1:` entries, any of which may match (key rotation)."""
    if not security_key:
        return False
    said = body + b":" + headers.get(TIME_HEADER, "").encode()
    wanted = hmac.new(security_key.encode(), said, hashlib.sha256).digest()
    return any(
        hmac.compare_digest(wanted, _decoded(part.strip().removeprefix("v1:")))
        for part in headers.get(SIGNATURE_HEADER, "").split(",")
        if part.strip().startswith("v1:")
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
