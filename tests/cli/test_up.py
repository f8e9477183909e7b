"""`opsapp up` and `opsapp doctor` as a person runs them: in a process of their own."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from opsapp.cli import COMMANDS, environment, main
from opsapp.kernel.embedded import free_port
from tests.embedded_servers import reachable_folder
from tests.waiting import until

# What decides where the parts are; a run of the tests may have them set for itself.
GIVEN = {"DATABASE_URL", "REDIS_URL"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as made:
        yield made


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        yield port


def clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in GIVEN and not name.startswith("OPSAPP_")
    }


def opsapp(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opsapp.cli", *words],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_busy_port_is_refused_in_one_sentence_and_nothing_is_started(
    folder: Path, busy_port: int
) -> None:
    done = opsapp("up", "--port", str(busy_port), "--data-dir", str(folder / "data"))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Port {busy_port} is in use: stop what listens there, or name another one with "
        "--port.\n"
    )
    assert list(folder.iterdir()) == []


def test_a_data_folder_that_cannot_be_written_is_refused_by_name(folder: Path) -> None:
    (folder / "file").write_text("")
    done = opsapp("up", "--port", str(free_port()), "--data-dir", str(folder / "file"))
    assert done.returncode != 0
    assert "file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_keys_are_made_once_and_are_their_owners_alone(folder: Path) -> None:
    made = environment.secrets_of(folder)
    assert environment.secrets_of(folder) == made
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    key_id, _, key = made["OPSAPP_ENCRYPTION_KEYS"].partition(":")
    assert (key_id, len(base64.b64decode(key))) == ("k1", 32)
    assert len(base64.b64decode(made["OPSAPP_SEAL_KEY"])) == 32
    assert len(made["OPSAPP_SECRET_KEY"]) >= 32


def test_a_key_that_a_newer_release_needs_is_added_and_the_old_ones_stay(folder: Path) -> None:
    (folder / "secrets.json").write_text('{"OPSAPP_SECRET_KEY": "kept"}')
    complete = environment.secrets_of(folder)
    assert complete["OPSAPP_SECRET_KEY"] == "kept"
    assert "OPSAPP_SEAL_KEY" in json.loads((folder / "secrets.json").read_text())


def test_a_command_in_another_terminal_finds_the_running_instance(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.save(folder, {"DATABASE_URL": "postgresql://found", "OPSAPP_MODE": "demo"})
    monkeypatch.setattr(os, "environ", {"OPSAPP_MODE": "test"})
    environment.load(folder)
    assert os.environ == {"DATABASE_URL": "postgresql://found", "OPSAPP_MODE": "test"}


def test_a_command_that_was_given_a_database_looks_no_further(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.save(folder, {"DATABASE_URL": "postgresql://found", "OPSAPP_MODE": "demo"})
    monkeypatch.setattr(os, "environ", {"DATABASE_URL": "postgresql://given"})
    environment.load(folder)
    assert os.environ == {"DATABASE_URL": "postgresql://given"}


def test_every_command_in_the_table_is_there() -> None:
    with click.Context(main) as context:
        missing = [name for name in COMMANDS if main.get_command(context, name) is None]
    assert missing == []


def test_the_doctor_finds_this_machine_fit_to_run(folder: Path) -> None:
    done = opsapp("--data-dir", str(folder), "doctor")
    assert done.returncode == 0, done.stdout
    assert "PostgreSQL" in done.stdout


@dataclass(frozen=True, slots=True)
class Up:
    """A running `opsapp up`."""

    process: subprocess.Popen[str]
    ready_file: Path

    def ready(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def bring_up(folder: Path) -> Up:
    ready_file = folder / "ready.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "opsapp.cli", "up", "--no-demo", "--workers", "1"),
            *("--port", str(free_port()), "--data-dir", str(folder / "data")),
            *("--ready-file", str(ready_file)),
        ],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(lambda: ready_file.exists() or process.poll() is not None, limit_s=90)
    if process.poll() is not None:
        pytest.fail(str(process.communicate(timeout=60)[0]))
    return Up(process, ready_file)


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    started = bring_up(folder)
    yield started
    if started.process.poll() is None:
        started.stop()


def all_pids(ready: dict[str, Any]) -> set[int]:
    return {
        pid
        for value in ready["pids"].values()
        for pid in (value if isinstance(value, list) else [value])
    }


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


def test_up_brings_everything_up_revives_what_dies_and_stops_clean(up: Up, folder: Path) -> None:
    ready = up.ready()
    assert set(ready) == {
        *("url", "sandbox_url", "database_url", "redis_url", "api_key", "pids", "accounts"),
    }
    assert {key: isinstance(value, list) for key, value in ready["pids"].items()} == {
        "web": False,
        "sandbox": False,
        "postgres": False,
        "redis": False,
        "scheduler": True,
        "relay": True,
        "worker": True,
    }
    assert len(ready["pids"]["scheduler"]) == 2
    assert {"cs", "finance", "admin", "auditor"} <= {each["role"] for each in ready["accounts"]}
    assert status_of(f"{ready['url']}/readyz") == 200
    assert up.ready_file.stat().st_mode & 0o777 == 0o600

    os.kill(ready["pids"]["relay"][0], signal.SIGKILL)
    until(lambda: up.ready()["pids"]["relay"] not in ([], ready["pids"]["relay"]))

    second = opsapp("up", "--port", str(free_port()), "--data-dir", str(folder / "data"))
    assert second.returncode == 1
    assert f"pid {up.process.pid}" in second.stderr

    last = all_pids(up.ready())
    assert up.stop() == 0
    assert not up.ready_file.exists()
    assert [pid for pid in last if Path(f"/proc/{pid}").exists()] == []


def test_the_second_start_keeps_database_and_accounts(up: Up, folder: Path) -> None:
    first = up.ready()
    up.stop()
    again = bring_up(folder)
    try:
        ready = again.ready()
    finally:
        again.stop()
    kept = ("database_url", "redis_url", "api_key", "accounts")
    assert {key: ready[key] for key in kept} == {key: first[key] for key in kept}
