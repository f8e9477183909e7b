"""Toss Payments signs no payment webhook: whatever comes is stored and asked about."""

import json
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any

from flask import Blueprint, request

from opsapp.kernel.db import transaction
from opsapp.payments import receiving
from opsapp.settings import current

routes = Blueprint("webhooks_toss", __name__)

BODY_BYTES_MAX = 64 * 1024
DELIVERY_ID_LENGTH_MAX = 100


@routes.post("/toss")
def receive() -> tuple[dict[str, str], int]:
    """200 for everything readable, also for repeats: anything else makes the vendor try again."""
    if not _is_known(request.remote_addr or ""):
        return {"code": "unknown_source"}, HTTPStatus.FORBIDDEN
    raw = request.stream.read(BODY_BYTES_MAX + 1)  # a chunked body names no length
    if len(raw) > BODY_BYTES_MAX:
        return {"code": "too_large"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    delivery_id = request.headers.get("tosspayments-webhook-transmission-id", "")
    body = _parsed(raw)
    if body is None or not 0 < len(delivery_id) <= DELIVERY_ID_LENGTH_MAX:
        return {"code": "unreadable"}, HTTPStatus.BAD_REQUEST
    with transaction():
        is_new = receiving.receive(_message(body, raw.decode(), delivery_id))
    return {"code": "stored" if is_new else "repeat"}, HTTPStatus.OK


def _is_known(address: str) -> bool:
    """Without a signature the address is all that can be verified (OPSAPP_PROXY_COUNT)."""
    sources = current().toss_webhook_sources
    return not sources or any(
        ip_address(address) in ip_network(source.strip()) for source in sources.split(",")
    )


def _message(body: dict[str, Any], raw: str, delivery_id: str) -> receiving.Message:
    """Two shapes: {eventType, data: Payment}, and the deposit callback without either."""
    data = body.get("data")
    about = data if isinstance(data, dict) else body
    return receiving.Message(
        gateway_name="toss",
        delivery_id=delivery_id,
        event_type=_text(body.get("eventType")) or "DEPOSIT_CALLBACK",
        body=raw,
        gateway_order_id=_text(about.get("orderId")),
        gateway_key=_text(about.get("paymentKey")),
        said_status=_text(about.get("status")),
    )


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """None for what is no JSON object in UTF-8, names a thing twice, or no column can hold."""
    try:
        text = raw.decode()
        body = json.loads(text, object_pairs_hook=_named_once)
        json.dumps(body, ensure_ascii=False).encode()  # halves of a character pair, written \ud800
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and "\\u0000" not in text else None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one body could take different values for a name that stands twice."""
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a name stands twice")
    return body
