from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func
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
