"""Exporting: a small list becomes the answer to its form, a large one becomes a job."""

from contextlib import closing
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

from opsapp.exports import ordering, rules
from opsapp.exports.ordering import ExportWish
from opsapp.exports.writing_sheets import Source, open_sheet
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import end_reading, owns_transactions, transaction

_IN_MEMORY = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """`file` stands at its beginning; None when a worker writes it."""

    export_id: int
    file: IO[bytes] | None
    name: str


@owns_transactions
def export(wish: ExportWish, source: Source, *, by: Actor) -> Exported:
    """Written aside first, so that a list that breaks half-way is a refusal and not half a file.

    Raises Invalid, TooManyExports, and what reading the list raises.
    """
    file: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the answer closes it
    try:
        rows = _write(wish, source, file)
        if rows is None:
            with transaction():
                export_id, name = ordering.order(wish, by=by), ordering.name_of(wish)
            file.close()
            return Exported(export_id, None, name)
        size = file.tell()
        with transaction():
            export_id = ordering.note_delivered(wish, rows=rows, size=size, by=by)
            name = ordering.name_of(wish)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return Exported(export_id, file, name)


def _write(wish: ExportWish, source: Source, file: IO[bytes]) -> int | None:
    """How many rows; None when there are more than are handed over at once."""
    written, cursor = 0, None
    with closing(open_sheet(wish.format, file, source.columns, zone=wish.zone)) as sheet:
        while True:
            rows, cursor = source.read(cursor)
            end_reading()
            written += len(rows)
            if written > rules.AT_ONCE_MAX or (written == rules.AT_ONCE_MAX and cursor):
                return None
            sheet.write(rows)
            if cursor is None:
                break
    file.seek(0, 2)
    return written
