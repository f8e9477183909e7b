"""Noting: codes that the dictionary lacks are counted, put on the review list, and alarmed."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from opsapp.failures import rules
from opsapp.failures.events import CodesUnmapped, UnmappedFact
from opsapp.failures.models import UnmappedCode
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.events import announce


@within_transaction
def note_unmapped(codes: Sequence[tuple[str, str, int | None]]) -> None:
    """(source, code, attempt id if it was one) of answers that the dictionary cannot read."""
    seen: dict[tuple[str, str], list[int | None]] = {}
    for source, named, attempt_id in codes:
        if code := _storable(named):
            seen.setdefault((source, code), []).append(attempt_id)
    if not seen:
        return
    # In one order everywhere, or two batches with the same two codes wait for each other.
    rows = [
        {"source": source, "code": code, "times": len(ids), "attempt_id": ids[-1]}
        for (source, code), ids in sorted(seen.items())
    ]
    fresh = insert(UnmappedCode).values(rows)
    written = db.session.execute(
        fresh.on_conflict_do_update(
            index_elements=["source", "code"],
            set_={
                "times": UnmappedCode.times + fresh.excluded.times,
                "last_seen_at": func.ops_now(),
                "attempt_id": func.coalesce(fresh.excluded.attempt_id, UnmappedCode.attempt_id),
            },
        ).returning(
            UnmappedCode.id, UnmappedCode.source, UnmappedCode.code, UnmappedCode.resolved_at
        )
    )
    # A worker may still go by the dictionary of a moment ago: what is resolved stays resolved.
    open_ones = tuple(
        UnmappedFact(row.id, row.source, row.code) for row in written if row.resolved_at is None
    )
    if open_ones:
        announce(CodesUnmapped(open_ones))


def _storable(code: str) -> str:
    """A gateway may answer anything; PostgreSQL cannot hold NUL."""
    return code.replace("\x00", "").strip()[: rules.CODE_LENGTH_MAX]
