"""HTTP as the channels speak it: kept connections, explicit time-outs, short answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from opsapp.channels.base import Channel

CONNECT_TIMEOUT_S = 5
CALL_TIMEOUT_S = 15.0
REPLY_BYTES_MAX = 4 * 1024 * 1024  # 500 messages with all that SOLAPI tells of them, and more


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the parsed JSON, or None for what is no JSON."""

    status: int
    body: Any

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class NoReply:
    """Nothing readable came back; the message may be on its way all the same."""

    because: str
    cause: BaseException


class SessionsByLoop:
    """Inside `connected()` connections are kept. One client serves several threads, each with a
    loop of its own: sessions are kept by loop.
    """

    def __init__(self) -> None:
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with self._new_session() as session:
            self._sessions[loop] = session
            try:
                yield
            finally:
                del self._sessions[loop]

    def _new_session(self) -> aiohttp.ClientSession:
        raise NotImplementedError


class HttpChannel(SessionsByLoop, Channel):
    """A channel over HTTP. Outside `connected()` each connection is new."""

    def _connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.abreast_max)

    def _new_session(self) -> aiohttp.ClientSession:
        # Nobody's cookies are kept: recipients share the session.
        return aiohttp.ClientSession(
            connector=self._connector(), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def _post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Reply | NoReply:
        session = self._sessions.get(asyncio.get_running_loop())
        if session is not None:
            return await _posted(session, url, body, headers, timeout_s)
        async with self._new_session() as session:
            return await _posted(session, url, body, headers, timeout_s)


def as_json(fields: Mapping[str, Any]) -> bytes:
    """Raises ValueError for halves of a character pair."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


async def _posted(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
) -> Reply | NoReply:
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
    try:
        async with session.post(
            url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            return Reply(response.status, _parsed(await _read(response)))
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as trouble:
        return NoReply(type(trouble).__name__, trouble)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Raises ValueError for an answer beyond the limit."""
    raw = bytearray()
    async for part in response.content.iter_chunked(1 << 16):
        raw += part
        if len(raw) > REPLY_BYTES_MAX:
            raise ValueError("the answer is too long")
    return bytes(raw)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
