"""The wish to stop, as SIGTERM and SIGINT bring it: a loop ends its round and then leaves."""

import signal
import time
from types import FrameType

_SLICE_S = 0.1


class StopWish:
    """Takes both signals from its creation on."""

    def __init__(self) -> None:
        self.is_there = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than a slice once the wish has come."""
        until = time.monotonic() + seconds
        while not self.is_there and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.is_there = True
