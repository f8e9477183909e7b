"""HTTP as all adapters speak it: kept connections, explicit time-outs, bounded answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp
from yarl import URL

from opsapp.gateways import failures
from opsapp.gateways.base import Gateway, GatewayAway
from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.loops import outlives_the_job

CONNECT_TIMEOUT_S = 5
# Before a page of a list is asked for again.
PAGE_PAUSES_S = (0.1, 0.5, 2)
REPLY_BYTES_MAX = 64 * 1024 * 1024  # a day's transactions; more is no answer


_LOST = (Outcome.UNKNOWN, Outcome.NOT_SENT)


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the parsed JSON, {} for an empty answer, None for what is no JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Limits:
    """What a gateway tolerates from this process, and how long it is waited for."""

    timeout_s: float
    inquiry_timeout_s: float
    abreast_max: int
    rate_per_s_max: float


class HttpGateway(Gateway):
    """An adapter over HTTP. Calls are made inside `connected()`."""

    def __init__(self, *, url: str, headers: Mapping[str, str], limits: Limits) -> None:
        self.timeout_s = limits.timeout_s
        self.inquiry_timeout_s = limits.inquiry_timeout_s
        self.abreast_max = limits.abreast_max
        self.rate_per_s_max = limits.rate_per_s_max
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}
        self._session: aiohttp.ClientSession | None = None
        self._kept: tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession] | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        if self._kept is not None and self._kept[0] is loop:
            session, is_kept = self._kept[1], True
            await _hear_who_hung_up()
        else:
            session = self._new_session()
            is_kept = outlives_the_job(session.close)
            self._kept = (loop, session) if is_kept else None
        self._session = session
        try:
            yield
        finally:
            self._session = None
            if not is_kept:
                await session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.abreast_max),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),  # one caller's cookie is no other caller's
        )

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 0,
    ) -> Reply | Answer:
        """One request. What came back is a Reply to be understood; what did not is an Answer.

        NOT_SENT only when no connection was made; anything later may have been executed.
        """
        if self._session is None:
            raise RuntimeError("calls are made inside connected()")
        try:
            async with self._session.request(
                method,
                URL(self._url + path, encoded=True),
                # As a payload: aiohttp searches its register for whatever else it is given.
                data=None if body is None else aiohttp.BytesPayload(body),
                headers=headers,
                timeout=self._timeout(timeout_s or self.timeout_s),
                allow_redirects=False,
            ) as response:
                raw = await _read(response)
                return Reply(response.status, _parsed(raw), response.headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as trouble:
            because = "the gateway could not be reached"
            return fault(_unconnected(trouble), because, outcome=Outcome.NOT_SENT)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as trouble:
            return fault(_interrupted(trouble), "no readable answer")

    async def _page(self, ask: Callable[[], Awaitable[Reply | Answer]]) -> Reply:
        """One page of a list. Reading changes nothing, so what was lost on the way is asked for
        again, within the time of a call and a look: one that hung is asked for once more. Raises
        GatewayAway.
        """
        patience_s = self.timeout_s + self.inquiry_timeout_s
        started, pauses = monotonic(), iter(PAGE_PAUSES_S)
        while isinstance(reply := await ask(), Answer):
            pause_s = next(pauses, None) if reply.outcome in _LOST else None
            if pause_s is None or monotonic() - started + pause_s > patience_s:
                raise GatewayAway(f"{reply.outcome}: {reply.because}")
            await asyncio.sleep(pause_s)
        return reply

    def _timeout(self, total_s: float) -> aiohttp.ClientTimeout:
        if total_s not in self._timeouts:
            self._timeouts[total_s] = aiohttp.ClientTimeout(
                total=total_s, sock_connect=CONNECT_TIMEOUT_S
            )
        return self._timeouts[total_s]


def fault(
    name: str,
    because: str,
    *,
    outcome: Outcome = Outcome.UNKNOWN,
    trace_id: str | None = None,
) -> Answer:
    """What happened on the way to a gateway; `name` is ours, of the source `transport`.

    It is no `code`: the gateway has said nothing.
    """
    known = failures.look_up("transport", name)
    return Answer(
        outcome,
        f"{because} ({name})",
        failure_class=known.failure_class if known else None,
        retry_mode=known.retry_mode if known else None,
        trace_id=trace_id,
    )


def as_json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


async def _hear_who_hung_up() -> None:
    """The loop stood still between two jobs: what ended meanwhile must not be used."""
    for _ in range(3):
        await asyncio.sleep(0)


def _unconnected(trouble: Exception) -> str:
    match trouble:
        case aiohttp.ConnectionTimeoutError():
            return "CONNECT_TIMEOUT"
        case aiohttp.ClientConnectorDNSError():
            return "DNS_FAILURE"
        case aiohttp.ClientSSLError():
            return "TLS_FAILURE"
        case _:
            return "CONNECT_REFUSED"


def _interrupted(trouble: Exception) -> str:
    match trouble:
        case TimeoutError():
            return "READ_TIMEOUT"
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return "CONNECTION_RESET"
        case aiohttp.ClientError() | ValueError():
            return "MALFORMED_RESPONSE"
        case _:
            return "CONNECTION_RESET"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Raises ValueError for an answer beyond the limit."""
    length = response.content_length
    if length is not None and length <= REPLY_BYTES_MAX:
        return await response.read()
    raw = bytearray()
    async for part in response.content.iter_chunked(1 << 16):
        raw += part
        if len(raw) > REPLY_BYTES_MAX:
            raise ValueError("the answer is too long")
    return bytes(raw)


def _parsed(raw: bytes) -> Any:
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
