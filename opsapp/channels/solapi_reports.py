"""Delivery reports of SOLAPI: a webhook with an array of messages whose state has changed.

The vendor signs nothing. It shows, in `X-Solapi-Secret`, the SHA-1 of the secret that stands with
the webhook in its console, so whoever has seen one report can send others: a report may move what
a customer's notice says of its delivery, never money. Its own models wrap each message in `data`;
its examples show it bare. Both are read.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opsapp.channels.base import DeliveryReport, DeliveryStatus, ReportRefused
from opsapp.channels.solapi_answers import message_id

SECRET_HEADER = "x-solapi-secret"  # noqa: S105 - the name of a header
EVENT_HEADER = "x-solapi-event-name"
SINGLE_REPORT = "SINGLE-REPORT"
REPORTS_MAX = 10_000
DELIVERED = "4000"
ON_ITS_WAY = frozenset({"2000", "3000"})  # taken, handed to the carrier
CLOCKS_APART_MAX = timedelta(minutes=5)
TOLD_WITHIN = timedelta(days=30)  # vendors give up on a telephone after one to three

_CODE = re.compile(r"[A-Za-z0-9_]{1,20}")


def parse(
    headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime
) -> list[DeliveryReport]:
    """What has come to an end, in the vendor's order; steps on the way are left out.

    All or nothing: raises ReportRefused when one of them cannot be read, for the vendor tries
    again. Without a secret nothing is taken.
    """
    shown = headers.get(SECRET_HEADER, "").lower().encode(errors="replace")
    if not secret or not hmac.compare_digest(_shown_for(secret), shown):
        raise ReportRefused("the secret is not the one of our webhook")
    if headers.get(EVENT_HEADER, SINGLE_REPORT) != SINGLE_REPORT:
        raise ReportRefused("not a report about single messages")
    read = _read(body)
    if not isinstance(read, list) or len(read) > REPORTS_MAX:
        raise ReportRefused("the body is no array of reports")
    found = (_report(item, now) for item in read)
    return [report for report in found if report is not None]


def _report(item: object, now: datetime) -> DeliveryReport | None:
    data = item.get("data", item) if isinstance(item, dict) else None
    if not isinstance(data, dict):
        raise ReportRefused("a report is no object")
    name, code = message_id(data.get("messageId")), data.get("statusCode")
    if name is None or not (isinstance(code, str) and _CODE.fullmatch(code)):
        raise ReportRefused("a report names no message or no code")
    if code in ON_ITS_WAY:
        return None
    status = DeliveryStatus.DELIVERED if code == DELIVERED else DeliveryStatus.FAILED
    return DeliveryReport(name, status, code, _moment(data.get("dateReported"), now))


def _moment(value: object, now: datetime) -> datetime:
    """When it was reported; `now` for what is no time with a zone, lies ahead or long ago."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else now
        is_likely = now - TOLD_WITHIN <= moment <= now + CLOCKS_APART_MAX
        return moment if is_likely else now
    except (ValueError, TypeError, OverflowError):
        return now


def _shown_for(secret: str) -> bytes:
    return hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest().encode()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=_named_once)
    except (ValueError, RecursionError) as error:
        raise ReportRefused("the body is no JSON in UTF-8") from error


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one body could take different values for a name that stands twice."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice")
    return read
