"""Expiring: a kept file is a copy of customers' data, so it does not stay for long."""

from sqlalchemy import delete

from opsapp.exports import queries
from opsapp.exports.models import Export, ExportPart
from opsapp.exports.states import EXPORT, ExportStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import execute_plain, within_transaction
from opsapp.kernel.states import RowMove

ROUND_MAX = 200
BY = Actor("timetable", "exports.expire")


@within_transaction
def expire() -> int:
    """Returns how many files were deleted."""
    because = "its time is over"
    moves = [
        RowMove(row.id, row.status, ExportStatus.EXPIRED, because)
        for row in queries.lock_overdue(limit=ROUND_MAX)
    ]
    moved = EXPORT.move_many(Export, moves, by=BY)
    if moved:
        execute_plain(delete(ExportPart).where(ExportPart.export_id.in_(sorted(moved))))
    return len(moved)
