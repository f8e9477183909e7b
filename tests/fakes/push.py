"""Doubles of the two kinds of push service: one that browsers use (RFC 8030), and FCM.

The first opens what it is sent with http-ece and checks the sender's token with py-vapid, both
written by others; the second checks the service account's signature before it gives out a token.
"""

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import http_ece
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from py_vapid import Vapid02

from tests.fakes.loopback import serving

PROJECT = "opsapp-double"
EMAIL = "sender@opsapp-double.iam.gserviceaccount.com"
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Browser:
    """Someone who has subscribed: the keys that only the browser knows."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def subscription(self, endpoint: str) -> str:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": b64url(point), "auth": b64url(self.auth)}
        return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})

    def open(self, body: bytes) -> Any:
        opened = http_ece.decrypt(
            body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"
        )
        return json.loads(opened)


@dataclass
class PushDouble:
    url: str = ""
    arrived: list[tuple[dict[str, str], bytes]] = field(default_factory=list)  # at a browser
    messages: list[dict[str, Any]] = field(default_factory=list)  # at FCM
    tokens: dict[str, bool] = field(default_factory=dict)  # given out; whether it still serves
    token_life_s: Any = 3600
    status: int = 201
    body: bytes = b""
    fcm: tuple[int, bytes] | None = None  # FCM's answer in place of its own
    token_answer: tuple[int, bytes] | None = None
    location: str = ""

    def forget(self) -> None:
        self.arrived.clear()
        self.messages.clear()
        self.tokens.clear()
        self.token_life_s, self.status, self.body, self.location = 3600, 201, b"", ""
        self.fcm = self.token_answer = None

    def service_account(self) -> str:
        pem = _RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "key-1",
                "private_key": pem,
                "client_email": EMAIL,
                "token_uri": f"{self.url}/token",
            }
        )

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/push/{who}", self._push)
        app.router.add_post("/token", self._give_token)
        app.router.add_post("/v1/projects/{project}/messages:send", self._send)
        return app

    async def _push(self, request: web.Request) -> web.Response:
        self.arrived.append((dict(request.headers), await request.read()))
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, body=self.body, headers=headers)

    async def _give_token(self, request: web.Request) -> web.Response:
        if self.token_answer is not None:
            status, body = self.token_answer
            return web.Response(status=status, body=body)
        form = parse_qs(await request.text())
        [assertion] = form["assertion"]
        said, _, signature = assertion.rpartition(".")
        try:
            _RSA.public_key().verify(
                _decoded(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return web.json_response({"error": "invalid_grant"}, status=400)
        header, claims = (json.loads(_decoded(part)) for part in said.split("."))
        is_ours = claims["iss"] == EMAIL and claims["aud"] == f"{self.url}/token"
        if header["kid"] != "key-1" or not is_ours or claims["exp"] - claims["iat"] > 3600:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.tokens[token] = True
        answer = {"access_token": token, "expires_in": self.token_life_s, "token_type": "Bearer"}
        return web.json_response(answer)

    async def _send(self, request: web.Request) -> web.Response:
        if self.fcm is not None:
            status, body = self.fcm
            return web.Response(status=status, body=body)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if not self.tokens.get(token) or request.match_info["project"] != PROJECT:
            return fcm_error(401, "UNAUTHENTICATED", None)
        message = (await request.json())["message"]
        if message["token"].startswith("gone"):
            return fcm_error(404, "NOT_FOUND", "UNREGISTERED")
        self.messages.append(message)
        return web.json_response({"name": f"projects/{PROJECT}/messages/0:{len(self.messages)}"})


def fcm_error(status: int, name: str, code: str | None) -> web.Response:
    return web.Response(status=status, body=fcm_error_body(status, name, code))


def fcm_error_body(status: int, name: str, code: str | None) -> bytes:
    error: dict[str, Any] = {"code": status, "message": "no", "status": name}
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        error["details"] = [{"@type": "type.googleapis.com/x"}, {"@type": kind, "errorCode": code}]
    return json.dumps({"error": error}).encode()


def vapid_claims(authorization: str) -> dict[str, Any]:
    """What the sender said of itself, once py-vapid has found the signature good."""
    # py-vapid splits at the last space; RFC 8292 allows one between the two parameters.
    assert Vapid02.verify(authorization.replace(", ", ","))
    said = authorization.removeprefix("vapid t=").partition(",")[0].split(".")[1]
    claims: dict[str, Any] = json.loads(_decoded(said))
    return claims


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def running() -> Iterator[PushDouble]:
    double = PushDouble()
    with serving(double.application()) as double.url:
        yield double
