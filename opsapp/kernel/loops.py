"""Event loops: one for each errand, or one that a worker keeps with the connections made in it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import uvloop

R = TypeVar("R")

Close = Callable[[], Awaitable[None]]


class _KeptLoop:
    """Outlives the job, and with it the connections that were opened in it."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._closers: list[Close] = []

    def run(self, errand: Coroutine[Any, Any, R]) -> R:
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        try:
            return self._runner.run(errand)
        except BaseException:  # a job's time limit is one too: nobody knows what it interrupted
            self.end()
            raise

    def is_running(self) -> bool:
        return self._runner is not None and self._runner.get_loop().is_running()

    def close_in_the_end(self, close: Close) -> None:
        self._closers.append(close)

    def end(self) -> None:
        runner, self._runner = self._runner, None
        closers, self._closers = self._closers, []
        if runner is not None:
            with runner:
                runner.run(_all(closers))


_kept: list[_KeptLoop] = []


def keep_loop() -> None:
    """Called by a process that does one job after another, all of them in its first thread."""
    if not _kept:
        _kept.append(_KeptLoop())


def end_loop() -> None:
    """Close what was kept open, and keep nothing more."""
    while _kept:
        _kept.pop().end()


def outlives_the_job(close: Close) -> bool:
    """Whether a connection made now may be used by the next job too.

    If so, `close` is called when the loop ends.
    """
    is_kept = bool(_kept) and _kept[0].is_running()
    if is_kept:
        _kept[0].close_in_the_end(close)
    return is_kept


def run(errand: Coroutine[Any, Any, R]) -> R:
    """In the loop that is kept, or in one of its own."""
    return _kept[0].run(errand) if _kept else run_apart(errand)


def run_apart(errand: Coroutine[Any, Any, R]) -> R:
    """In a loop of its own, whatever the process keeps."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(errand)


async def _all(closers: Sequence[Close]) -> None:
    for close in closers:
        with suppress(Exception):  # what cannot be closed any more is closed
            await close()
