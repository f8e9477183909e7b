"""Waiting for something outside this process to become true, with a limit instead of a sleep."""

import threading
import time
from collections.abc import Callable

LIMIT_S = 60.0


def until(is_true: Callable[[], object], *, limit_s: float = LIMIT_S) -> None:
    """Raises AssertionError after `limit_s`."""
    give_up_at = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < give_up_at, f"not true within {limit_s} s"
        time.sleep(0.02)


def join(*threads: threading.Thread, limit_s: float = LIMIT_S) -> None:
    """Wait for the end of all of them. Raises AssertionError after `limit_s`."""
    give_up_at = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, give_up_at - time.monotonic()))
        assert not thread.is_alive(), f"a thread goes on after {limit_s} s"
