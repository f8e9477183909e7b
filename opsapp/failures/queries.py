"""Reads of the dictionary and of the codes it lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from opsapp.failures.models import FailureCode, FailureDictionary, UnmappedCode
from opsapp.gateways import registry
from opsapp.gateways.failures import Failure
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of

PAGE_SIZE = 30
SEEDED_BY = "cli:migrate"  # who wrote the versions that came with the program
REVIEW_MAX = 20  # codes to be reviewed that stand on one page


@dataclass(frozen=True, slots=True)
class CodeWish:
    """Filters of the table; "" asks for all."""

    search: str = ""
    source: str = ""
    failure_class: str = ""
    retry_mode: str = ""
    is_changed: bool = False  # only what people have changed since it came with the program


def find_revision() -> datetime | None:
    """The moment of the latest change: one row by its key."""
    return db.session.scalar(select(FailureDictionary.revised_at))


def lock_dictionary() -> FailureDictionary:
    """One change at a time; whoever reads meanwhile sees the dictionary before or after it."""
    return db.session.scalars(locked(select(FailureDictionary))).one()


def list_current() -> list[Failure]:
    rows = db.session.execute(
        select(
            FailureCode.source,
            FailureCode.code,
            FailureCode.failure_class,
            FailureCode.subclass,
            FailureCode.retry_mode,
            FailureCode.outcome,
            FailureCode.hint_ko,
            FailureCode.hint_en,
            FailureCode.script_ko,
            FailureCode.script_en,
        ).where(FailureCode.is_current)
    )
    return [Failure(**row._mapping) for row in rows]


def list_codes(wish: CodeWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """What holds now, the latest change first. Raises BadCursor."""
    statement = select(*FailureCode.__table__.c).where(FailureCode.is_current)
    if search := wish.search.strip()[:100]:
        pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        statement = statement.where(
            or_(
                FailureCode.code.ilike(pattern),
                FailureCode.subclass.ilike(pattern),
                FailureCode.hint_ko.ilike(pattern),
                FailureCode.hint_en.ilike(pattern),
            )
        )
    if wish.source:
        statement = statement.where(FailureCode.source == wish.source)
    if wish.failure_class:
        statement = statement.where(FailureCode.failure_class == wish.failure_class)
    if wish.retry_mode:
        statement = statement.where(FailureCode.retry_mode == wish.retry_mode)
    if wish.is_changed:
        statement = statement.where(FailureCode.changed_by != SEEDED_BY)
    return page_of(statement, keys=(FailureCode.id,), cursor=cursor, size=size)


def count_by_source() -> dict[str, int]:
    counts = (
        select(FailureCode.source, func.count())
        .where(FailureCode.is_current)
        .group_by(FailureCode.source)
        .order_by(FailureCode.source)
    )
    return {source: count for source, count in db.session.execute(counts)}  # noqa: C416 - rows


def list_versions(code_id: int) -> list[FailureCode]:
    """All versions of the code that the row is one of, the newest first. Raises NotFound."""
    asked = select(FailureCode.source, FailureCode.code).where(FailureCode.id == code_id).subquery()
    versions = list(
        db.session.scalars(
            select(FailureCode)
            .where(FailureCode.source == asked.c.source, FailureCode.code == asked.c.code)
            .order_by(FailureCode.version.desc())
        )
    )
    if not versions:
        raise NotFound(noun="failure code", id=code_id)
    return versions


def find_current(source: str, code: str) -> FailureCode | None:
    return db.session.scalar(
        select(FailureCode).where(
            FailureCode.source == source, FailureCode.code == code, FailureCode.is_current
        )
    )


def get_unmapped(unmapped_id: int) -> UnmappedCode:
    """Raises NotFound."""
    found = db.session.get(UnmappedCode, unmapped_id)
    if found is None:
        raise NotFound(noun="unmapped code", id=unmapped_id)
    return found


def list_unmapped() -> list[UnmappedCode]:
    """Those that wait for a person, the most frequent first."""
    waiting = select(UnmappedCode).where(UnmappedCode.resolved_at.is_(None))
    order = (UnmappedCode.times.desc(), UnmappedCode.id)
    return list(db.session.scalars(waiting.order_by(*order).limit(REVIEW_MAX)))


def lock_unmapped(unmapped_id: int) -> UnmappedCode:
    """Raises NotFound."""
    wanted = select(UnmappedCode).where(UnmappedCode.id == unmapped_id)
    found = db.session.scalar(locked(wanted))
    if found is None:
        raise NotFound(noun="unmapped code", id=unmapped_id)
    return found


def list_sources() -> dict[str, Sequence[str]]:
    """The sets of codes that each gateway of this installation answers with."""
    return {gateway.name: gateway.failure_sources for gateway in registry.all_gateways()}
