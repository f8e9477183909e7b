"""The log as staff read it: by who, what and about whom, never changed."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, true

from opsapp.audit.models import AuditSeal
from opsapp.insights import reading_wishes as reading
from opsapp.insights.finding_owners import name_of_actor
from opsapp.insights.reading_wishes import Query
from opsapp.insights.showing_payments import payment_behind
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class LogWish:
    actor: str = ""
    action: str = ""
    subject_type: str = ""
    subject_id: int | None = None
    only_refused: bool = False
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class LastSeal:
    seal_id: int
    last_entry_id: int | None
    sealed_at: datetime


def read_wish(query: Query) -> LogWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    return LogWish(
        actor=reading.plain(query, "actor"),
        action=reading.plain(query, "action"),
        subject_type=reading.plain(query, "subject"),
        subject_id=reading.whole_number(query, "number"),
        only_refused=reading.is_ticked(query, "refused"),
        since=since,
        until=until,
    )


def list_entries(wish: LogWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor."""
    seal = _last_seal().subquery()
    statement = select(
        seal.c.seal_id, seal.c.last_entry_id, seal.c.sealed_at,
        AuditEntry.id, AuditEntry.at, AuditEntry.recorded_at, AuditEntry.actor, AuditEntry.action,
        AuditEntry.subject_type, AuditEntry.subject_id, AuditEntry.from_state,
        AuditEntry.to_state, AuditEntry.because, AuditEntry.succeeded, AuditEntry.address,
        AuditEntry.request_id, name_of_actor(AuditEntry.actor).label("actor_name"),
        payment_behind(AuditEntry.subject_type, AuditEntry.subject_id).label("payment_id"),
    ).outerjoin(seal, true())  # fmt: skip
    if wish.actor:
        statement = statement.where(AuditEntry.actor == wish.actor)
    if wish.action:
        statement = statement.where(AuditEntry.action == wish.action)
    if wish.subject_type:
        statement = statement.where(AuditEntry.subject_type == wish.subject_type)
    if wish.subject_id is not None:
        statement = statement.where(AuditEntry.subject_id == wish.subject_id)
    if wish.only_refused:
        statement = statement.where(AuditEntry.succeeded.is_(False))
    if wish.since:
        statement = statement.where(AuditEntry.at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        statement = statement.where(AuditEntry.at < end)
    # In the order of the seals; of a period by its moments, or all that is newer would be read.
    is_period = wish.since or wish.until
    keys = (AuditEntry.at, AuditEntry.id) if is_period else (AuditEntry.id,)
    return page_of(statement, keys=keys, cursor=cursor, size=size)


def names_of(page: Page[Any]) -> dict[str, str]:
    """`staff:12` -> a name; other actors are left out."""
    return {row.actor: row.actor_name for row in page.rows if row.actor_name is not None}


def find_last_seal() -> LastSeal | None:
    found = db.session.execute(_last_seal()).one_or_none()
    return None if found is None else LastSeal(*found)


def last_seal_of(page: Page[Any]) -> LastSeal | None:
    """A page of the log was told it with its rows."""
    row = page.rows[0] if page.rows else None
    if row is None or row.seal_id is None:
        return None
    return LastSeal(row.seal_id, row.last_entry_id, row.sealed_at)


def _last_seal() -> Select[*tuple[Any, ...]]:
    ids = func.unnest(AuditSeal.entry_ids).column_valued("sealed_id")
    return (
        select(
            AuditSeal.id.label("seal_id"),
            select(func.max(ids)).correlate(AuditSeal).scalar_subquery().label("last_entry_id"),
            AuditSeal.sealed_at,
        )
        .order_by(AuditSeal.id.desc())
        .limit(1)
    )
