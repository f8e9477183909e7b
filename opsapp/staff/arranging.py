"""How an account wants its lists. Nobody answers for it, so none of it is logged."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.staff import reading_views
from opsapp.staff.models import ListArrangement, StaffPreference

DENSITIES = ("normal", "compact")
COLUMNS_MAX = 50
KEY_LENGTH_MAX = 60
DISMISSED_MAX = 200


@within_transaction
def arrange(
    account_id: int,
    list_name: str,
    *,
    columns: Sequence[str] | None = None,
    density: str | None = None,
) -> None:
    """None leaves it as it is; no columns are those that the list begins with. Raises Invalid."""
    if density is not None and density not in DENSITIES:
        raise Invalid(field="density", reason="Choose how close the rows stand.")
    values: dict[str, Any] = {}
    if columns is not None:
        values["columns"] = [key[:KEY_LENGTH_MAX] for key in columns[:COLUMNS_MAX]]
    if density is not None:
        values["density"] = density
    if values:
        _write(account_id, list_name, values)


@within_transaction
def begin_with(account_id: int, role: str, list_name: str, view_id: int | None) -> None:
    """The view that the list opens with; None for all rows. Raises NotFound."""
    if view_id is not None:
        reading_views.get_view(view_id, account_id, role)
    _write(account_id, list_name, {"default_view_id": view_id})


@within_transaction
def dismiss(account_id: int, key: str) -> None:
    """Show a hint or a tour no more; twice is once. Raises Invalid."""
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise Invalid(field="key", reason="Choose what shall not be shown any more.")
    known = reading_views.list_dismissed(account_id)
    if key in known or len(known) >= DISMISSED_MAX:
        return
    row = insert(StaffPreference).values(account_id=account_id, dismissed=[key])
    more = func.array_append(StaffPreference.dismissed, key)
    db.session.execute(
        row.on_conflict_do_update(index_elements=["account_id"], set_={"dismissed": more})
    )


@within_transaction
def restore(account_id: int, keys: Sequence[str]) -> None:
    """Show what was put away again."""
    left = [key for key in reading_views.list_dismissed(account_id) if key not in keys]
    mine = update(StaffPreference).where(StaffPreference.account_id == account_id)
    db.session.execute(mine.values(dismissed=left))


def _write(account_id: int, list_name: str, values: dict[str, Any]) -> None:
    row = insert(ListArrangement).values(account_id=account_id, list_name=list_name, **values)
    db.session.execute(
        row.on_conflict_do_update(index_elements=["account_id", "list_name"], set_=values)
    )
