"""The supervised tree, driven as a process of its own and watched from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsapp.kernel import processes
from opsapp.kernel.processes import ProcessFailed, ProcessSpec, Supervisor
from tests.waiting import until

# A child that notes its end, in the order in which the ends come.
CHILD = """
import pathlib, signal, sys
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def leave(number, frame):
    with (folder / "ends").open("a") as ends:
        ends.write(name + chr(10))
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
(folder / name).touch()
while True:
    signal.pause()
"""

# A child that does not listen, and has a child of its own in another process group.
DEAF_CHILD = """
import os, pathlib, signal, sys
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if pid := os.fork():
    (folder / "grandchild").write_text(str(pid))
    (folder / name).touch()
else:
    os.setpgrp()
while True:
    signal.pause()
"""

TREE = """
import json, sys
from pathlib import Path
from opsapp.kernel.processes import ProcessSpec, Supervisor
folder = Path(sys.argv[1])

def tell():
    fresh = folder / "pids.new"
    fresh.write_text(json.dumps(supervisor.pids()))
    fresh.replace(folder / "pids")

def spec(name, program, **more):
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-c", program, str(folder), name),
        ready=(folder / name).exists,
        **more,
    )

supervisor = Supervisor(log_dir=folder / "logs", on_change=tell)
with supervisor.signals():
    for batch in BATCHES:
        supervisor.start(*batch)
    tell()
    supervisor.watch()
    supervisor.stop()
"""


@dataclass(frozen=True, slots=True)
class Tree:
    folder: Path
    process: subprocess.Popen[str]

    def pids(self) -> dict[str, list[int]]:
        pids: dict[str, list[int]] = json.loads((self.folder / "pids").read_text())
        return pids

    def stop(self) -> tuple[int, str]:
        """Returns the exit status and what was reported."""
        self.process.send_signal(signal.SIGTERM)
        _, reported = self.process.communicate(timeout=30)
        return self.process.returncode, reported


def grow(folder: Path, batches: str) -> Tree:
    program = TREE.replace("BATCHES", batches)
    process = subprocess.Popen(
        [sys.executable, "-c", f"{CHILD=}; {DEAF_CHILD=}\n{program}", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: (folder / "pids").exists() or process.poll() is not None)
    return Tree(folder, process)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    grown = grow(tmp_path, "[[spec('a', CHILD)], [spec('b', CHILD)], [spec('c', CHILD)]]")
    yield grown
    if grown.process.poll() is None:
        grown.stop()


def test_a_stop_ends_the_children_in_reverse_order_and_exits_0(tree: Tree) -> None:
    status, reported = tree.stop()
    assert (status, reported) == (0, "")
    assert (tree.folder / "ends").read_text().split() == ["c", "b", "a"]


def test_a_killed_child_is_restarted_and_reported_and_the_others_are_left_alone(
    tree: Tree,
) -> None:
    before = tree.pids()
    os.kill(before["b"][0], signal.SIGKILL)
    until(lambda: tree.pids()["b"] != before["b"])
    after = tree.pids()
    assert is_alive(after["b"][0])
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    _, reported = tree.stop()
    died, restarted = reported.splitlines()
    assert f"event=process_died process=b pid={before['b'][0]} exit=-9" in died
    assert f"event=process_restarted process=b pid={after['b'][0]}" in restarted


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of the end")
def test_a_killed_supervisor_leaves_nothing_behind(tree: Tree) -> None:
    pids = [pid for several in tree.pids().values() for pid in several]
    tree.process.kill()
    tree.process.communicate(timeout=30)
    until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_child_that_does_not_listen_is_killed_with_everything_it_started(
    tmp_path: Path,
) -> None:
    tree = grow(tmp_path, "[[spec('deaf', DEAF_CHILD, stop_within_s=0.2)]]")
    grandchild = int((tmp_path / "grandchild").read_text())
    assert is_alive(grandchild)
    status, _ = tree.stop()
    assert status == 0
    until(lambda: not is_alive(grandchild))


def test_ctrl_c_reaches_the_supervisor_alone(tree: Tree) -> None:
    sessions = {os.getsid(pid) for several in tree.pids().values() for pid in several}
    assert os.getsid(tree.process.pid) not in sessions
    tree.process.send_signal(signal.SIGINT)
    tree.process.communicate(timeout=30)
    assert tree.process.returncode == 0


def test_a_child_that_leaves_with_0_is_done_when_that_is_its_purpose(tmp_path: Path) -> None:
    supervisor = Supervisor(log_dir=tmp_path)
    once = ProcessSpec(name="once", argv=(sys.executable, "-c", "print('done')"), once=True)
    steady = ProcessSpec(
        name="steady",
        argv=(sys.executable, "-c", "import signal; signal.pause()"),
        ready=lambda: (
            "done" in (tmp_path / "once.log").read_text() and not supervisor.pids().get("once")
        ),
    )
    try:
        supervisor.start(once, steady)
        assert set(supervisor.pids()) == {"steady"}
    finally:
        supervisor.stop()


def test_a_child_that_never_comes_up_is_told_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "BACK_OFF_FIRST_S", 0.0)
    supervisor = Supervisor(log_dir=tmp_path)
    program = "raise SystemExit('the port is taken')"
    broken = ProcessSpec(name="broken", argv=(sys.executable, "-c", program), ready=lambda: False)
    with pytest.raises(ProcessFailed, match=r"(?s)broken did not start .exit 1.*the port is taken"):
        supervisor.start(broken)
    supervisor.stop()
    assert capsys.readouterr().err.count("event=process_died") == processes.START_TRIES


def test_a_start_fails_for_the_child_that_keeps_dying_not_for_the_one_that_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "BACK_OFF_FIRST_S", 0.0)
    supervisor = Supervisor(log_dir=tmp_path)
    waiting = ProcessSpec(
        name="waiting",
        argv=(sys.executable, "-c", "import signal; signal.pause()"),
        ready=lambda: False,
    )
    broken = ProcessSpec(name="broken", argv=("false",))
    with pytest.raises(ProcessFailed, match="broken did not start"):
        supervisor.start(waiting, broken)
    supervisor.stop()


def test_a_log_that_has_grown_large_is_set_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_SIZE_MAX", 10)
    (tmp_path / "once.log").write_text("older than ten bytes\n")
    supervisor = Supervisor(log_dir=tmp_path)
    supervisor.start(ProcessSpec(name="once", argv=("true",), once=True))
    supervisor.stop()
    assert (tmp_path / "once.log.1").read_text() == "older than ten bytes\n"
