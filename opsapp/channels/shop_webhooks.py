"""Webhooks to the shop's own addresses, signed as Standard Webhooks describes it.

The addresses are typed in by people: only those of the public internet are called, and what a
name leads to is checked at the moment of connecting (channels.internet). Redirects are not
followed, answers are read up to a limit, and nothing of ours but the event goes out.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from opsapp.channels import internet
from opsapp.channels.http import SessionsByLoop

CONNECT_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 15.0
ANSWER_BYTES_MAX = 64 * 1024
NOT_OF_THE_INTERNET = "the address is not one of the internet"

_CONNECTIONS_MAX = 256


@dataclass(frozen=True, slots=True)
class Letter:
    """`ref` is the same at every try: by it the shop knows what it has taken already."""

    url: str
    ref: str
    body: bytes
    secrets: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None if there is none; `text` is how the answer began, or why there is none."""

    status: int | None
    text: str
    took_ms: int


class ShopWebhooks(SessionsByLoop):
    """Letters go out inside `connected()`."""

    def __init__(
        self,
        *,
        ports: Collection[int] = (internet.HTTPS,),
        trusted_origins: Collection[str] = (),
        resolver: AbstractResolver | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Only `trusted_origins` may lie elsewhere than in the internet, each named whole."""
        super().__init__()
        self._ports = frozenset(ports)
        self._trusted = frozenset(trusted_origins)
        self._resolver = resolver
        self._timeout_s = timeout_s

    def may_call(self, url: str) -> bool:
        """Whether the address is of a form that may be called; its name is looked up later."""
        return _origin(url) in self._trusted or internet.is_callable(url, ports=self._ports)

    async def send(self, letter: Letter) -> Answer:
        """Never raises. Inside `connected()`."""
        if not self.may_call(letter.url):
            return Answer(None, NOT_OF_THE_INTERNET, 0)
        session = self._sessions[asyncio.get_running_loop()]
        started = time.monotonic()
        status, text = await _posted(session, letter, self._timeout_s)
        return Answer(status, text, int((time.monotonic() - started) * 1000))

    def _new_session(self) -> aiohttp.ClientSession:
        inner = self._resolver or aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(
            limit=_CONNECTIONS_MAX,
            resolver=internet.InternetResolver(inner),
            use_dns_cache=False,  # what was checked is what is connected to, each time
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a few bytes may unfold to gigabytes
        )


def sign(ref: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> str:
    """The signature header: one for each secret that is valid."""
    signed = f"{ref}.{int(at.timestamp())}.".encode() + body
    digests = [hmac.digest(secret, signed, hashlib.sha256) for secret in secrets]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def as_body(fields: dict[str, Any]) -> bytes:
    """The same bytes at every try."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _headers(letter: Letter) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "opsapp-webhooks/1",
        "webhook-id": letter.ref,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(letter.ref, now, letter.body, letter.secrets),
    }


async def _posted(
    session: aiohttp.ClientSession, letter: Letter, timeout_s: float
) -> tuple[int | None, str]:
    connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_s)
    try:
        async with session.post(
            letter.url,
            data=letter.body,
            headers=_headers(letter),
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            return response.status, await _beginning(response)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as trouble:
        if isinstance(getattr(trouble, "os_error", None), internet.NotOfTheInternet):
            return None, NOT_OF_THE_INTERNET
        return None, type(trouble).__name__


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """What is beyond the limit is not read, and its connection is not used again."""
    raw = bytearray()
    try:
        async for part in response.content.iter_chunked(1 << 14):
            raw += part
            if len(raw) >= ANSWER_BYTES_MAX:
                response.close()
                break
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()  # the status was read: it is the answer, whatever follows
    return bytes(raw[:ANSWER_BYTES_MAX]).decode("utf-8", "replace")


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if parts.username or parts.password else f"{parts.scheme}://{parts.netloc}"
