"""A merchant's webhook address: keeps what it gets, answers what it is told."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST as it came in."""

    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["tosspayments-webhook-transmission-id"]

    @property
    def retried(self) -> int:
        return int(self.headers["tosspayments-webhook-transmission-retried-count"])


class Receiver:
    """Listens on a free port of loopback while used as a context manager."""

    def __init__(self) -> None:
        deliveries: SimpleQueue[Delivery] = SimpleQueue()
        statuses: list[int] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"]))
                named = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()
                deliveries.put(Delivery(named, json.loads(text), text))

            def log_message(self, *_: object) -> None:
                pass

        self._deliveries = deliveries
        self.statuses = statuses  # answered in order before falling back to 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, timeout_s: float = 5) -> Delivery:
        """The next delivery; fails the test if none comes."""
        try:
            return self._deliveries.get(timeout=timeout_s)
        except Empty:
            raise AssertionError(f"no webhook came within {timeout_s} s") from None

    def is_quiet(self, for_s: float = 0.15) -> bool:
        """Whether nothing comes for a while."""
        try:
            self._deliveries.get(timeout=for_s)
        except Empty:
            return True
        return False
