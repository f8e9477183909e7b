from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from opsapp.kernel.db import Base
from opsapp.staff.states import ACCOUNT


class StaffAccount(Base):
    __tablename__ = "staff_accounts"
    __table_args__ = (
        ACCOUNT.check(),
        CheckConstraint("role IN ('cs', 'finance', 'admin', 'auditor')", name="role_known"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    status: Mapped[str] = mapped_column(default=ACCOUNT.start.value)
    locale: Mapped[str] = mapped_column(default="ko")
    theme: Mapped[str] = mapped_column(default="auto")
    wrong_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    locked_until: Mapped[datetime | None]
    last_signed_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StaffSession(Base):
    """A sign-in. The cookie carries the token, the table only its hash."""

    __tablename__ = "staff_sessions"
    __table_args__ = (Index("staff_sessions_account", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("staff_accounts.id"))
    address: Mapped[str]
    user_agent: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime | None]

    account: Mapped[StaffAccount] = relationship(lazy="raise")


class SignInTry(Base):
    """Wrong sign-ins by address: the brake that a shared lock-out alone cannot be."""

    __tablename__ = "sign_in_tries"
    __table_args__ = (Index("sign_in_tries_address", "address", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    email: Mapped[str]
    succeeded: Mapped[bool]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SavedView(Base):
    """A list as somebody looks at it: its filters and columns under a name.

    The query is sealed: what was searched for may be a person's name.
    """

    __tablename__ = "saved_views"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 60", name="name_length"),
        CheckConstraint(
            "shared_with IN ('', 'everyone', 'cs', 'finance', 'admin', 'auditor')",
            name="shared_with_known",
        ),
        Index(
            "one_saved_view_by_name",
            "account_id",
            "list_name",
            text("lower(name)"),
            unique=True,
        ),
        Index("saved_views_shared", "list_name", postgresql_where=text("shared_with <> ''")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("staff_accounts.id"))
    list_name: Mapped[str]
    name: Mapped[str]
    query_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    # Empty: whoever looks has their own columns.
    columns: Mapped[list[str]] = mapped_column(ARRAY(Text))
    shared_with: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ListArrangement(Base):
    """How one account wants one list."""

    __tablename__ = "list_arrangements"
    __table_args__ = (
        CheckConstraint("density IN ('normal', 'compact')", name="density_known"),
        Index("list_arrangements_view", "default_view_id"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("staff_accounts.id"), primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    density: Mapped[str] = mapped_column(default="normal", server_default="normal")
    default_view_id: Mapped[int | None] = mapped_column(
        ForeignKey("saved_views.id", ondelete="SET NULL")
    )


class StaffPreference(Base):
    """What an account has put away for good: tours and hints, by their names."""

    __tablename__ = "staff_preferences"

    account_id: Mapped[int] = mapped_column(ForeignKey("staff_accounts.id"), primary_key=True)
    dismissed: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
