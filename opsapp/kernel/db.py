"""The only module that begins, commits or rolls back a database transaction."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask import has_app_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    CursorResult,
    DateTime,
    Executable,
    FromClause,
    Insert,
    Interval,
    MetaData,
    Select,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    cast as sql_cast,
    column,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert as postgresql_insert
from sqlalchemy.orm import DeclarativeBase, registry
from sqlalchemy.types import UserDefinedType

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_index",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    """Every table inherits from here (not from db.Model, which mypy cannot see through)."""

    # A registry of our own: Flask-SQLAlchemy copies the class body, and SQLAlchemy refuses
    # a copy that has both a registry and a type_annotation_map.
    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={
            datetime: DateTime(timezone=True),
            timedelta: Interval,
            int: BigInteger,
            str: Text,
            dict[str, Any]: JSONB(none_as_null=True),
        },
    )


db = SQLAlchemy(model_class=Base)

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Select[*tuple[Any, ...]])

_ROWS = "rows_"
_OPEN = "opsapp.transaction_open"
_AFTER_COMMIT = "opsapp.after_commit"
_KEPT = "opsapp.kept"
_KEPT_READING = "opsapp.kept_while_reading"
_WITHOUT_WAITING = text("SET LOCAL synchronous_commit TO off")


class TransactionMisuse(RuntimeError):
    """A programming error: a transaction was opened, left out or nested wrongly."""


@contextmanager
def transaction(*, durable: bool = True) -> Iterator[None]:
    """Commit everything written in the block together, or nothing at all.

    Not `durable`: the disk is not waited for, and a crash of the server may forget the block's last
    moment. For notes that somebody is waiting behind and that nothing is decided by.
    """
    _require_closed()
    session = db.session()
    if session.in_transaction():  # reads made before the block belong to an older snapshot
        session.rollback()
    session.info[_OPEN] = True
    hooks: dict[Callable[[], None], None] = {}  # ordered, each once
    session.info[_AFTER_COMMIT] = hooks
    session.info[_KEPT] = {}
    try:
        if not durable:
            session.connection().execute(_WITHOUT_WAITING)
        yield
        session.commit()
        if _KEPT_READING in session.info:  # what is read next is of the same moment
            session.info[_KEPT_READING] = session.info[_KEPT]
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info[_OPEN] = False
        session.info[_KEPT] = {}
    for hook in hooks:
        hook()


def within_transaction(step: Callable[P, R]) -> Callable[P, R]:
    """Mark a step: it writes, and its caller decides when that is committed."""

    @wraps(step)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        require_transaction()
        return step(*args, **kwargs)

    return checked


def owns_transactions(procedure: Callable[P, R]) -> Callable[P, R]:
    """Mark a procedure: it opens its own transactions and may wait on a gateway between them."""

    @wraps(procedure)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        _require_closed()
        return procedure(*args, **kwargs)

    return checked


def after_commit(callback: Callable[[], None]) -> None:
    """Run `callback` once the open transaction is committed; the same callback runs once."""
    require_transaction()
    db.session().info[_AFTER_COMMIT][callback] = None


def kept_in_transaction() -> dict[str, Any]:
    """What is true for the length of the open transaction.

    Outside one nothing is kept, but where `keep_while_reading` was called.
    """
    info = db.session().info
    kept: dict[str, Any] = info[_KEPT] if info.get(_OPEN) else info.get(_KEPT_READING, {})
    return kept


def keep_while_reading() -> None:
    """Reads outside a transaction have one moment as well, until `stop_keeping`."""
    db.session().info[_KEPT_READING] = {}


def stop_keeping() -> None:
    db.session().info.pop(_KEPT_READING, None)


def require_transaction() -> None:
    """Raise TransactionMisuse unless the caller stands inside transaction()."""
    if not db.session().info.get(_OPEN):
        raise TransactionMisuse("this write must run inside transaction()")


def require_no_transaction() -> None:
    """Raise TransactionMisuse if a transaction is open: asked before every wait on a network."""
    if has_app_context() and db.session().info.get(_OPEN):
        raise TransactionMisuse("a network was waited for while a database transaction was open")


def end_reading() -> None:
    """Give back the connection of reads made outside transaction(), before a long wait."""
    _require_closed()
    db.session.rollback()


def locked(statement: S, *, of: Any = None, skip: bool = False) -> S:
    """FOR UPDATE, and read the row as it is now: a copy loaded earlier would hide the change."""
    return statement.with_for_update(of=of, skip_locked=skip).execution_options(
        populate_existing=True
    )


def locked_together(take: Callable[[], R | None], *, tries: int = 5) -> R | None:
    """What `take` has locked; None if it came to nothing each time.

    Every None gives back the locks of that try, and no other: so rows can be locked in the house
    order although the later ones say that an earlier one was missed.
    """
    require_transaction()
    for _ in range(tries):
        savepoint = db.session.begin_nested()
        if (taken := take()) is not None:
            savepoint.commit()
            return taken
        savepoint.rollback()
    return None


def once(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Ask a clock function once for the statement, not once for each row."""
    return select(moment).scalar_subquery()


def rows_as_table(name: str, columns: Sequence[Column[Any]]) -> FromClause:
    """A FROM item that takes any number of rows as one parameter per column (see `as_columns`).

    One statement of a fixed text serves them all, so it is compiled once. A column
    travels as the text of an array: the cheapest form for both ends, since names are not repeated
    and a value that all rows share is written once.
    """
    arrays = [_array_of(_ROWS + c.name, c.type) for c in columns]
    return (
        func.unnest(*arrays)
        .table_valued(*[column(c.name, c.type) for c in columns], name=name)
        .render_derived()
    )


def as_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The parameters of a statement made with `rows_as_table`; all rows have the same keys."""
    return as_columns({name: [row[name] for row in rows] for name in rows[0]})


def as_columns(columns: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """The same from columns of equal length."""
    return {_ROWS + name: as_array(values) for name, values in columns.items()}


def is_among(item: Any, name: str) -> ColumnElement[bool]:
    """`item` is one of the parameter `name`, which `as_array` wrote.

    Unlike `in_`, the statement keeps one text however many there are.
    """
    condition: ColumnElement[bool] = item == any_(_array_of(name, item.type))
    return condition


def as_array(values: Sequence[Any]) -> str:
    """One column's values as PostgreSQL reads an array."""
    if not values:
        return "{}"
    first = values[0]
    # Equal objects may differ in what they hold, as {"n": 1} and {"n": True} do.
    if (not first or not isinstance(first, dict | list)) and values.count(first) == len(values):
        return f"{{{','.join([_element(first)] * len(values))}}}"
    return f"{{{','.join([_element(value) for value in values])}}}"


class _Written(UserDefinedType[str]):
    """A parameter without a type of its own: PostgreSQL reads it as what it is cast to.

    A text that is cast would be an expression, read anew for each row that it is compared with.
    """

    cache_ok = True


def _array_of(name: str, type_: Any) -> ColumnElement[Any]:
    return sql_cast(bindparam(name, type_=_Written()), ARRAY(type_))


def _element(value: Any) -> str:
    """An element as PostgreSQL's own input functions read it."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict | list):
        return _quoted(json.dumps(value, default=_as_text, ensure_ascii=False))
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return str(value.isoformat())  # dates and times; anything else is a programming error


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _as_text(value: Any) -> str:
    """What JSON has no word for."""
    return str(value.isoformat())


def execute_plain(
    statement: Executable, parameters: Mapping[str, Any] | None = None
) -> CursorResult[Any]:
    """Execute what neither reads nor writes entities, without asking the ORM about it.

    What a walk over thousands repeats for each batch: the ORM's part was a tenth of its CPU.
    """
    db.session.flush()  # as the session itself would
    return db.session.connection().execute(statement, parameters)


def bulk_insert(
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    returning: Sequence[str] = (),
    or_nothing: bool = False,
) -> list[Any]:
    """Insert many rows in one statement; all rows have the same keys.

    Returns the `returning` columns of the rows written, in no particular order. With
    `or_nothing`, rows that meet an existing unique key are left out.
    """
    require_transaction()
    if not rows:
        return []
    names = tuple(rows[0])
    statement = _bulk_insert(model, names, tuple(returning), or_nothing)
    result = execute_plain(statement, as_rows(rows))
    return list(result.all()) if returning else []


def bulk_update(model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Set columns of many rows, found by `id`, in one statement; all rows have the same keys.

    Never a status: that is moved by its state machine.
    """
    require_transaction()
    if rows:
        execute_plain(_bulk_update(model, tuple(rows[0])), as_rows(rows))


def table_of(model: type[Base]) -> Table:
    """The table behind a model, which the typing of the ORM calls a mere FROM clause."""
    return cast(Table, model.__table__)


@lru_cache(maxsize=256)
def _bulk_insert(
    model: type[Base], names: tuple[str, ...], returning: tuple[str, ...], or_nothing: bool
) -> Insert:
    table = table_of(model)
    source = rows_as_table("source", [table.c[name] for name in names])
    build = postgresql_insert(table) if or_nothing else insert(table)
    statement: Any = build.from_select(
        list(names), select(*[source.c[name] for name in names]), include_defaults=False
    )
    if or_nothing:
        statement = statement.on_conflict_do_nothing()
    if returning:
        statement = statement.returning(*[table.c[name] for name in returning])
    result: Insert = statement
    return result


@lru_cache(maxsize=256)
def _bulk_update(model: type[Base], names: tuple[str, ...]) -> Update:
    table = table_of(model)
    if "status" in names:
        raise TransactionMisuse("a status is moved by its state machine")
    source = rows_as_table("source", [table.c[name] for name in names])
    new = {name: source.c[name] for name in names if name != "id"}
    return update(table).where(table.c.id == source.c.id).values(new)


def _require_closed() -> None:
    if db.session().info.get(_OPEN):
        raise TransactionMisuse("the caller already owns a transaction")
