from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base


class ApiKey(Base):
    """A program's way in. The program holds the secret, the table only its SHA-256."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("cardinality(scopes) > 0", name="opens_something"),
        CheckConstraint("octet_length(secret_hash) = 32", name="hash_whole"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)  # of the secret: it is found and shown by it
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_used_at: Mapped[datetime | None]  # to the minute
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiRequest(Base):
    """A change that a program asked for under a key of its own, and what it was answered.

    Written with the change itself, so there is no row of something half done.
    """

    __tablename__ = "api_requests"
    __table_args__ = (
        UniqueConstraint("key_id", "idempotency_key"),
        Index("api_requests_age", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id"))
    idempotency_key: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    answer_status: Mapped[int | None]
    answer_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Installation(Base):
    """One row: whether this database holds real money or trials. It never changes."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    livemode: Mapped[bool]
    since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
