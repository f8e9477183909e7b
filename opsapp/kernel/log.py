"""The log: one append-only row for every change of state and every act worth answering for.

The application may insert and read, never change (rights and a trigger see to it); the room
`audit` seals what is written here. Details hold ids and masked values only, never personal data.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    FromClause,
    Index,
    Insert,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import Base, bulk_insert

BECAUSE_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: an address or a process, and the id its log lines carry."""

    address: str = ""
    request_id: str = ""


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        # There is no operator between xid8 and the integers: an untyped literal becomes one.
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return lambda value: None if value is None else int(value)


# So that a table read back from the database compares equal to its model.
ischema_names["xid8"] = Xid8


def horizon() -> ColumnElement[int]:
    """Every transaction below this id has ended; none will ever write below it again."""
    return func.pg_snapshot_xmin(func.pg_current_snapshot(), type_=Xid8())


def cluster() -> ColumnElement[str]:
    """The identity of the PostgreSQL cluster: another one counts its own transaction ids."""
    system = func.pg_control_system().table_valued("system_identifier")
    return select(cast(system.c.system_identifier, Text)).scalar_subquery()


class AuditEntry(Base):
    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("audit_entries_of", "subject_type", "subject_id", "id"),
        Index("audit_entries_xid", "xid"),
        Index("audit_entries_actor", "actor", "id"),
        Index("audit_entries_at", "at", "id"),
        Index("audit_entries_refused", "id", postgresql_where=text("succeeded IS false")),
        # Which stretches of the log hold an act at all: a rare one is looked for in these alone.
        Index(
            "audit_entries_action",
            "action",
            postgresql_using="brin",
            postgresql_ops={"action": "text_bloom_ops"},
            postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # Sealing goes by transaction id: sequence numbers commit in another order.
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    at: Mapped[datetime] = mapped_column(server_default=func.ops_now())  # business time
    actor: Mapped[str]
    action: Mapped[str]  # "attempt.succeeded", "staff.signed_in"
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    because: Mapped[str]
    succeeded: Mapped[bool] = mapped_column(server_default=text("true"))
    address: Mapped[str] = mapped_column(server_default="")
    request_id: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened to which subject. `action` is `subject.past_participle`.

    `asked_from` only where one request writes for another one as well.
    """

    action: str
    subject_type: str
    subject_id: int
    because: str = ""
    from_state: str | None = None
    to_state: str | None = None
    succeeded: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)
    asked_from: Origin | None = None


def record(entry: Entry, *, by: Actor) -> None:
    """Write one entry in the caller's transaction."""
    record_many([entry], by=by)


def record_many(entries: Sequence[Entry], *, by: Actor) -> None:
    """Write many entries in one statement, in the caller's transaction."""
    if not entries:
        return
    here, actor, at = origin.get(), str(by), clock.now()
    bulk_insert(
        AuditEntry,
        [
            {
                "at": at,
                "actor": actor,
                "action": entry.action,
                "subject_type": entry.subject_type,
                "subject_id": entry.subject_id,
                "from_state": entry.from_state,
                "to_state": entry.to_state,
                "because": entry.because[:BECAUSE_LENGTH_MAX],
                "succeeded": entry.succeeded,
                "address": (entry.asked_from or here).address,
                "request_id": (entry.asked_from or here).request_id,
                "detail": entry.detail,
            }
            for entry in entries
        ],
    )


def entries_of_moves(asked: FromClause, moved: FromClause) -> Insert:
    """Part of a statement that moves rows: an entry for each of `asked` that really `moved`.

    `asked` has id, source, target, because and detail; the rest is in `entry_parameters`.
    """
    subject_type = bindparam("entry_subject_type", type_=Text)
    columns: dict[str, ColumnElement[Any]] = {
        "at": bindparam("entry_at", type_=DateTime(timezone=True)),
        "actor": bindparam("entry_actor", type_=Text),
        "action": func.concat(subject_type, ".", asked.c.target),
        "subject_type": subject_type,
        "subject_id": asked.c.id,
        "from_state": asked.c.source,
        "to_state": asked.c.target,
        "because": asked.c.because,
        "address": bindparam("entry_address", type_=Text),
        "request_id": bindparam("entry_request_id", type_=Text),
        "detail": asked.c.detail,
    }
    entries = select(*columns.values()).join_from(asked, moved, asked.c.id == moved.c.id)
    return insert(AuditEntry).from_select(list(columns), entries, include_defaults=False)


def entries_of_births(born: FromClause) -> Insert:
    """Part of a statement that inserts rows: an entry for each of `born`, which has id and because.

    The rest is in `entry_parameters`, and the state they begin in.
    """
    subject_type, start = (
        bindparam("entry_subject_type", type_=Text),
        bindparam("entry_start", type_=Text),
    )
    columns: dict[str, ColumnElement[Any]] = {
        "at": bindparam("entry_at", type_=DateTime(timezone=True)),
        "actor": bindparam("entry_actor", type_=Text),
        "action": func.concat(subject_type, ".", start),
        "subject_type": subject_type,
        "subject_id": born.c.id,
        "to_state": start,
        "because": born.c.because,
        "address": bindparam("entry_address", type_=Text),
        "request_id": bindparam("entry_request_id", type_=Text),
    }
    return insert(AuditEntry).from_select(
        list(columns), select(*columns.values()), include_defaults=False
    )


def entry_parameters(subject_type: str, *, by: Actor) -> dict[str, Any]:
    """What all entries of one statement share."""
    here = origin.get()
    return {
        "entry_subject_type": subject_type,
        "entry_at": clock.now(),
        "entry_actor": str(by),
        "entry_address": here.address,
        "entry_request_id": here.request_id,
    }
