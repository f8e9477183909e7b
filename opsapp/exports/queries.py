"""Reads of exports and of the pieces of their files."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from opsapp.exports.models import Export, ExportPart
from opsapp.exports.states import OPEN, ExportStatus
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import db, end_reading, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.kernel.turns import is_claimable


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What a worker must know to read the rows."""

    list_name: str
    query: dict[str, str]
    columns: tuple[str, ...]
    format: str
    zone: str
    locale: str
    is_revealed: bool


def context_of(ref: str) -> str:
    return f"exports.query|{ref}"


def get_own(export_id: int, requested_by: str) -> Export:
    """Raises NotFound, also for an export of somebody else."""
    own = select(Export).where(Export.id == export_id, Export.requested_by == requested_by)
    found = db.session.scalars(own).one_or_none()
    if found is None:
        raise NotFound(noun="export", id=export_id)
    return found


def get_order(export_id: int) -> ExportOrder:
    """Raises crypto.Unreadable."""
    row = db.session.execute(select(*Export.__table__.c).where(Export.id == export_id)).one()
    return ExportOrder(
        list_name=row.list_name,
        query=read_query(row),
        columns=tuple(row.columns.split(",")),
        format=row.format,
        zone=row.zone,
        locale=row.locale,
        is_revealed=row.is_revealed,
    )


def read_query(row: Any) -> dict[str, str]:
    """Raises crypto.Unreadable."""
    found: dict[str, str] = json.loads(unseal(row.query_sealed, context=context_of(row.ref)))
    return found


def find_by_request(request_id: str) -> Export | None:
    return db.session.scalars(select(Export).where(Export.request_id == request_id)).first()


def get_by_request(request_id: str) -> Export:
    return db.session.scalars(select(Export).where(Export.request_id == request_id)).one()


def count_open(requested_by: str) -> int:
    mine = select(func.count()).where(
        Export.requested_by == requested_by, Export.status.in_([s.value for s in OPEN])
    )
    return db.session.scalars(mine).one()


def list_own(requested_by: str, *, cursor: str | None = None, size: int = 30) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    columns = [column for column in Export.__table__.c if column.name != "query_sealed"]
    mine = select(*columns).where(Export.requested_by == requested_by)
    return page_of(mine, keys=(Export.id,), cursor=cursor, size=size)


def read_parts(export_id: int) -> Iterator[bytes]:
    """One piece after the other; no connection is held while the reader is slow."""
    number = 0
    while True:
        part = select(ExportPart.body).where(
            ExportPart.export_id == export_id, ExportPart.number == number
        )
        body = db.session.scalars(part).one_or_none()
        end_reading()
        if body is None:
            return
        yield body
        number += 1


def lock_export(export_id: int) -> Export:
    """Raises NotFound."""
    one = locked(select(Export).where(Export.id == export_id))
    export = db.session.scalars(one).one_or_none()
    if export is None:
        raise NotFound(noun="export", id=export_id)
    return export


def lock_claimable(export_ids: Sequence[int]) -> list[Any]:
    """Those that nobody holds, with the database's own now."""
    exports = (
        select(
            Export.id,
            Export.status,
            Export.fence,
            Export.turns,
            func.clock_timestamp().label("now"),
        )
        .where(
            Export.id.in_(export_ids),
            Export.status.in_([status.value for status in OPEN]),
            is_claimable(Export),
        )
        .order_by(Export.id)
    )
    return list(db.session.execute(locked(exports, skip=True)))


def lock_held(export_id: int, fence: int) -> Export | None:
    """The export, if it is still in the hand that claimed it under this fence."""
    held = select(Export).where(
        Export.id == export_id,
        Export.fence == fence,
        Export.status == ExportStatus.RUNNING.value,
    )
    return db.session.scalars(locked(held)).one_or_none()


def lock_overdue(*, limit: int) -> list[Any]:
    """(id, status) of files whose time is over."""
    overdue = (
        select(Export.id, Export.status)
        .where(
            Export.status == ExportStatus.READY.value,
            Export.expires_at <= func.ops_now(),
        )
        .order_by(Export.id)
        .limit(limit)
    )
    return list(db.session.execute(locked(overdue, skip=True)))
