"""Webhooks of Stripe: each one is signed, with the time of sending inside the signature.

A sender may sign with two secrets while one replaces the other, so any `v1` of several may match
(docs.stripe.com/webhooks#verify-manually). The time stands for how fresh the delivery is: one
caught on its way cannot be sent again later.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opsapp.gateways import reading
from opsapp.gateways.base import WebhookRefused
from opsapp.gateways.values import WebhookMessage

HEADER = "stripe-signature"
TOLERANCE = timedelta(seconds=300)
TIME_DIGITS_MAX = 12


def parse(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> WebhookMessage:
    """An Event. Raises WebhookRefused: not signed by the vendor, too old, or unreadable."""
    _check(headers.get(HEADER, ""), body, secret, now)
    event = reading.as_object(body)
    delivery_id, event_type = reading.as_text(event.get("id")), reading.as_text(event.get("type"))
    if delivery_id is None or event_type is None:
        raise WebhookRefused("the body is no event")
    data = _object(event.get("data"))
    about = _object(data.get("object"))
    is_intent = about.get("object") == "payment_intent"
    return WebhookMessage(
        delivery_id=delivery_id,
        event_type=event_type,
        gateway_order_id=reading.as_text(_object(about.get("metadata")).get("order_id")),
        gateway_key=_id_of(about.get("id" if is_intent else "payment_intent")),
        said_status=reading.as_text(about.get("status")),
        is_signed=True,
        billing_key=_billing_key(about, _object(data.get("previous_attributes"))),
        is_key_deleted=event_type == "payment_method.detached",
    )


def _check(header: str, body: bytes, secret: str, now: datetime) -> None:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if not secret or len(times) != 1 or not signatures:
        raise WebhookRefused("it is not signed")
    time = times[0]
    if not (time.isascii() and time.isdigit() and len(time) <= TIME_DIGITS_MAX):
        raise WebhookRefused("its time is no number of seconds")
    signed = time.encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    if not any(hmac.compare_digest(wanted, each.encode("utf-8", "replace")) for each in signatures):
        raise WebhookRefused("the signature is not the vendor's")
    if abs(now.timestamp() - int(time)) > TOLERANCE.total_seconds():
        raise WebhookRefused("it was signed too long ago, or in the future")


def _billing_key(about: Mapping[str, Any], previous: Mapping[str, Any]) -> str | None:
    """Of a card; one that was detached names its customer only in what it was before."""
    if about.get("object") != "payment_method":
        return None
    customer = _id_of(about.get("customer")) or _id_of(previous.get("customer"))
    method = reading.as_text(about.get("id"))
    return f"{customer}|{method}" if customer and method else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id_of(value: object) -> str | None:
    """A reference may come expanded."""
    return reading.as_text(value["id"] if isinstance(value, dict) and "id" in value else value)
