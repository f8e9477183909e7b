"""One address for each gateway, one view for all: what they differ in stands in the adapters.

What is refused leaves no row behind: it is counted (`opsapp_webhooks_refused_total` in /metrics)
and a line of the log tells why, without a word of the message itself.
"""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_address, ip_network

import structlog
from flask import Blueprint, request

from opsapp.gateways import registry
from opsapp.gateways.base import Gateway, WebhookRefused
from opsapp.gateways.values import WebhookMessage
from opsapp.kernel import jobs
from opsapp.kernel.db import transaction
from opsapp.payments import receiving
from opsapp.payments.errors import ForgedMessage, TooManyMessages
from opsapp.settings import current

routes = Blueprint("webhooks_gateways", __name__)
log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 64 * 1024
DELIVERY_ID_LENGTH_MAX = 200

# It stands in the log and on the screen of whoever is asked what happened: a name, no sentence.
_EVENT_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")

_Answer = tuple[dict[str, str], int]


@routes.post("/<gateway_name>")
def receive(gateway_name: str) -> _Answer:
    """200 for everything that was verified, also for repeats: else the vendor tries again."""
    gateway = next((g for g in registry.all_gateways() if g.name == gateway_name), None)
    if gateway is None:
        return {"code": "not_found"}, HTTPStatus.NOT_FOUND
    if not _is_known(gateway.name, request.remote_addr or ""):
        return _refuse(gateway, "unknown_source", HTTPStatus.FORBIDDEN)
    is_huge = (request.content_length or 0) > BODY_BYTES_MAX
    body = b"" if is_huge else request.stream.read(BODY_BYTES_MAX + 1)  # chunked: no length named
    if is_huge or len(body) > BODY_BYTES_MAX:
        return _refuse(gateway, "too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _take(gateway, body)


def _take(gateway: Gateway, body: bytes) -> _Answer:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        message = _verified(gateway, headers, body)
        with transaction():
            is_new = receiving.receive(gateway.name, message, body)
    except WebhookRefused as refusal:
        return _refuse(gateway, "unreadable", HTTPStatus.BAD_REQUEST, because=str(refusal))
    except (ForgedMessage, TooManyMessages) as refused:
        return _refuse(gateway, refused.code, HTTPStatus(refused.http_status))
    return {"code": "stored" if is_new else "repeat"}, HTTPStatus.OK


def _verified(gateway: Gateway, headers: dict[str, str], body: bytes) -> WebhookMessage:
    message = gateway.parse_webhook(headers, body, now=datetime.now(UTC))
    if len(message.delivery_id) > DELIVERY_ID_LENGTH_MAX or not message.delivery_id.isprintable():
        raise WebhookRefused("its id is too long, or no text")
    if not _EVENT_TYPE.fullmatch(message.event_type):
        raise WebhookRefused("its type is no name")
    return message


def _refuse(gateway: Gateway, code: str, status: HTTPStatus, *, because: str = "") -> _Answer:
    log.warning("webhooks.refused", gateway=gateway.name, code=code, because=because)
    jobs.count_up("opsapp_webhooks_refused_total", gateway=gateway.name, reason=code)
    return {"code": code}, status


def _is_known(gateway_name: str, address: str) -> bool:
    """Without a signature the address is all that can be verified (OPSAPP_PROXY_COUNT)."""
    named = {
        "toss": current().toss_webhook_sources,
        "portone": current().portone_webhook_sources,
    }.get(gateway_name, "")
    if not named:
        return True
    try:
        caller = ip_address(address)
    except ValueError:  # a socket without an address
        return False
    return any(caller in ip_network(network.strip()) for network in named.split(","))
