"""A state machine is a table of allowed moves; move() and move_many() alone change a status."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import CheckConstraint, Column, Select, Text, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import (
    Base,
    as_columns,
    as_rows,
    db,
    execute_plain,
    require_transaction,
    rows_as_table,
    table_of,
)
from opsapp.kernel.log import (
    BECAUSE_LENGTH_MAX,
    Entry,
    entries_of_births,
    entries_of_moves,
    entry_parameters,
    record,
)


class IllegalMove(Exception):
    """The subject is in a state from which this move is not allowed."""


class HasStatus(Protocol):
    id: Any
    status: Any


@dataclass(frozen=True, slots=True)
class Move:
    source: StrEnum
    target: StrEnum
    meaning: str


@dataclass(frozen=True, slots=True)
class RowMove:
    """One row of a set-based move: what it was when it was read, and what else to write.

    With `fence`, the row moves only if it still carries that fence (kernel.turns).
    `also` names the other columns to set; all rows of one call name the same ones.
    """

    id: int
    source: str
    target: StrEnum
    because: str
    fence: int | None = None
    also: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] | None = None


class StateMachine:
    """The life of one kind of subject. A state that no move reaches is refused at import.

    `other_starts`: states that a subject may be born in besides `start`.
    """

    def __init__(
        self,
        subject_type: str,
        *,
        start: StrEnum,
        moves: Iterable[Move],
        other_starts: tuple[StrEnum, ...] = (),
    ) -> None:
        self.subject_type = subject_type
        self.start = start
        self.starts = (start, *other_starts)
        self._moves = {(move.source, move.target): move for move in moves}
        self._refuse_unreachable()
        MACHINES[subject_type] = self

    def allows(self, source: str, target: StrEnum) -> bool:
        return (source, target) in self._moves

    def move(
        self,
        subject: HasStatus,
        to: StrEnum,
        *,
        because: str,
        by: Actor,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Move one loaded (and locked) row, and log it. Raises IllegalMove."""
        require_transaction()
        source = subject.status
        self._require(subject.id, source, to)
        subject.status = to.value
        record(self._entry(subject.id, source, to, because, detail), by=by)

    def move_many(
        self, model: type[Base], moves: Sequence[RowMove], *, by: Actor
    ) -> frozenset[int]:
        """Move many rows in one statement and log them; returns the ids that really moved.

        A row that has left its `source` or its `fence` since it was read stays as it is and is
        not in the answer: somebody else got there first. Raises IllegalMove before writing.
        """
        require_transaction()
        if not moves:
            return frozenset()
        for move in moves:
            self._require(move.id, move.source, move.target)
        also = tuple(moves[0].also or ())
        fenced = moves[0].fence is not None
        parameters = as_columns(_columns(moves, also, fenced=fenced))
        parameters |= entry_parameters(self.subject_type, by=by)
        statement = _move_many(model, also, fenced)
        return frozenset(db.session.connection().scalars(statement, parameters))

    def begin_many(
        self,
        model: type[Base],
        rows: Sequence[Mapping[str, Any]],
        *,
        because: str,
        by: Actor,
    ) -> list[int]:
        """Insert many rows in their first state and log them, in one statement; returns their ids.

        All rows have the same keys, without `status`; `because` names the column that says why.
        Rows that meet an existing unique key are left out.
        """
        require_transaction()
        if not rows:
            return []
        start = self.start.value
        parameters = as_rows([{**row, "status": start} for row in rows])
        parameters |= entry_parameters(self.subject_type, by=by) | {"entry_start": start}
        statement = _begin_many(model, tuple(rows[0]), because)
        return list(execute_plain(statement, parameters).scalars())

    def check(self) -> CheckConstraint:
        """The same list of states, for the database to enforce."""
        states = ", ".join(f"'{state}'" for state in type(self.start))
        return CheckConstraint(f"status IN ({states})", name="status_known")

    def as_mermaid(self) -> str:
        lines = [f"  {m.source} --> {m.target}: {m.meaning}" for m in self._moves.values()]
        starts = [f"  [*] --> {start}" for start in self.starts]
        return "\n".join(["stateDiagram-v2", *starts, *lines])

    def _require(self, subject_id: int, source: str, to: StrEnum) -> None:
        if (source, to) not in self._moves:
            raise IllegalMove(f"{self.subject_type} {subject_id}: {source} -> {to}")

    def _entry(
        self,
        subject_id: int,
        source: str,
        to: StrEnum,
        because: str,
        detail: Mapping[str, Any] | None,
    ) -> Entry:
        return Entry(
            action=f"{self.subject_type}.{to.value}",
            subject_type=self.subject_type,
            subject_id=subject_id,
            because=because,
            from_state=source,
            to_state=to.value,
            detail=detail or {},
        )

    def _refuse_unreachable(self) -> None:
        reached: set[StrEnum] = set()
        frontier: set[StrEnum] = set(self.starts)
        while frontier:
            reached |= frontier
            frontier = {
                move.target for move in self._moves.values() if move.source in frontier
            } - reached
        if unreached := set(type(self.start)) - reached:
            raise ValueError(f"{self.subject_type}: no move leads to {sorted(unreached)}")


MACHINES: dict[str, StateMachine] = {}


def _columns(
    moves: Sequence[RowMove], also: tuple[str, ...], *, fenced: bool
) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {
        "id": [m.id for m in moves],
        "source": [m.source for m in moves],
        "target": [m.target for m in moves],
        "because": [m.because[:BECAUSE_LENGTH_MAX] for m in moves],
        "detail": [m.detail or {} for m in moves],
    }
    if fenced:
        columns["fence"] = [m.fence for m in moves]
    if also:
        new = [m.also or {} for m in moves]
        columns |= {f"new_{name}": [each[name] for each in new] for name in also}
    return columns


@lru_cache(maxsize=32)
def _begin_many(model: type[Base], names: tuple[str, ...], because: str) -> Select[Any]:
    """Rows are born and logged by one statement."""
    table = table_of(model)
    names = (*names, "status")
    source = rows_as_table("source", [table.c[name] for name in names])
    written = (
        insert(table)
        .from_select(
            list(names), select(*[source.c[name] for name in names]), include_defaults=False
        )
        .on_conflict_do_nothing()
        .returning(table.c.id, table.c[because].label("because"))
        .cte("born")
    )
    logged = entries_of_births(written).cte("logged")
    return select(written.c.id).add_cte(logged)


@lru_cache(maxsize=128)
def _move_many(model: type[Base], also: tuple[str, ...], fenced: bool) -> Select[Any]:
    """Rows are moved and logged by one statement: there is no state without its entry."""
    table = table_of(model)
    columns: list[Column[Any]] = [
        Column("id", table.c.id.type),
        Column("source", Text()),
        Column("target", Text()),
        Column("because", Text()),
        Column("detail", JSONB()),
    ]
    if fenced:
        columns.append(Column("fence", table.c.fence.type))
    columns += [Column(f"new_{name}", table.c[name].type) for name in also]
    rows = select(rows_as_table("moves", columns)).cte("asked")
    change = (
        update(table)
        .where(table.c.id == rows.c.id, table.c.status == rows.c.source)
        .values(
            {"status": rows.c.target} | {name: rows.c[f"new_{name}"] for name in also},
        )
        .returning(table.c.id)
    )
    if fenced:
        change = change.where(table.c.fence == rows.c.fence)
    moved = change.cte("moved")
    logged = entries_of_moves(rows, moved).cte("logged")
    return select(moved.c.id).add_cte(logged)
