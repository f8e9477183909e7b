"""Delivery reports of SOLAPI: stored and applied at once, for nobody has to be asked.

The vendor takes a second answer than 200 as a reason to send again, so what is known already, or
about messages that are not ours, is thanked for like anything else.
"""

from datetime import UTC, datetime
from http import HTTPStatus

import structlog
from flask import Blueprint, request

from opsapp.channels.base import ReportRefused
from opsapp.channels.registry import find_channel
from opsapp.kernel import jobs
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.notifications import reporting

routes = Blueprint("webhooks_solapi", __name__)
log = structlog.get_logger(__name__)

CHANNEL = "sms"
PROVIDER = "solapi"
BODY_BYTES_MAX = 8 * 1024 * 1024  # 10,000 reports of one message each
_EMPTY = b"[]"

_Answer = tuple[dict[str, str], int]


@routes.post("/solapi")
def receive() -> _Answer:
    channel = find_channel(CHANNEL)
    if channel is None:
        return {"code": "not_found"}, HTTPStatus.NOT_FOUND
    headers = {name.lower(): value for name, value in request.headers.items()}
    now = datetime.now(UTC)
    try:
        channel.parse_reports(headers, _EMPTY, now=now)  # a stranger's body is not even read
        reports = channel.parse_reports(headers, _read(), now=now)
    except ReportRefused as refusal:
        return _refuse(str(refusal))
    with transaction():
        reporting.receive_reports(CHANNEL, reports, by=Actor("gateway", PROVIDER))
    return {"code": "stored"}, HTTPStatus.OK


def _read() -> bytes:
    """Raises ReportRefused."""
    request.max_content_length = BODY_BYTES_MAX
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise ReportRefused("too many reports in one message")
    body = request.stream.read(BODY_BYTES_MAX + 1)  # chunked: no length is named
    if len(body) > BODY_BYTES_MAX:
        raise ReportRefused("too many reports in one message")
    return body


def _refuse(because: str) -> _Answer:
    log.warning("webhooks.refused", gateway=PROVIDER, code="unreadable", because=because)
    jobs.count_up("opsapp_webhooks_refused_total", gateway=PROVIDER, reason="unreadable")
    return {"code": "unreadable"}, HTTPStatus.BAD_REQUEST
