"""Probe for card numbers where none may stand: the database, Redis and the log files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, String, Text, cast, func, literal, or_, select, union_all
from sqlalchemy.dialects.postgresql import JSONB

from opsapp.insights.rules import PAN_PATTERN, find_pans
from opsapp.kernel import jobs
from opsapp.kernel.db import Base, db, transaction


def find_card_numbers(logs_dir: Path | None) -> list[str]:
    """Sentences that name the place and the masked number. Raises jobs.RedisAway."""
    return [
        f"{place}: {pan}"
        for texts in (_in_database(), _in_redis(), _in_logs(logs_dir))
        for place, text in texts
        for pan in find_pans(text)
    ]


def _in_database() -> Iterator[tuple[str, str]]:
    """Text that looks like it, from every text column of every table in one statement."""
    tables = [
        (table, texts)
        for table in Base.metadata.sorted_tables
        if (texts := [column for column in table.columns if _is_text(column)])
    ]
    suspects = [
        select(
            func.concat(f"{table.name} ", next(iter(table.primary_key)), type_=Text()),
            func.concat_ws(literal("\n"), *(cast(column, Text) for column in texts), type_=Text()),
        ).where(or_(*(cast(column, Text).regexp_match(PAN_PATTERN) for column in texts)))
        for table, texts in tables
    ]
    with transaction():
        rows = db.session.execute(union_all(*suspects)).all()
    return ((place, text) for place, text in rows)


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, (String, JSONB))


def _in_redis() -> Iterator[tuple[str, str]]:
    return ((f"Redis {key}", text) for key, text in jobs.read_everything())


def _in_logs(folder: Path | None) -> Iterator[tuple[str, str]]:
    if folder is None:
        return
    for file in sorted(folder.glob("*")):
        if file.is_file():
            with file.open(encoding="utf-8", errors="replace") as lines:
                for number, line in enumerate(lines, start=1):
                    yield f"{file.name} line {number}", line
