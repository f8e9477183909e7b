"""Keep a list's filters under a name, for oneself or for a role."""

from collections.abc import Sequence
from dataclasses import dataclass

from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.staff import queries, reading_views
from opsapp.staff.errors import TooManyViews, ViewNameTaken, ViewOfAnother
from opsapp.staff.models import SavedView
from opsapp.staff.rules import Role

VIEWS_MAX = 50
NAME_LENGTH_MAX = 60
QUERY_LENGTH_MAX = 2000
SHARED_WITH = ("", reading_views.EVERYONE, *(role.value for role in Role))


@dataclass(frozen=True, slots=True)
class NewView:
    """`query` is as an address holds it; `shared_with` a role, "everyone", or "" for nobody."""

    list_name: str
    name: str
    query: str
    columns: Sequence[str] = ()
    shared_with: str = ""


@within_transaction
def save_view(wish: NewView, account_id: int) -> int:
    """Raises Invalid, ViewNameTaken and TooManyViews."""
    queries.lock_account(account_id)  # two windows of one person are counted one after the other
    name = _read_name(wish.name)
    if reading_views.count_views(account_id) >= VIEWS_MAX:
        raise TooManyViews(count=VIEWS_MAX)
    if reading_views.is_name_taken(account_id, wish.list_name, name):
        raise ViewNameTaken(field="name")
    ref = new_ref("view")
    view = SavedView(
        ref=ref,
        account_id=account_id,
        list_name=wish.list_name,
        name=name,
        query_sealed=_sealed(wish.query, ref),
        columns=list(wish.columns),
        shared_with="",
    )
    db.session.add(view)
    db.session.flush()
    _share(view, wish.shared_with, Actor("staff", str(account_id)))
    return view.id


@within_transaction
def change_view(
    view_id: int, account_id: int, *, name: str | None = None, shared_with: str | None = None
) -> None:
    """None leaves it as it is. Raises NotFound, Invalid, ViewOfAnother and ViewNameTaken."""
    view = _lock_own(view_id, account_id)
    if name is not None:
        view.name = _read_name(name)
        if reading_views.is_name_taken(account_id, view.list_name, view.name, but=view.id):
            raise ViewNameTaken(field="name")
    if shared_with is not None:
        _share(view, shared_with, Actor("staff", str(account_id)))


@within_transaction
def change_filters(
    view_id: int, account_id: int, *, query: str, columns: Sequence[str] = ()
) -> None:
    """The same name for other filters. Raises NotFound, Invalid and ViewOfAnother."""
    view = _lock_own(view_id, account_id)
    view.query_sealed = _sealed(query, view.ref)
    view.columns = list(columns)


@within_transaction
def delete_view(view_id: int, account_id: int) -> None:
    """Lists that begin with it begin with all again. Raises NotFound and ViewOfAnother."""
    view = _lock_own(view_id, account_id)
    _share(view, "", Actor("staff", str(account_id)))
    db.session.flush()
    db.session.delete(view)


def _lock_own(view_id: int, account_id: int) -> SavedView:
    queries.lock_account(account_id)
    view = reading_views.lock_view(view_id)
    if view.account_id != account_id:
        raise ViewOfAnother
    return view


def _read_name(text: str) -> str:
    """Raises Invalid."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise Invalid(field="name", reason="Give it a name of 1 to 60 characters.")
    if not name.isprintable():
        raise Invalid(field="name", reason="The name holds characters that cannot be printed.")
    return name


def _sealed(query: str, ref: str) -> bytes:
    """Raises Invalid."""
    if len(query) > QUERY_LENGTH_MAX:
        raise Invalid(field="query", reason="These are too many filters for one view.")
    return seal(query, context=reading_views.context_of(ref))


def _share(view: SavedView, shared_with: str, by: Actor) -> None:
    """What others see is logged; neither its name nor its filters: they may be personal."""
    if shared_with not in SHARED_WITH:
        raise Invalid(field="shared_with", reason="Choose with whom it is shared.")
    if view.shared_with == shared_with:
        return
    view.shared_with = shared_with
    action = "saved_view.shared" if shared_with else "saved_view.unshared"
    detail = {"list": view.list_name, "with": shared_with}
    record(Entry(action, "saved_view", view.id, detail=detail), by=by)
