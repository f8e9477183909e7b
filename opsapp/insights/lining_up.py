"""Rows of other tables in the shape of a line: what a page shows on one time line."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal, null, select

from opsapp.customers.models import StaffNote
from opsapp.kernel.log import AuditEntry

Line = Select[*tuple[Any, ...]]


def log_line(subject_type: str, ids: Any, *conditions: ColumnElement[bool]) -> Line:
    return select(
        AuditEntry.at.label("at"),
        AuditEntry.id.label("id"),
        literal("log").label("source"),
        AuditEntry.subject_type.label("subject_type"),
        AuditEntry.subject_id.label("subject_id"),
        AuditEntry.action.label("what"),
        AuditEntry.to_state.label("to_state"),
        AuditEntry.because.label("because"),
        AuditEntry.actor.label("actor"),
        AuditEntry.detail.label("detail"),
    ).where(AuditEntry.subject_type == subject_type, AuditEntry.subject_id.in_(ids), *conditions)


def notes_line(*conditions: ColumnElement[bool]) -> Line:
    """Notes in the shape of a line; their text stays sealed until read_notes."""
    return select(
        StaffNote.written_at.label("at"),
        StaffNote.id.label("id"),
        literal("note").label("source"),
        StaffNote.subject_type,
        StaffNote.subject_id,
        literal("note").label("what"),
        cast(null(), Text).label("to_state"),
        literal("").label("because"),
        StaffNote.written_by.label("actor"),
        func.jsonb_build_object(
            "sealed",
            func.encode(StaffNote.text_sealed, "hex"),
            "request_id",
            StaffNote.request_id,
        ).label("detail"),
    ).where(*conditions)
