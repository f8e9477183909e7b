"""A supervised tree of processes: started in order, revived when they die, stopped in reverse.

One plain poll loop, no threads. Every child leads a session of its own, so that Ctrl-C reaches only
the supervisor, which then stops the children in order; and every child is told by the kernel when
the supervisor is gone (Linux), so that a killed supervisor leaves nothing behind.
"""

import ctypes
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from opsapp.kernel.errors import OpsError

POLL_S = 0.1
BACK_OFF_FIRST_S = 0.25
BACK_OFF_MAX_S = 10.0
# A child that lived this long has proved itself: its next death starts from the first back-off.
STEADY_AFTER_S = 30.0
START_TRIES = 3
LOG_SIZE_MAX = 10 * 1024 * 1024
LOG_TAIL_LINES = 12
_PR_SET_PDEATHSIG = 1


class ProcessFailed(OpsError):
    """A child did not come up; the end of what it wrote is part of the message."""

    code = "process_failed"
    http_status = 500
    message = "{name} did not start ({reason}); its log is {log}.\n{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """How one child is started, recognised as ready, and stopped."""

    name: str  # names the log file too
    argv: tuple[str, ...]
    group: str = ""  # what kind of child this is, for whoever lists the pids; the name by default
    env: Mapping[str, str] | None = None  # the whole environment; the supervisor's own when None
    user: int | None = None  # uid and gid to run as; needs root
    ready: Callable[[], bool] | None = None
    ready_within_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 15.0
    once: bool = False  # leaving with 0 is its purpose, not a death


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    start_again_at: float | None = None
    is_done: bool = False


class StopRequested(Exception):
    """SIGINT or SIGTERM arrived while the tree was still being started."""


def spawn(spec: ProcessSpec, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start the child of `spec` in its own session, tied to the life of this process."""
    parent_pid = os.getpid()
    # Loaded before the fork: between fork and exec only the call itself may happen.
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_parent() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, int(spec.stop_signal))
            if os.getppid() != parent_pid:  # it died before the kernel was told
                os._exit(1)

    return subprocess.Popen(
        spec.argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=None if spec.env is None else dict(spec.env),
        user=spec.user,
        group=spec.user,
        extra_groups=None if spec.user is None else [],
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - unsafe with threads, and there are none
    )


def end(process: subprocess.Popen[bytes], spec: ProcessSpec) -> None:
    """Ask once, wait `spec.stop_within_s`, then kill the child and whatever it has started."""
    if process.poll() is None:
        process.send_signal(spec.stop_signal)
    _reap(process, spec, deadline=time.monotonic() + spec.stop_within_s)


def _reap(process: subprocess.Popen[bytes], spec: ProcessSpec, *, deadline: float) -> None:
    try:
        process.wait(timeout=max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        for pid in _session_members(process.pid):
            _kill(pid)
        _kill(process.pid)
        process.wait()


def _session_members(session_id: int) -> list[int]:
    """Every process of a session: a child's children, whatever process group they moved to."""
    members = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == session_id:
                members.append(int(entry.name))
        except ProcessLookupError:  # ended while we looked
            continue
    return members


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def report(event: str, **values: object) -> None:
    """One line of key=value on stderr."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    words = " ".join(f"{key}={value}" for key, value in values.items())
    print(f"{now} event={event} {words}", file=sys.stderr, flush=True)  # noqa: T201 - its purpose


@dataclass(slots=True)
class Supervisor:
    """Holds the tree. `on_change` is called after a child was revived: its pid is another one."""

    log_dir: Path
    on_change: Callable[[], None] | None = None
    _batches: list[list[_Child]] = field(default_factory=list)
    _is_stopping: bool = False

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as the wish to stop, for the length of the block."""

        def take(_number: int, _frame: FrameType | None) -> None:
            self._is_stopping = True

        before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, *specs: ProcessSpec) -> None:
        """Start a batch and wait until each is ready; batches are stopped in reverse order.

        Raises ProcessFailed (everything started so far is still running: call stop) and
        StopRequested.
        """
        batch: list[_Child] = []
        self._batches.append(batch)
        for spec in specs:  # one by one: if the second cannot be started, the first is known
            batch.append(_Child(spec, self._spawn(spec), time.monotonic()))  # noqa: PERF401
        for child in batch:
            self._await_ready(child)

    def watch(self) -> None:
        """Revive what dies until a signal asks to stop."""
        while not self._is_stopping:
            self._tick()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop all, the last batch first; a batch is asked at once and awaited together."""
        for batch in reversed(self._batches):
            for child in batch:
                if child.process.poll() is None:
                    child.process.send_signal(child.spec.stop_signal)
            asked_at = time.monotonic()
            for child in batch:
                _reap(child.process, child.spec, deadline=asked_at + child.spec.stop_within_s)
        self._batches.clear()

    def pids(self) -> dict[str, list[int]]:
        """The living children by group."""
        found: dict[str, list[int]] = {}
        for child in self._children():
            if child.process.poll() is None:
                found.setdefault(child.spec.group or child.spec.name, []).append(child.process.pid)
        return found

    def _children(self) -> list[_Child]:
        return [child for batch in self._batches for child in batch]

    def _spawn(self, spec: ProcessSpec) -> subprocess.Popen[bytes]:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self._log_of(spec)
        if log.exists() and log.stat().st_size > LOG_SIZE_MAX:
            log.replace(log.with_suffix(".log.1"))
        try:
            with log.open("ab") as output:
                return spawn(spec, output)
        except OSError as error:
            raise ProcessFailed(name=spec.name, reason=error, log=log, tail="") from error

    def _log_of(self, spec: ProcessSpec) -> Path:
        return self.log_dir / f"{spec.name}.log"

    def _await_ready(self, child: _Child) -> None:
        deadline = time.monotonic() + child.spec.ready_within_s
        while child.spec.ready is not None and not child.spec.ready():
            # Not only its own: what it waits for may be another child that cannot start.
            for tried in self._children():
                if tried.deaths >= START_TRIES:
                    raise self._failure(tried, f"exit {tried.process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(child, f"not ready after {child.spec.ready_within_s:g} s")
            self._tick()
            if self._is_stopping:
                raise StopRequested
            time.sleep(POLL_S)

    def _failure(self, child: _Child, reason: str) -> ProcessFailed:
        log = self._log_of(child.spec)
        tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return ProcessFailed(name=child.spec.name, reason=reason, log=log, tail="\n".join(tail))

    def _tick(self) -> None:
        for child in self._children():
            if child.is_done or child.process.poll() is None:
                continue
            if child.start_again_at is None:
                self._note_death(child)
            elif time.monotonic() >= child.start_again_at:
                self._revive(child)

    def _note_death(self, child: _Child) -> None:
        status, spec = child.process.returncode, child.spec
        if spec.once and status == 0:
            child.is_done = True
            return
        lived_s = time.monotonic() - child.started_at
        child.deaths = 1 if lived_s > STEADY_AFTER_S else child.deaths + 1
        back_off_s = min(BACK_OFF_FIRST_S * 2 ** (child.deaths - 1), BACK_OFF_MAX_S)
        child.start_again_at = time.monotonic() + back_off_s
        report(
            "process_died",
            process=spec.name,
            pid=child.process.pid,
            exit=status,
            lived_s=round(lived_s, 1),
            restart_in_s=back_off_s,
            log=self._log_of(spec),
        )

    def _revive(self, child: _Child) -> None:
        child.process = self._spawn(child.spec)
        child.started_at = time.monotonic()
        child.start_again_at = None
        report("process_restarted", process=child.spec.name, pid=child.process.pid)
        if self.on_change is not None:
            self.on_change()
