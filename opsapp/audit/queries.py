"""Reads of the log and its seals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, Text, cast, func, literal, select

from opsapp.audit.models import AuditSeal
from opsapp.audit.rules import LEAF_COLUMNS
from opsapp.kernel.db import db
from opsapp.kernel.log import AuditEntry, Xid8, cluster, horizon

# jsonb as the database prints it: one text for equal values, and no decoding of millions of rows.
_AS_TEXT = {"detail": cast(AuditEntry.detail, Text).label("detail")}
_LEAVES = [_AS_TEXT.get(name, getattr(AuditEntry, name)) for name in LEAF_COLUMNS]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal of a chain, or of one series of it."""

    id: int
    cluster: str
    to_xid: int
    chain: bytes
    entry_count: int
    entry_id_max: int


@dataclass(frozen=True, slots=True)
class Present:
    """The cluster, the id below which every transaction has ended, and the database's time."""

    cluster: str
    horizon: int
    at: datetime


def get_present() -> Present:
    row = db.session.execute(
        select(cluster(), horizon(), func.clock_timestamp(type_=AuditEntry.recorded_at.type))
    ).one()
    return Present(*row)


def find_head() -> Head | None:
    """The newest seal."""
    row = db.session.execute(_heads().order_by(AuditSeal.id.desc()).limit(1)).one_or_none()
    return Head(*row) if row else None


def find_start_of_series(in_cluster: str) -> Head | None:
    """The first seal after the last one of another cluster, if there is such a one."""
    foreign = select(func.max(AuditSeal.id)).where(AuditSeal.cluster != in_cluster)
    first = _heads().where(AuditSeal.id > foreign.scalar_subquery())
    row = db.session.execute(first.order_by(AuditSeal.id).limit(1)).one_or_none()
    return Head(*row) if row else None


def find_window_end(from_xid: int, before_xid: int, *, entries_max: int) -> int:
    """Where a window from `from_xid` must end to hold at most so many entries.

    A transaction is never divided, so one that wrote more than that gets a window of its own.
    """
    inside = _xids(from_xid, before_xid)
    beyond = db.session.scalars(inside.offset(entries_max).limit(1)).one_or_none()
    if beyond is None:
        return before_xid
    first = db.session.scalars(inside.limit(1)).one()
    if beyond > first:
        return beyond
    following = inside.where(AuditEntry.xid > beyond).limit(1)
    return db.session.scalars(following).one_or_none() or before_xid


def list_entries(from_xid: int, before_xid: int) -> Sequence[Row[Any]]:
    """The entries of a window of transactions by ascending id, as rules.leaf wants them."""
    window = (AuditEntry.xid >= from_xid, AuditEntry.xid < before_xid)
    return db.session.execute(select(*_LEAVES).where(*window).order_by(AuditEntry.id)).all()


def list_entries_by_id(entry_ids: Collection[int]) -> Sequence[Row[Any]]:
    wanted = AuditEntry.id == func.any(list(entry_ids))
    return db.session.execute(select(*_LEAVES).where(wanted).order_by(AuditEntry.id)).all()


def list_unsealed_anywhere() -> Sequence[Row[Any]]:
    """Every entry that no seal names, whatever its transaction id. Reads the whole log."""
    sealed = select(func.unnest(AuditSeal.entry_ids).label("id")).subquery()
    alone = ~select(sealed.c.id).where(sealed.c.id == AuditEntry.id).exists()
    return db.session.execute(select(*_LEAVES).where(alone).order_by(AuditEntry.id)).all()


def list_sealed_among(entry_ids: Collection[int], *, up_to_seal: int | None = None) -> set[int]:
    """Those of the entries that a seal, up to this one, names. Reads all seals."""
    named = select(func.unnest(AuditSeal.entry_ids).label("id"))
    if up_to_seal is not None:
        named = named.where(AuditSeal.id <= up_to_seal)
    sealed = named.subquery()
    return set(
        db.session.scalars(select(sealed.c.id).where(sealed.c.id == func.any(list(entry_ids))))
    )


def list_seal_sizes(after_id: int, *, limit: int) -> Sequence[Row[int, int]]:
    """Id and running count of entries of the seals that follow."""
    sizes = select(AuditSeal.id, AuditSeal.entry_count).where(AuditSeal.id > after_id)
    return db.session.execute(sizes.order_by(AuditSeal.id).limit(limit)).all()


def list_seals(after_id: int, up_to_id: int) -> Sequence[Row[Any]]:
    """The columns of seals in order; plain rows, so that nothing is kept in the session."""
    seals = select(AuditSeal.__table__).where(AuditSeal.id > after_id, AuditSeal.id <= up_to_id)
    return db.session.execute(seals.order_by(AuditSeal.id)).all()


def unsealed() -> Select[int]:
    """How many entries of ended transactions wait for a seal, as a statement."""
    sealed_to = (
        select(AuditSeal.to_xid)
        .where(AuditSeal.cluster == cluster())
        .order_by(AuditSeal.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    waiting = (
        AuditEntry.xid < horizon(),
        AuditEntry.xid >= func.coalesce(sealed_to, literal(0, Xid8())),
    )
    return select(func.count()).select_from(AuditEntry).where(*waiting)


def count_unsealed() -> int:
    """Entries of ended transactions that wait for a seal."""
    return db.session.scalars(unsealed()).one()


def find_oldest_unsealed_at() -> datetime | None:
    """When the oldest entry without a seal was written; the age of sealing's delay."""
    head = find_head()
    after = AuditEntry.xid >= (head.to_xid if head else 0)
    return db.session.scalars(select(func.min(AuditEntry.recorded_at)).where(after)).one()


def _heads() -> Select[int, str, int, bytes, int, int]:
    return select(
        AuditSeal.id,
        AuditSeal.cluster,
        AuditSeal.to_xid,
        AuditSeal.chain,
        AuditSeal.entry_count,
        AuditSeal.entry_id_max,
    )


def _xids(from_xid: int, before_xid: int) -> Select[int]:
    return (
        select(AuditEntry.xid)
        .where(AuditEntry.xid >= from_xid, AuditEntry.xid < before_xid)
        .order_by(AuditEntry.xid)
    )
