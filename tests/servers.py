"""The servers of a test run: real ones by URL, embedded ones otherwise, and the sandbox gateway."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from opsapp.kernel.processes import ProcessSpec, end, spawn
from tests import embedded_servers

START_LIMIT_S = 20


@dataclass(frozen=True, slots=True)
class Servers:
    database_url: str
    redis_url: str
    sandbox_url: str


@contextmanager
def start_servers(folders: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        database_url = os.environ.get("DATABASE_URL") or stack.enter_context(
            embedded_servers.postgres()
        )
        redis_url = os.environ.get("REDIS_URL") or stack.enter_context(embedded_servers.redis())
        sandbox_url = stack.enter_context(_sandbox(str(folders.mktemp("sandbox"))))
        yield Servers(database_url, _own_redis_database(redis_url), sandbox_url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _sandbox(folder: str) -> Iterator[str]:
    port = free_port()
    command = (sys.executable, "-m", "sandbox", "--port", str(port), "--data", folder)
    # Ends with this process, however that ends.
    spec = ProcessSpec(name="sandbox", argv=command, stop_within_s=10)
    with Path(f"{folder}.log").open("ab") as output:
        process = spawn(spec, output)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_answers(f"{url}/_sandbox/health", process)
        yield url
    finally:
        end(process, spec)


def _wait_until_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")


def _own_redis_database(url: str) -> str:
    """Test processes that run side by side must not empty each other's Redis."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return urlunsplit(urlsplit(url)._replace(path=f"/{int(worker) + 1}"))
