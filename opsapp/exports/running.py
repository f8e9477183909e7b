"""Running: the whole file is written aside, then kept in pieces; a worker that dies begins again.

Each page renews the lease and shows how far it is; whoever has lost the lease stops.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from tempfile import TemporaryFile
from typing import IO

import structlog
from sqlalchemy import delete, func, insert
from sqlalchemy.exc import DBAPIError

from opsapp.exports import queries, rules
from opsapp.exports.models import Export, ExportPart
from opsapp.exports.queries import ExportOrder
from opsapp.exports.states import EXPORT, ExportStatus
from opsapp.exports.writing_sheets import Source, open_sheet
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import (
    end_reading,
    execute_plain,
    owns_transactions,
    transaction,
    within_transaction,
)
from opsapp.kernel.errors import OpsError
from opsapp.kernel.states import RowMove

log = structlog.get_logger(__name__)

OpenSource = Callable[[ExportOrder], Source]


class _LostLease(Exception):
    """It was cancelled, or another worker has it."""


@owns_transactions
def write_exports(export_ids: Sequence[int], open_source: OpenSource, *, by: Actor) -> None:
    """Write each that nobody holds. `open_source` knows the lists, which this room does not."""
    with transaction():
        held = _claim(export_ids, by=by)
    for export_id, fence in held:
        _write(export_id, fence, open_source, by=by)


@within_transaction
def _claim(export_ids: Sequence[int], *, by: Actor) -> list[tuple[int, int]]:
    rows = queries.lock_claimable(export_ids)
    moves = [
        RowMove(
            row.id,
            row.status,
            ExportStatus.RUNNING,
            "a worker began" if row.status == ExportStatus.QUEUED else "another worker began again",
            fence=row.fence,
            also={
                "fence": row.fence + 1,
                "turns": row.turns + 1,
                "leased_until": row.now + rules.LEASE,
                "rows": 0,
            },
        )
        for row in rows
    ]
    moved = EXPORT.move_many(Export, moves, by=by)
    held = [row for row in rows if row.id in moved]
    for row in held:
        if row.turns >= rules.TURNS_MAX:
            _end(row.id, row.fence + 1, ExportStatus.FAILED, "it was begun too often", by=by)
    return [(row.id, row.fence + 1) for row in held if row.turns < rules.TURNS_MAX]


def _write(export_id: int, fence: int, open_source: OpenSource, *, by: Actor) -> None:
    try:
        with TemporaryFile() as file:
            rows = _gather(export_id, fence, open_source, file)
            _keep(export_id, fence, file, rows, by=by)
    except _LostLease:
        log.info("exports.stopped", export_id=export_id)
    except DBAPIError:
        raise  # nobody's fault in this export: the lease ends and it begins again
    except Exception as error:
        log.exception("exports.failed", export_id=export_id)
        code = error.code if isinstance(error, OpsError) else "fault"
        with transaction():
            _end(export_id, fence, ExportStatus.FAILED, code, by=by)


def _gather(export_id: int, fence: int, open_source: OpenSource, file: IO[bytes]) -> int:
    order = queries.get_order(export_id)
    source = open_source(order)
    written, cursor = 0, None
    with closing(open_sheet(order.format, file, source.columns, zone=order.zone)) as sheet:
        while True:
            rows, cursor = source.read(cursor)
            end_reading()
            sheet.write(rows)
            written += len(rows)
            with transaction(durable=False):
                _hold_on(export_id, fence).rows = written
            if cursor is None:
                return written


def _keep(export_id: int, fence: int, file: IO[bytes], rows: int, *, by: Actor) -> None:
    file.seek(0)
    number = size = 0
    while body := file.read(rules.PART_BYTES):
        with transaction():
            _hold_on(export_id, fence)
            if number == 0:  # pieces of a turn that did not end
                execute_plain(delete(ExportPart).where(ExportPart.export_id == export_id))
            part = {"export_id": export_id, "number": number, "body": body}
            execute_plain(insert(ExportPart), part)
        number, size = number + 1, size + len(body)
    with transaction():
        export = _hold_on(export_id, fence)
        export.rows, export.bytes = rows, size
        export.expires_at = clock.now() + rules.KEPT
        _end(export_id, fence, ExportStatus.READY, "the file is kept", by=by)


@within_transaction
def _hold_on(export_id: int, fence: int) -> Export:
    export = queries.lock_held(export_id, fence)
    if export is None:
        raise _LostLease
    export.leased_until = func.clock_timestamp() + rules.LEASE
    return export


@within_transaction
def _end(export_id: int, fence: int, to: ExportStatus, because: str, *, by: Actor) -> None:
    export = queries.lock_held(export_id, fence)
    if export is None:
        return
    export.leased_until, export.ended_at = None, clock.now()
    detail = {"list": export.list_name, "rows": export.rows}
    EXPORT.move(export, to, because=because, by=by, detail=detail)
