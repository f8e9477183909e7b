from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.exports.states import EXPORT, OPEN
from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable, due_index


class Export(Claimable, Base):
    """A file that somebody ordered of a list, and why."""

    __tablename__ = "exports"
    __table_args__ = (
        EXPORT.check(),
        CheckConstraint("format IN ('csv', 'xlsx')", name="format_known"),
        due_index("exports", OPEN),
        Index("exports_of_person", "requested_by", "id"),
        Index("exports_ready", "expires_at", postgresql_where=text("status = 'ready'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    request_id: Mapped[str] = mapped_column(unique=True)  # a form sent twice is one export
    list_name: Mapped[str]
    query_sealed: Mapped[bytes] = mapped_column(LargeBinary)  # what was searched for may be a name
    columns: Mapped[str]  # keys, parted by commas
    format: Mapped[str]
    zone: Mapped[str]
    locale: Mapped[str]
    because: Mapped[str]  # in staff's own words
    is_revealed: Mapped[bool]
    file_name: Mapped[str]
    status: Mapped[str] = mapped_column(default=EXPORT.start.value)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    rows: Mapped[int] = mapped_column(default=0, server_default="0")  # written so far
    bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class ExportPart(Base):
    """A piece of a finished file: in the database, so that every web host can serve it."""

    __tablename__ = "export_parts"
    __table_args__ = (UniqueConstraint("export_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    export_id: Mapped[int] = mapped_column(ForeignKey("exports.id"))
    number: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
