"""Webhooks of PortOne V2, version 2024-04-25: Standard Webhooks, ids only, all of them signed.

HMAC-SHA256 over `id.timestamp.body`; several signatures may stand side by side while a secret is
replaced (standardwebhooks.com; developers.portone.io, webhook).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from opsapp.gateways import reading
from opsapp.gateways.base import WebhookRefused
from opsapp.gateways.values import WebhookMessage

ID_HEADER = "webhook-id"
TIME_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE = timedelta(minutes=5)
SIGNATURES_MAX = 20  # in one header; each costs a comparison

# What the event says of the payment, in the words of the payment object.
_STATUSES = {
    "Transaction.Ready": "READY",
    "Transaction.PayPending": "PENDING",
    "Transaction.VirtualAccountIssued": "VIRTUAL_ACCOUNT_ISSUED",
    "Transaction.Paid": "PAID",
    "Transaction.Failed": "FAILED",
    "Transaction.PartialCancelled": "PARTIAL_CANCELLED",
    "Transaction.Cancelled": "CANCELLED",
}


def parse(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> WebhookMessage:
    """Raises WebhookRefused: not signed with `secret`, not of these 5 minutes, or unreadable."""
    delivery_id = headers.get(ID_HEADER, "")
    sent_at = headers.get(TIME_HEADER, "")
    if not (delivery_id and _is_recent(sent_at, now)):
        raise WebhookRefused("the message has no id, or is older or newer than 5 minutes")
    if not _is_signed(f"{delivery_id}.{sent_at}.".encode() + body, headers, secret):
        raise WebhookRefused("the signature is not the vendor's")
    read = reading.as_object(body)
    event_type = reading.as_text(read.get("type"))
    data = read.get("data")
    if event_type is None or not isinstance(data, dict):
        raise WebhookRefused("no event of version 2024-04-25")
    payment_id = reading.as_text(data.get("paymentId"))
    return WebhookMessage(
        delivery_id=delivery_id,
        event_type=event_type,
        gateway_order_id=payment_id,
        gateway_key=payment_id,
        said_status=_STATUSES.get(event_type),
        is_signed=True,
        billing_key=reading.as_text(data.get("billingKey")),
        is_key_deleted=event_type == "BillingKey.Deleted",
    )


def _is_recent(sent_at: str, now: datetime) -> bool:
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        return False
    return abs(now.timestamp() - int(sent_at)) <= TOLERANCE.total_seconds()


def _is_signed(said: bytes, headers: Mapping[str, str], secret: str) -> bool:
    key = _decoded(secret.removeprefix("whsec_"))
    if not key:
        return False
    wanted = hmac.new(key, said, hashlib.sha256).digest()
    return any(
        hmac.compare_digest(wanted, _decoded(part.removeprefix("v1,")))
        for part in headers.get(SIGNATURE_HEADER, "").split()[:SIGNATURES_MAX]
        if part.startswith("v1,")
    )


def _decoded(text: str) -> bytes:
    """Base64, padded or not; empty for anything else."""
    try:
        return base64.b64decode(
            text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return b""
