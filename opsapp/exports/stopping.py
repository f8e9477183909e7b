"""Stopping: an export that is not wanted any more leaves nothing behind."""

from sqlalchemy import delete

from opsapp.exports import queries
from opsapp.exports.errors import ExportIsOver
from opsapp.exports.models import ExportPart
from opsapp.exports.states import EXPORT, OPEN, ExportStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import execute_plain, within_transaction
from opsapp.kernel.errors import NotFound


@within_transaction
def cancel(export_id: int, *, by: Actor) -> None:
    """Only by who ordered it. Raises NotFound, ExportIsOver."""
    export = queries.lock_export(export_id)
    if export.requested_by != str(by):
        raise NotFound(noun="export", id=export_id)
    if export.status not in OPEN:
        raise ExportIsOver(status=export.status)
    EXPORT.move(export, ExportStatus.CANCELLED, because="cancelled by who ordered it", by=by)
    export.leased_until, export.ended_at = None, clock.now()
    execute_plain(delete(ExportPart).where(ExportPart.export_id == export_id))
