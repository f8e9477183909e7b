"""Saved views and arrangements as one account may see them."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, or_, select

from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import db, execute_plain, locked
from opsapp.kernel.errors import NotFound
from opsapp.staff.models import ListArrangement, SavedView, StaffAccount, StaffPreference

SHOWN_MAX = 100
EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class View:
    """`query` is the filter's part of an address; without `columns` everybody has their own."""

    id: int
    list_name: str
    name: str
    query: str
    columns: tuple[str, ...]
    shared_with: str
    is_mine: bool
    owner: str


@dataclass(frozen=True, slots=True)
class Arrangement:
    columns: tuple[str, ...]
    density: str
    default_view_id: int | None
    views: tuple[View, ...]  # one's own first, then those shared with one's role


def context_of(ref: str) -> str:
    """What the query of a view is sealed under."""
    return f"saved_views.query|{ref}"


def find_arrangement(account_id: int, role: str, list_name: str) -> Arrangement:
    """All that a list page must know of its reader, in one statement."""
    asked = {"account_id": account_id, "role": role, "list_name": list_name}
    rows = execute_plain(_arrangements(), asked).all()
    views = [_read(row, row.owner, account_id) for row in rows if row.id]
    first = rows[0] if rows else None
    return Arrangement(
        columns=tuple(first.arranged or ()) if first else (),
        density=(first.density if first else None) or "normal",
        default_view_id=first.default_view_id if first else None,
        views=tuple(views),
    )


@cache  # every list page asks it
def _arrangements() -> Select[*tuple[Any, ...]]:
    account_id: BindParameter[int] = bindparam("account_id")
    list_name: BindParameter[str] = bindparam("list_name")
    owner = select(StaffAccount.id, StaffAccount.name).subquery()
    return (
        select(
            ListArrangement.columns.label("arranged"),
            ListArrangement.density,
            ListArrangement.default_view_id,
            *SavedView.__table__.c,
            owner.c.name.label("owner"),
        )
        .select_from(StaffAccount)
        .outerjoin(
            ListArrangement,
            and_(
                ListArrangement.account_id == StaffAccount.id,
                ListArrangement.list_name == list_name,
            ),
        )
        .outerjoin(SavedView, and_(SavedView.list_name == list_name, _is_seen()))
        .outerjoin(owner, owner.c.id == SavedView.account_id)
        .where(StaffAccount.id == account_id)
        .order_by((SavedView.account_id == account_id).desc(), SavedView.id)
        .limit(SHOWN_MAX)
    )


def _is_seen() -> ColumnElement[bool]:
    """Asks for the parameters account_id and role."""
    return or_(
        SavedView.account_id == bindparam("account_id"),
        SavedView.shared_with.in_([bindparam("role"), EVERYONE]),
    )


def get_view(view_id: int, account_id: int, role: str) -> View:
    """Raises NotFound, also for one that this account is not shown."""
    row = db.session.execute(
        select(SavedView, StaffAccount.name)
        .join(StaffAccount, StaffAccount.id == SavedView.account_id)
        .where(SavedView.id == view_id, _is_seen()),
        {"account_id": account_id, "role": role},
    ).one_or_none()
    if row is None:
        raise NotFound(noun="saved view", id=view_id)
    return _read(row[0], row[1], account_id)


def lock_view(view_id: int) -> SavedView:
    """Raises NotFound."""
    found = db.session.scalars(
        locked(select(SavedView).where(SavedView.id == view_id))
    ).one_or_none()
    if found is None:
        raise NotFound(noun="saved view", id=view_id)
    return found


def count_views(account_id: int) -> int:
    counted = select(func.count()).where(SavedView.account_id == account_id)
    return db.session.scalars(counted).one()


def is_name_taken(account_id: int, list_name: str, name: str, *, but: int = 0) -> bool:
    taken = select(SavedView.id).where(
        SavedView.account_id == account_id,
        SavedView.list_name == list_name,
        func.lower(SavedView.name) == func.lower(name),
        SavedView.id != but,
    )
    return db.session.scalars(taken).first() is not None


def list_dismissed(account_id: int) -> list[str]:
    """What this account wants to see no more."""
    wanted = select(StaffPreference.dismissed).where(StaffPreference.account_id == account_id)
    return db.session.scalars(wanted).one_or_none() or []


def _read(view: Any, owner: str, account_id: int) -> View:
    """`view`: a SavedView, or a row of its columns."""
    return View(
        id=view.id,
        list_name=view.list_name,
        name=view.name,
        query=unseal(view.query_sealed, context=context_of(view.ref)),
        columns=tuple(view.columns),
        shared_with=view.shared_with,
        is_mine=view.account_id == account_id,
        owner=owner,
    )
