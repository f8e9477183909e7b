"""HTTP/1.1 on a plain asyncio protocol: parse, hand over, write the answer.

aiohttp's server costs about as much CPU per request as the whole budget of a charge; here the
parser is httptools (C) and a request is a callback, not a task.
"""

import asyncio
import itertools
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qsl, unquote

import httptools

from sandbox.errors import Answer, Refused

_BODY_LIMIT: Final = 64 * 1024
_HEADERS_LIMIT: Final = 32 * 1024
_PIPELINE_LIMIT: Final = 16
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
# Linger switched on with zero seconds: close() sends RST instead of FIN.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

Receiver = Callable[["Request"], None]


class Request:
    """One request; exactly one of answer, hang_up and reset ends it."""

    __slots__ = ("_connection", "body", "headers", "method", "path", "query_text")

    def __init__(
        self,
        connection: "Connection",
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
    ) -> None:
        self._connection = connection
        self.method = method
        self.headers = headers
        self.body = body
        path, _, query = target.decode("latin-1").partition("?")
        self.path = unquote(path) if "%" in path else path
        self.query_text = query

    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_text, keep_blank_values=True)) if self.query_text else {}

    def answer(self, answer: Answer) -> None:
        self._connection.write_answer(answer)

    def hang_up(self) -> None:
        """Close without an answer, as a gateway does that lost its own connection."""
        self._connection.close()

    def reset(self) -> None:
        """Connection reset by peer."""
        self._connection.reset()


class Connection(asyncio.Protocol):
    """One keep-alive connection; pipelined requests are answered one after the other."""

    _trace_prefix = os.urandom(10).hex().encode()
    _trace_numbers = itertools.count(1)

    def __init__(self, receive: Receiver, open_connections: set["Connection"]) -> None:
        self._receive = receive
        self._open = open_connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._is_busy = False
        self._close_after = False
        self._size = 0
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open.discard(self)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Another protocol was offered; HTTP/1.1 answers, as it may, and closes.
            self._close_after = True
            if not self._is_busy:
                self.close()
        except (httptools.HttpParserError, _TooLarge) as error:
            text = (
                "요청이 너무 큽니다."
                if isinstance(error, _TooLarge) or (isinstance(error.__context__, _TooLarge))
                else "HTTP 요청이 아닙니다."
            )
            self._close_after = True
            self.write_answer(Refused("INVALID_REQUEST", text).answer())

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body, self._size = b"", {}, b"", 0

    def on_url(self, url: bytes) -> None:
        self._grow(len(url), _HEADERS_LIMIT)
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value), _HEADERS_LIMIT)
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._size = 0
        if self._headers.get(b"expect") and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._grow(len(body), _BODY_LIMIT)
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        request = Request(
            self,
            self._parser.get_method().decode("latin-1"),
            self._target,
            self._headers,
            self._body,
        )
        if not self._parser.should_keep_alive():
            self._close_after = True
        if not self._is_busy:
            self._is_busy = True
            self._receive(request)
            return
        self._waiting.append(request)
        if len(self._waiting) >= _PIPELINE_LIMIT and self._transport is not None:
            self._transport.pause_reading()

    # Called for the request in hand.

    def write_answer(self, answer: Answer) -> None:
        if self._transport is None:
            return
        self._transport.write(
            b"HTTP/1.1 %d %s\r\n%s"
            b"x-tosspayments-trace-id: %s%012x\r\n%scontent-length: %d\r\n\r\n%s"
            % (
                answer.status,
                _REASONS[answer.status],
                answer.headers,
                self._trace_prefix,
                next(self._trace_numbers),
                b"connection: close\r\n" if self._close_after else b"",
                len(answer.body),
                answer.body,
            )
        )
        if self._close_after and not self._waiting:
            self._transport.close()
            return
        self._is_busy = False
        if self._waiting:
            self._is_busy = True
            self._transport.resume_reading()
            self._receive(self._waiting.popleft())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is None:
            return
        connected = self._transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _grow(self, size: int, limit: int) -> None:
        self._size += size
        if self._size > limit:
            raise _TooLarge


class _TooLarge(Exception):
    """Headers or body beyond what any call of this API needs."""
