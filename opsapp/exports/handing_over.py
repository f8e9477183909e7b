"""Handing a finished file over: only to who ordered it, and each time into the log."""

from opsapp.exports import queries
from opsapp.exports.errors import NoFile
from opsapp.exports.models import Export
from opsapp.exports.states import EXPORT, ExportStatus
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.log import Entry, record


@within_transaction
def hand_over(export_id: int, *, by: Actor) -> Export:
    """What to call the file and how long it is. Raises NotFound, NoFile."""
    export = queries.get_own(export_id, str(by))
    if export.status != ExportStatus.READY:
        raise NoFile(status=export.status)
    detail = {
        "list": export.list_name,
        "rows": export.rows,
        "is_revealed": export.is_revealed,
    }
    entry = Entry(
        "export.fetched", EXPORT.subject_type, export.id, because=export.because, detail=detail
    )
    record(entry, by=by)
    return export
