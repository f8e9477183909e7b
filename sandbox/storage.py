"""The journal: an append-only file that is the sandbox's only durable storage.

One line is one act (a JSON list of facts) and is written whole or, after a crash, not at all.
Group commit: while one batch is being written and fsynced by the writer thread, the acts that
arrive gather for the next. An answer leaves only when every act before it is on disk.
"""

import asyncio
import fcntl
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_JOURNAL_NAME = "journal.jsonl"


class StorageUnusable(Exception):
    """The data directory cannot be used; the message is one sentence for the operator."""


class Journal:
    """Append-only storage of one data directory, held by one process at a time."""

    def __init__(self, directory: Path) -> None:
        """Raises StorageUnusable if the directory is not writable or already in use."""
        self._path = directory / _JOURNAL_NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageUnusable(
                f"The data directory {directory} is in use by another sandbox."
            ) from None
        except OSError as error:
            raise StorageUnusable(
                f"The data directory {directory} is not writable: {error.strerror}."
            ) from error
        self._lines: list[bytes] = []
        self._next_waiting: list[Callable[[], None]] = []
        self._flushing_waiting: list[Callable[[], None]] = []
        self._flushing = False
        self._scheduled = False
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._write_batches, name="journal", daemon=True)
        self.batches_written = 0

    def replay(self) -> Iterator[list[list[Any]]]:
        """The acts of earlier runs in order. A half-written last line was never answered: cut.

        Raises StorageUnusable if a line before the last cannot be read.
        """
        with self._path.open("rb") as file:
            end = 0
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    facts = json.loads(line)
                except ValueError:
                    raise StorageUnusable(
                        f"Line {number} of {self._path} is damaged; move the file away to start "
                        "empty."
                    ) from None
                yield facts
                end += len(line)
        os.ftruncate(self._fd, end)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def append(self, line: bytes) -> None:
        """Queue one act (without newline); it is durable when `when_durable` says so."""
        self._lines.append(line)
        self._schedule()

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Run the callback once everything appended so far is on disk; at once if it is."""
        if self._lines:
            self._next_waiting.append(callback)
        elif self._flushing:
            self._flushing_waiting.append(callback)
        else:
            callback()

    def close(self) -> None:
        """Write what is left and stop the writer thread."""
        if self._lines:
            self._batches.put(b"\n".join(self._lines) + b"\n")
            self._lines = []
        self._batches.put(None)
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._fd)

    def _schedule(self) -> None:
        if self._flushing or self._scheduled or self._loop is None:
            return
        # Not at once: whatever arrives in the same turn of the loop shares the batch.
        self._scheduled = True
        self._loop.call_soon(self._begin_flush)

    def _begin_flush(self) -> None:
        self._scheduled = False
        self._flushing = True
        batch = b"\n".join(self._lines) + b"\n"
        self._lines = []
        self._flushing_waiting, self._next_waiting = self._next_waiting, []
        self._batches.put(batch)

    def _finish_flush(self) -> None:
        self._flushing = False
        self.batches_written += 1
        waiting, self._flushing_waiting = self._flushing_waiting, []
        if self._lines:
            self._schedule()
        for callback in waiting:
            callback()

    def _write_batches(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                view = memoryview(batch)
                while view:
                    view = view[os.write(self._fd, view) :]
                os.fdatasync(self._fd)
            except OSError as error:
                # Going on would answer for money that no restart remembers.
                sys.stderr.write(f"sandbox: cannot write {self._path}: {error.strerror}.\n")
                os._exit(1)
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._finish_flush)
