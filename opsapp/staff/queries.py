from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Interval,
    Select,
    and_,
    bindparam,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.orm import load_only

from opsapp.kernel import clock
from opsapp.kernel.db import db, execute_plain, locked
from opsapp.kernel.errors import NotFound
from opsapp.settings import current
from opsapp.staff.models import SignInTry, StaffAccount, StaffSession
from opsapp.staff.rules import Permission, Role, allows
from opsapp.staff.states import AccountStatus


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, as one request sees him."""

    session_id: int
    account_id: int
    name: str
    email: str
    role: str
    locale: str
    theme: str
    seen_s_ago: float


@dataclass(frozen=True, slots=True)
class Credentials:
    account_id: int
    password_hash: str
    is_open: bool  # active and not locked out


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    id: int
    name: str
    email: str
    role: str
    status: str
    is_locked: bool
    last_signed_in_at: datetime | None
    open_sessions: int


def find_visitor(token_hash: bytes) -> Visitor | None:
    """The owner of a sign-in that is neither ended, idle for too long nor too old."""
    found = execute_plain(_visitors(), {"token_hash": token_hash} | _lengths()).one_or_none()
    if found is None:
        return None
    known: tuple[Any, ...] = tuple(found)
    clock.keep(known[-1])  # nearly every page asks for it
    return Visitor(*known[:-1])


@cache  # every request of the console asks it
def _visitors() -> Select[*tuple[Any, ...]]:
    return (
        select(
            StaffSession.id,
            StaffAccount.id,
            StaffAccount.name,
            StaffAccount.email,
            StaffAccount.role,
            StaffAccount.locale,
            StaffAccount.theme,
            cast(func.extract("epoch", func.clock_timestamp() - StaffSession.last_seen_at), Double),
            func.ops_now(),
        )
        .join(StaffAccount, StaffAccount.id == StaffSession.account_id)
        .where(
            StaffSession.token_hash == bindparam("token_hash"),
            StaffAccount.status == AccountStatus.ACTIVE.value,
            _is_alive(),
        )
    )


def find_credentials(email: str) -> Credentials | None:
    found = db.session.execute(
        select(StaffAccount.id, StaffAccount.password_hash, _is_open()).where(
            StaffAccount.email == email.lower()
        )
    ).one_or_none()
    return None if found is None else Credentials(*found)


def lock_account(account_id: int) -> StaffAccount:
    """Raises NotFound."""
    found = db.session.scalars(
        locked(select(StaffAccount).where(StaffAccount.id == account_id))
    ).one_or_none()
    if found is None:
        raise NotFound(noun="staff account", id=account_id)
    return found


def lock_active_admins() -> Sequence[int]:
    """Two administrators who disable each other at the same time must wait here."""
    return db.session.scalars(
        locked(
            select(StaffAccount.id)
            .where(
                StaffAccount.role == Role.ADMIN.value,
                StaffAccount.status == AccountStatus.ACTIVE.value,
            )
            .order_by(StaffAccount.id)
        )
    ).all()


def is_open(account_id: int) -> bool:
    """Active and not locked out, on the database's own clock."""
    return db.session.scalars(select(_is_open()).where(StaffAccount.id == account_id)).one()


def is_email_taken(email: str) -> bool:
    taken = select(StaffAccount.id).where(StaffAccount.email == email.lower())
    return db.session.scalars(taken).first() is not None


def count_wrong_tries(address: str, *, within: timedelta) -> int:
    return db.session.scalars(
        select(func.count()).where(
            SignInTry.address == address,
            SignInTry.succeeded.is_(False),
            SignInTry.at > func.clock_timestamp() - within,
        )
    ).one()


def list_accounts() -> list[AccountRow]:
    sessions = (
        select(StaffSession.account_id, func.count().label("count"))
        .where(_is_alive())
        .group_by(StaffSession.account_id)
        .subquery()
    )
    rows = db.session.execute(
        select(
            StaffAccount.id,
            StaffAccount.name,
            StaffAccount.email,
            StaffAccount.role,
            StaffAccount.status,
            func.coalesce(StaffAccount.locked_until > func.clock_timestamp(), False),
            StaffAccount.last_signed_in_at,
            func.coalesce(sessions.c.count, 0),
        )
        .outerjoin(sessions, sessions.c.account_id == StaffAccount.id)
        .order_by(StaffAccount.email),
        _lengths(),
    )
    return [AccountRow(*row) for row in rows]


def list_people(permission: Permission) -> list[Person]:
    """Active accounts whose role holds the permission, by name."""
    roles = [role.value for role in Role if allows(role, permission)]
    rows = db.session.execute(
        select(StaffAccount.id, StaffAccount.name, StaffAccount.role)
        .where(StaffAccount.role.in_(roles), StaffAccount.status == AccountStatus.ACTIVE.value)
        .order_by(StaffAccount.name, StaffAccount.id)
    )
    return [Person(*row) for row in rows]


def names_of_actors(actors: Iterable[str]) -> dict[str, str]:
    """`staff:12` -> a name, for logs and timelines; other actors are left out. One statement."""
    ids = [int(a[6:]) for a in set(actors) if a.startswith("staff:") and a[6:].isdigit()]
    rows = db.session.execute(
        select(StaffAccount.id, StaffAccount.name).where(StaffAccount.id.in_(ids))
    )
    return {f"staff:{account_id}": name for account_id, name in rows}


def list_by_email(emails: Sequence[str]) -> dict[str, StaffAccount]:
    rows = db.session.scalars(
        select(StaffAccount)
        .options(load_only(StaffAccount.id, StaffAccount.email, StaffAccount.password_hash))
        .where(StaffAccount.email.in_(emails))
    )
    return {account.email: account for account in rows}


def _is_open() -> ColumnElement[bool]:
    return and_(
        StaffAccount.status == AccountStatus.ACTIVE.value,
        func.coalesce(StaffAccount.locked_until <= func.clock_timestamp(), true()),
    )


def _is_alive() -> ColumnElement[bool]:
    """Asks for the parameters of `_lengths`."""
    at = func.clock_timestamp()
    return and_(
        StaffSession.ended_at.is_(None),
        StaffSession.last_seen_at > at - bindparam("idle", type_=Interval),
        StaffSession.created_at > at - bindparam("life", type_=Interval),
    )


def _lengths() -> dict[str, timedelta]:
    return {
        "idle": timedelta(seconds=current().session_idle_s),
        "life": timedelta(seconds=current().session_life_s),
    }
