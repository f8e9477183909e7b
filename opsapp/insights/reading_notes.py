"""Notes of staff, in the shape of a line of history; sealed until they are read."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Text, cast, func, select

from opsapp.customers.models import StaffNote
from opsapp.customers.noting import read_text
from opsapp.insights.lining_up import notes_line
from opsapp.kernel.db import db
from opsapp.staff.models import StaffAccount

NOTES_MAX = 30


def read_notes(rows: Iterable[Any]) -> dict[int, str]:
    """The texts of the notes among a line's rows, by id. Raises Unreadable."""
    return {
        row.id: read_text(bytes.fromhex(row.detail["sealed"]), row.detail["request_id"])
        for row in rows
        if row.source == "note"
    }


def list_notes(subject_type: str, subject_id: int) -> list[Any]:
    """The newest first, each with who wrote it."""
    line = notes_line(
        StaffNote.subject_type == subject_type, StaffNote.subject_id == subject_id
    ).subquery()
    staff = cast(func.concat("staff:", StaffAccount.id), Text)
    statement = select(*line.c, StaffAccount.name.label("actor_name")).outerjoin(
        StaffAccount, line.c.actor == staff
    )
    return list(db.session.execute(statement.order_by(line.c.id.desc()).limit(NOTES_MAX)))
