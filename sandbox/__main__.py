"""`python -m sandbox --port P --data DIR`: start the gateway and run until a signal."""

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from sandbox.api import Gateway
from sandbox.books import Books
from sandbox.control import check_webhook_url
from sandbox.errors import ControlRefused
from sandbox.server import Connection
from sandbox.storage import Journal, StorageUnusable
from sandbox.webhooks import Deliverer


class CannotStart(Exception):
    """Why the sandbox does not start, in one sentence."""


def main() -> None:
    options = _options()
    try:
        uvloop.run(_serve(options))
    except (CannotStart, StorageUnusable) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A local gateway that speaks the Toss Payments core API.",
    )
    parser.add_argument("--port", type=int, required=True, help="0 picks a free port")
    parser.add_argument("--data", type=Path, required=True, help="directory of its storage")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="time every call takes")
    parser.add_argument("--webhook-url", help="target of webhooks, on loopback")
    parser.add_argument(
        "--retry-scale", type=float, default=1.0, help="factor on the webhook ladder's minutes"
    )
    parser.add_argument(
        "--window-host",
        action="append",
        default=[],
        help="a host besides loopback that the payment window may be opened under and return to",
    )
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    journal = Journal(options.data)
    books = Books()
    books.replay(journal.replay())
    loop = asyncio.get_running_loop()
    gateway = _gateway(books, journal, loop, options)
    open_connections: set[Connection] = set()
    try:
        server = await loop.create_server(
            lambda: Connection(gateway.receive, open_connections),
            options.host,
            options.port,
            backlog=2048,
        )
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {options.host}:{options.port}: {error.strerror or error}."
        ) from error
    journal.start(loop)
    gateway.start()
    _tune_garbage_collection()
    stopped = _stopped_by_signal(loop)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"sandbox: listening on http://{options.host}:{port}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()
    await gateway.close()
    for connection in list(open_connections):
        connection.close()
    journal.close()


def _gateway(
    books: Books,
    journal: Journal,
    loop: asyncio.AbstractEventLoop,
    options: argparse.Namespace,
) -> Gateway:
    if options.webhook_url is not None:
        try:
            books.record_webhook({"url": check_webhook_url(options.webhook_url)})
        except ControlRefused as refused:
            raise CannotStart(f"--webhook-url: {refused}") from refused
    deliverer = Deliverer(books, loop, retry_scale=options.retry_scale)
    return Gateway(
        books,
        journal,
        deliverer,
        loop,
        latency_ms=options.latency_ms,
        window_hosts=frozenset(options.window_host),
    )


def _tune_garbage_collection() -> None:
    """Payments live for ever and hold no cycles: scanning them again and again is waste."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def _stopped_by_signal(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped


if __name__ == "__main__":
    main()
