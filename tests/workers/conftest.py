"""Real worker processes, and one inside the test for what can be looked at from there."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from workers import hints, runtime

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(environment: Callable[[], dict[str, str]], tmp_path: Path) -> Iterator[Start]:
    """Start `python -m workers KIND`; extra variables by keyword."""
    children: list[subprocess.Popen[bytes]] = []

    def run(*kind: str, **variables: str) -> subprocess.Popen[bytes]:
        words = ("-m", "workers", *kind) if len(kind) == 1 else kind
        with (tmp_path / f"{len(children)}.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, *words],
                env=environment() | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        children.append(child)
        return child

    yield run
    for child in children:
        if child.poll() is None:
            os.kill(child.pid, signal.SIGCONT)
            child.kill()
        child.wait(10)


@pytest.fixture
def work(app: Flask, redis: Redis, settings: Any) -> Callable[[str], None]:
    """Let a worker in this process empty a queue, as the real one does."""
    runtime.use(app)

    def run(queue: str) -> None:
        connection = Redis.from_url(settings.redis_url)
        # It listens to the signals that end a worker, and would go on doing so ever after.
        handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            hints.new_worker(queue, connection).work(burst=True, logging_level="CRITICAL")
        finally:
            for each, handler in handlers.items():
                signal.signal(each, handler)
        connection.close()

    return run


@pytest.fixture
def logs(tmp_path: Path) -> Callable[[int], str]:
    """What the n-th started process has written."""
    return lambda number: (tmp_path / f"{number}.log").read_text()
