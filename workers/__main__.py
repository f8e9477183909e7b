"""`python -m workers KIND`: one kind of process, until SIGTERM."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial

from workers import demo, hints, relay, scheduler
from workers.queues import QUEUES

KINDS: dict[str, Callable[[], object]] = {
    **{queue: partial(hints.work, queue) for queue in QUEUES},
    "relay": relay.run,
    "scheduler": scheduler.run,
    "demo": demo.run,
}


def main(words: list[str]) -> None:
    """Raises SystemExit when the kind is missing or unknown."""
    if len(words) != 1 or words[0] not in KINDS:
        raise SystemExit(f"usage: python -m workers {'|'.join(KINDS)}")
    os.environ["TZ"] = "UTC"
    time.tzset()
    KINDS[words[0]]()


if __name__ == "__main__":
    main(sys.argv[1:])
