"""Ordering: what staff want of a list, handed over at once or left to a worker."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opsapp.exports import queries, rules
from opsapp.exports.errors import TooManyExports
from opsapp.exports.models import Export
from opsapp.exports.states import EXPORT, ExportStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record


@dataclass(frozen=True, slots=True)
class ExportWish:
    """`query` is the list's own address. Raises Invalid.

    Whether the person may see what `is_revealed` shows is the door's to ask.
    """

    request_id: str
    list_name: str
    query: Mapping[str, str]
    columns: tuple[str, ...]
    format: str
    zone: str
    locale: str
    because: str
    is_revealed: bool = False

    def __post_init__(self) -> None:
        rules.check_request_id(self.request_id)
        object.__setattr__(self, "because", rules.check_because(self.because))
        if self.format not in rules.FORMATS:
            raise Invalid(field="format", reason="Choose CSV or Excel.")
        if self.zone not in rules.ZONES:
            raise Invalid(field="zone", reason="Choose a time zone.")
        if not 0 < len(self.columns) <= rules.COLUMNS_MAX:
            raise Invalid(field="columns", reason="Choose at least one column.")
        rules.check_filters(self.query)


@within_transaction
def order(wish: ExportWish, *, by: Actor) -> int:
    """For a worker; a form sent twice is one export. Raises TooManyExports, Invalid."""
    known = queries.find_by_request(wish.request_id)
    if known is not None:
        _require_same(known, wish, by=by)
        return known.id
    if queries.count_open(str(by)) >= rules.OPEN_MAX:
        raise TooManyExports(most=rules.OPEN_MAX)
    return _insert(wish, ExportStatus.QUEUED, rows=0, size=0, by=by)


@within_transaction
def note_delivered(wish: ExportWish, *, rows: int, size: int, by: Actor) -> int:
    """The file is handed over as the answer to the form and kept nowhere.

    A form sent twice is one export of two copies, each of them in the log. Raises Invalid.
    """
    known = queries.find_by_request(wish.request_id)
    if known is not None:
        return _note_copy(known, wish, rows, by=by)
    return _insert(wish, ExportStatus.DELIVERED, rows=rows, size=size, by=by)


def name_of(wish: ExportWish) -> str:
    return rules.name_file(
        wish.list_name,
        since=wish.query.get("since", ""),
        until=wish.query.get("until", ""),
        day=seoul_date(clock.now()).isoformat(),
        format_=wish.format,
    )


def _insert(wish: ExportWish, status: ExportStatus, *, rows: int, size: int, by: Actor) -> int:
    ref = new_ref("exp")
    query = json.dumps(dict(wish.query), ensure_ascii=False)
    row: dict[str, Any] = {
        "ref": ref,
        "request_id": wish.request_id,
        "list_name": wish.list_name,
        "query_sealed": seal(query, context=queries.context_of(ref)),
        "columns": ",".join(wish.columns),
        "format": wish.format,
        "zone": wish.zone,
        "locale": wish.locale,
        "because": wish.because,
        "is_revealed": wish.is_revealed,
        "file_name": name_of(wish),
        "status": status.value,
        "requested_by": str(by),
        "rows": rows,
        "bytes": size,
        "ended_at": clock.now() if status is ExportStatus.DELIVERED else None,
    }
    made = bulk_insert(Export, [row], returning=("id",), or_nothing=True)
    if not made:  # the second click of a double one waited for the first
        known = queries.get_by_request(wish.request_id)
        if status is ExportStatus.DELIVERED:
            return _note_copy(known, wish, rows, by=by)
        _require_same(known, wish, by=by)
        return known.id
    [written] = made
    record(_entry(int(written.id), wish, status, rows), by=by)
    return int(written.id)


def _note_copy(known: Export, wish: ExportWish, rows: int, *, by: Actor) -> int:
    _require_same(known, wish, by=by)
    record(_entry(known.id, wish, ExportStatus.DELIVERED, rows), by=by)
    return known.id


def _require_same(known: Export, wish: ExportWish, *, by: Actor) -> None:
    """A number that stands for one file must not carry another one past the log. Raises Invalid."""
    is_same = (
        known.requested_by == str(by)
        and known.list_name == wish.list_name
        and known.columns == ",".join(wish.columns)
        and (known.format, known.zone) == (wish.format, wish.zone)
        and (known.is_revealed, known.because) == (wish.is_revealed, wish.because)
        and queries.read_query(known) == dict(wish.query)
    )
    if not is_same:
        reason = "This form cannot be read. Load the page again."
        raise Invalid(field="request_id", reason=reason)


def _entry(export_id: int, wish: ExportWish, status: ExportStatus, rows: int) -> Entry:
    """Which filters were set, never what they said: a search is a name as often as not."""
    is_over = status is ExportStatus.DELIVERED
    return Entry(
        "export.delivered" if is_over else "export.ordered",
        EXPORT.subject_type,
        export_id,
        because=wish.because,
        to_state=status.value,
        detail={
            "list": wish.list_name,
            "columns": list(wish.columns),
            "format": wish.format,
            "filters": sorted(name for name, value in wish.query.items() if value),
            "is_revealed": wish.is_revealed,
            **({"rows": rows} if is_over else {}),
        },
    )
