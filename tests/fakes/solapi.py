"""A double of SOLAPI for what the vendor's own client and ours send: messages/v4/send-many/detail.

It recomputes each signature, knows a salt only once, and believes nobody whose clock is more than
15 minutes away. Shapes of answers are those that the vendor's client parses; codes beyond 2000
are as public integrations report them.
"""

import hashlib
import hmac
import json
import re
import secrets
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.fakes.loopback import serving

PATH = "/messages/v4/send-many/detail"
KEY, SECRET, SENDER = "NCSDOUBLE0000001", "secret-of-the-double", "0215881234"
AUTHORIZATION = re.compile(
    r"HMAC-SHA256 ApiKey=(?P<key>\S+), Date=(?P<date>\S+), salt=(?P<salt>\S+),"
    r" signature=(?P<signature>[0-9a-f]{64})"
)
TOLERANCE = timedelta(minutes=15)
MESSAGES_MAX = 10_000
LENGTHS = {"SMS": 90, "LMS": 2000}


class Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Raw:
    """What is answered in place of the answer; None: the line goes dead after the work is done."""

    status: int = 200
    body: bytes | None = b"{}"


@dataclass
class SolapiDouble:
    url: str = ""
    now: datetime | None = None  # its clock, where it is not the machine's
    echoes: bool = True  # customFields in its answers
    salts: set[str] = field(default_factory=set)
    calls: list[dict[str, Any]] = field(default_factory=list)  # bodies whose signature was good
    authorizations: list[str] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)  # messages that were registered
    failing: dict[str, str] = field(default_factory=dict)  # number -> code it fails with
    raw: list[Raw] = field(default_factory=list)  # answers to come
    always: Raw | None = None

    def forget(self) -> None:
        self.now, self.always, self.echoes = None, None, True
        for drawer in (self.salts, self.calls, self.authorizations, self.sent):
            drawer.clear()
        self.failing.clear()
        self.raw.clear()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post(PATH, self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.always is not None:
            return _as_told(request, self.always)
        try:
            self._check(request.headers.get("Authorization", ""))
            answer = self._register(body)
        except Refused as refused:
            told = {"errorCode": refused.code, "errorMessage": "refused"}
            return web.json_response(told, status=refused.status)
        if self.raw:
            return _as_told(request, self.raw.pop(0))
        return web.json_response(answer)

    def _check(self, said: str) -> None:
        parts = AUTHORIZATION.fullmatch(said)
        if parts is None or parts["key"] != KEY:
            raise Refused(403, "InvalidApiKey")
        wanted = hmac.new(
            SECRET.encode(), (parts["date"] + parts["salt"]).encode(), hashlib.sha256
        ).hexdigest()
        if not hmac.compare_digest(wanted, parts["signature"]):
            raise Refused(403, "SignatureDoesNotMatch")
        now = self.now or datetime.now(UTC)
        if abs(now - datetime.fromisoformat(parts["date"])) > TOLERANCE:
            raise Refused(403, "RequestTimeTooSkewed")
        if parts["salt"] in self.salts or not 12 <= len(parts["salt"]) <= 64:
            raise Refused(403, "DuplicatedSignature")
        self.salts.add(parts["salt"])
        self.authorizations.append(said)

    def _register(self, raw: bytes) -> dict[str, Any]:
        try:
            body = json.loads(raw)
            messages = body["messages"]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, "ValidationError") from error
        self.calls.append(body)
        if not 0 < len(messages) <= MESSAGES_MAX or not all(map(_is_readable, messages)):
            raise Refused(400, "ValidationError")
        taken: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        seen: set[str] = set()
        for message in messages:
            code = self.failing.get(message["to"]) or _code_of(message)
            if message["to"] in seen and not body.get("allowDuplicates"):
                code = "1026"
            seen.add(message["to"])
            known = message | {"messageId": f"M4V{secrets.token_hex(14).upper()}"}
            (failed if code else taken).append(known | {"statusCode": code or "2000"})
        self.sent += taken
        answer: dict[str, Any] = {
            "failedMessageList": [self._failed(message) for message in failed],
            "groupInfo": _group(len(taken), len(failed)),
        }
        if body.get("showMessageList"):
            answer["messageList"] = [self._taken(message) for message in taken]
        return answer

    def _taken(self, message: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "messageId": message["messageId"],
            "statusCode": "2000",
            "statusMessage": "정상 접수(이통사로 접수 예정)",
        }
        return shown | self._echo(message)

    def _failed(self, message: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "to": message["to"],
            "from": message.get("from"),
            "type": message.get("type", "SMS"),
            "statusMessage": f"{message['to']} 접수 실패",
            "country": message.get("country"),
            "messageId": message["messageId"],
            "statusCode": message["statusCode"],
            "accountId": "12345678901234",
        }
        return shown | self._echo(message)

    def _echo(self, message: dict[str, Any]) -> dict[str, Any]:
        has_fields = self.echoes and message.get("customFields")
        return {"customFields": message["customFields"]} if has_fields else {}


def reports(*messages: dict[str, Any]) -> bytes:
    """A webhook's body as the vendor's own models read it."""
    wrapped = [
        {"eventDataId": secrets.token_hex(8), "data": message, "retryCount": 0}
        for message in messages
    ]
    return json.dumps(wrapped).encode()


@contextmanager
def running() -> Iterator[SolapiDouble]:
    double = SolapiDouble()
    with serving(double.application()) as double.url:
        yield double


def _is_readable(message: dict[str, Any]) -> bool:
    """An address that is no number, or a kind that is none, spoils the whole request."""
    is_number = re.fullmatch(r"[0-9]{8,12}", str(message.get("to"))) is not None
    return is_number and message.get("type") in (None, "SMS", "LMS", "ATA")


def _code_of(message: dict[str, Any]) -> str | None:
    if message.get("from") != SENDER:
        return "1062"
    kind = message.get("type")
    if kind == "ATA":
        return None if (message.get("kakaoOptions") or {}).get("pfId") else "3010"
    size = sum(1 if character.isascii() else 2 for character in message.get("text") or "")
    return None if 0 < size <= LENGTHS.get(kind or "LMS", 2000) else "1010"


def _group(taken: int, failed: int) -> dict[str, Any]:
    cash = {"requested": 0, "replacement": 0, "refund": 0, "sum": 0}
    count = {
        "total": taken + failed, "sentTotal": 0, "sentSuccess": 0, "sentPending": 0,
        "sentReplacement": 0, "refund": 0, "registeredFailed": failed, "registeredSuccess": taken,
    }  # fmt: skip
    return {
        "count": count, "countForCharge": {}, "balance": cash, "point": cash, "app": {},
        "log": [], "status": "SENDING", "allowDuplicates": False, "isRefunded": False,
        "accountId": "12345678901234", "masterAccountId": None, "apiVersion": "4",
        "groupId": f"G4V{secrets.token_hex(14).upper()}", "price": {},
        "dateCreated": "2026-11-22T00:00:00.000Z", "dateUpdated": "2026-11-22T00:00:00.000Z",
    }  # fmt: skip


def _as_told(request: web.Request, told: Raw) -> web.StreamResponse:
    if told.body is None:
        transport = request.transport
        assert transport is not None
        line: socket.socket = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=told.status, body=told.body, content_type="application/json")
