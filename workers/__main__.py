"""`python -m workers KIND`: one kind of process, until SIGTERM."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial

from workers import demo, hints, relay, scheduler
from workers.queues import LANED, PLAIN, is_watchable

KINDS: dict[str, Callable[[], object]] = {
    "relay": relay.run,
    "scheduler": scheduler.run,
    "demo": demo.run,
}


def main(words: list[str]) -> None:
    """A kind is a queue too. Raises SystemExit when it is missing or unknown."""
    kind = words[0] if len(words) == 1 else ""
    if kind not in KINDS and not is_watchable(kind):
        queues = [*(f"{base}.GATEWAY" for base in LANED), *PLAIN]
        raise SystemExit(f"usage: python -m workers {'|'.join([*queues, *KINDS])}")
    os.environ["TZ"] = "UTC"
    time.tzset()
    KINDS.get(kind, partial(hints.work, kind))()


if __name__ == "__main__":
    main(sys.argv[1:])
