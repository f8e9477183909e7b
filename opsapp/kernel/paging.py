"""Pages by position, not by number: the page after this row, however many stand before it.

A cursor is the sort key of the row at an end of the page. It is opaque to the browser and holds
nothing that the page itself does not show.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, Subquery, tuple_

from opsapp.kernel.db import db
from opsapp.kernel.errors import OpsError

T = TypeVar("T")

CURSOR_LENGTH_MAX = 200


class BadCursor(OpsError):
    code = "bad_cursor"
    http_status = 400
    message = "The page address is damaged or belongs to another list."
    remedy = "Open the first page of the list."


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    rows: Sequence[T]
    next_cursor: str | None
    previous_cursor: str | None


def page_of(
    statement: Select[*tuple[Any, ...]],
    *,
    keys: Sequence[Any],
    cursor: str | None,
    size: int,
    soonest_first: bool = False,
    dressed: Callable[[Subquery], Select[*tuple[Any, ...]]] | None = None,
) -> Page[Any]:
    """Newest first by `keys`: a moment and an id, or an id alone, all columns of `statement`.

    `soonest_first`: the other way round. `dressed`: joins to the rows of the page, once it is cut,
    what only is shown of them; else thousands would be joined to be thrown away. One statement
    reads one row more than is shown, which tells whether there is another page. Raises BadCursor.
    """
    backwards, position = _decode(cursor, len(keys)) if cursor else (False, None)
    rises = soonest_first != backwards
    if position is not None:
        here, there = tuple_(*keys), tuple_(*position)
        statement = statement.where(here > there if rises else here < there)
    cut = statement.order_by(*_order(keys, rises)).limit(size + 1)
    if dressed is not None:
        page = cut.subquery("page")
        cut = dressed(page).order_by(*_order([page.c[key.key] for key in keys], rises))
    rows = list(db.session.execute(cut))
    has_more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    names = [key.key for key in keys]
    has_next = bool(rows) and (has_more or backwards)
    has_previous = bool(rows) and (has_more if backwards else position is not None)
    return Page(
        rows,
        _encode(">", [getattr(rows[-1], name) for name in names]) if has_next else None,
        _encode("<", [getattr(rows[0], name) for name in names]) if has_previous else None,
    )


def _order(keys: Sequence[Any], rises: bool) -> list[ColumnElement[Any]]:
    return [key.asc() if rises else key.desc() for key in keys]


def _encode(direction: str, values: Sequence[datetime | int]) -> str:
    plain = [v.isoformat() if isinstance(v, datetime) else v for v in values]
    packed = json.dumps([direction, *plain], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _decode(cursor: str, length: int) -> tuple[bool, list[datetime | int]]:
    try:
        if len(cursor) > CURSOR_LENGTH_MAX:
            raise BadCursor
        padded = cursor + "=" * (-len(cursor) % 4)
        direction, *plain = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        *moments, last = plain
        values = [_moment(text) for text in moments] + [_id(last)]
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursor from error
    if direction not in ("<", ">") or len(values) != length:
        raise BadCursor
    return direction == "<", values


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment


def _id(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("not an id")
    return value
