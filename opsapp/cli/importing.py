"""`opsapp import`: what another system knows, taken over line by line."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from sqlalchemy.exc import DataError, IntegrityError

from opsapp.cli.application import running
from opsapp.customers import issuing
from opsapp.customers.queries import count_methods_by_status
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.subscriptions import importing
from opsapp.subscriptions.importing import Imported
from opsapp.subscriptions.reading import COLUMNS, OPTIONAL_COLUMNS, Contract, read_contract

T = TypeVar("T")

BY = Actor("cli", "import")
BATCH_MAX = 500
LINE_BYTES_MAX = 65_536
SHOWN_MAX = 20  # refusals printed when no file was named for them
EXIT_REJECTED = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file with its number; `text` is None if it cannot be read."""

    number: int
    text: str | None
    because: str = ""


@dataclass(slots=True)
class Rejects:
    """Refused lines: into the file, or the first of them onto the screen."""

    file: TextIO | None
    count: int = 0
    writer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.writer = csv.writer(self.file) if self.file else None
        if self.writer:
            self.writer.writerow(["line", "column", "reason"])

    def add(self, number: int, column: str, reason: str) -> None:
        self.count += 1
        if self.writer:
            self.writer.writerow([number, column, reason])
        elif self.count <= SHOWN_MAX:
            click.echo(f"line {number}: {column}: {reason}".replace(": : ", ": "), err=True)
        elif self.count == SHOWN_MAX + 1:
            click.echo("... more; name a file with --rejects to see them all.", err=True)


@click.group("import")
def import_() -> None:
    """Take over what another system knows."""


@import_.command("subscriptions")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--rejects",
    "rejects_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write refused lines here, with line number, column and reason.",
)
@click.pass_context
def subscriptions(ctx: click.Context, file: Path, rejects_file: Path | None) -> None:
    """Contracts from a CSV file; importing it again changes nothing.

    Exit 0, or 3 if lines were refused; all the others are imported.
    """
    with running(), file.open("rb") as source, _opened(rejects_file) as rejects_to, _bar() as bar:
        rejects = Rejects(rejects_to)
        run = _Run(rejects, bar)
        run.import_lines(source, size=file.stat().st_size)
        run.issue_billing_keys()
    click.echo(f"imported {run.new}, unchanged {run.unchanged}, rejected {rejects.count}")
    ctx.exit(EXIT_REJECTED if rejects.count else 0)


class _Run:
    """One import: counts, and the methods that want a billing key."""

    def __init__(self, rejects: Rejects, bar: Progress) -> None:
        self.new = self.unchanged = 0
        self._rejects = rejects
        self._bar = bar
        self._seen: dict[str, int] = {}  # import_ref -> the line that had it first
        self._method_ids: list[int] = []

    def import_lines(self, source: BinaryIO, *, size: int) -> None:
        task = self._bar.add_task("Contracts (bytes)", total=size)
        lines = read_lines(source)
        columns = self._read_header(next(lines, Line(1, "")))
        if columns is None:
            return
        for chunk in _chunks(lines):
            self._import_batch(self._read(chunk, columns))
            self._bar.update(task, completed=source.tell())
        self._bar.update(task, completed=size)

    def issue_billing_keys(self) -> None:
        """The same turns that workers take; one does not wait for the other."""
        if not self._method_ids:
            return
        counts: Counter[str] = Counter()
        task: TaskID = self._bar.add_task("Billing keys", total=len(self._method_ids))
        for chunk in _chunks(self._method_ids):
            issuing.issue_billing_keys(chunk, by=BY)
            with transaction():
                counts.update(count_methods_by_status(chunk))
            self._bar.advance(task, len(chunk))
        told = ", ".join(f"{status} {count}" for status, count in sorted(counts.items()))
        click.echo(f"billing keys: {told}", err=True)

    def _read_header(self, header: Line) -> list[str] | None:
        columns = _split(header.text or "") or []
        missing = [name for name in COLUMNS if name not in columns]
        unknown = [name for name in columns if name not in COLUMNS + OPTIONAL_COLUMNS]
        doubled = sorted({name for name in columns if columns.count(name) > 1})
        for names, what in ((missing, "missing"), (unknown, "unknown"), (doubled, "doubled")):
            if names:
                reason = f"{what} column: nothing was imported. Expected {','.join(COLUMNS)}"
                self._rejects.add(header.number, names[0][:40], reason)
                return None
        return columns

    def _read(self, lines: Sequence[Line], columns: list[str]) -> list[tuple[int, Contract]]:
        contracts = []
        for line in lines:
            try:
                fields = _fields(line, columns)
                if fields is not None:
                    contracts.append((line.number, self._once(line.number, read_contract(fields))))
            except OpsError as refusal:
                self._reject(line.number, refusal)
        return contracts

    def _once(self, number: int, contract: Contract) -> Contract:
        first = self._seen.setdefault(contract.import_ref, number)
        if first != number:
            raise LineRefused(field="customer_ref", reason=f"is the same contract as line {first}.")
        return contract

    def _import_batch(self, batch: Sequence[tuple[int, Contract]]) -> None:
        """All in one transaction; if one of them cannot be stored, each in its own."""
        if not batch:
            return
        try:
            with transaction():
                done = importing.import_contracts([contract for _, contract in batch], by=BY)
        except (OpsError, DataError, IntegrityError) as fault:
            if len(batch) > 1:
                for one in batch:
                    self._import_batch([one])
            else:
                self._reject_fault(batch[0][0], fault)
            return
        self._note(done, [number for number, _ in batch])

    def _note(self, done: Imported, numbers: Sequence[int]) -> None:
        self.new += done.new
        self.unchanged += done.unchanged
        self._method_ids += done.method_ids
        for position, refusal in done.refused:
            self._reject(numbers[position], refusal)

    def _reject_fault(self, number: int, fault: OpsError | DataError | IntegrityError) -> None:
        if isinstance(fault, OpsError):
            self._reject(number, fault)
        else:
            self._rejects.add(number, "", f"cannot be stored ({type(fault.orig).__name__}).")

    def _reject(self, number: int, refusal: OpsError) -> None:
        column = refusal.field or ""
        self._rejects.add(number, column, str(refusal).removeprefix(f"{column}: "))


class LineRefused(OpsError):
    code = "line_refused"
    http_status = 422
    message = "{reason}"


def read_lines(source: BinaryIO) -> Iterator[Line]:
    """Physical lines: a quote that is never closed spoils its own line only."""
    number = 0
    while raw := source.readline(LINE_BYTES_MAX):
        number += 1
        is_whole = raw.endswith(b"\n") or len(raw) < LINE_BYTES_MAX
        while not is_whole:
            rest = source.readline(LINE_BYTES_MAX)
            if rest.endswith(b"\n") or not rest:
                break
        if not is_whole:
            yield Line(number, None, f"is longer than {LINE_BYTES_MAX} bytes.")
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            yield Line(number, None, "is not UTF-8: save the file as UTF-8.")
        else:
            yield Line(number, text)


def _fields(line: Line, columns: list[str]) -> Mapping[str, str] | None:
    """None for an empty line. Raises LineRefused."""
    if line.text is None:
        raise LineRefused(reason=line.because)
    if not line.text:
        return None
    values = _split(line.text)
    if values is None:
        raise LineRefused(reason="has a quote that is not closed, or text after one.")
    if len(values) != len(columns):
        raise LineRefused(reason=f"has {len(values)} columns, not {len(columns)}.")
    return {name: value.strip() for name, value in zip(columns, values, strict=True)}


def _split(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True), None)
    except csv.Error:
        return None


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, BATCH_MAX)):
        yield chunk


@contextmanager
def _opened(file: Path | None) -> Iterator[TextIO | None]:
    if file is None:
        yield None
        return
    with file.open("w", newline="", encoding="utf-8") as opened:
        yield opened


def _bar() -> Progress:
    """On the error channel, and only on a terminal: the last line of the output is the result."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )
