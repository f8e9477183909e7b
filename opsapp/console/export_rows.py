"""A list's rows as the cells of a file: the same columns and words as on the screen, masked."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from opsapp.console import cell_words, frame, words
from opsapp.exports import rules
from opsapp.exports.queries import ExportOrder
from opsapp.exports.writing_sheets import Cell, SheetColumn, Source
from opsapp.insights.listing import get_list
from opsapp.insights.listing_columns import Column
from opsapp.kernel import locale
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.masking import mask_account, mask_email, mask_name, mask_phone
from opsapp.kernel.money import EXPONENTS
from opsapp.staff import queries as staff

MASKS: Mapping[str, Callable[[str], str]] = {
    "name": mask_name,
    "phone": mask_phone,
    "email": mask_email,
    "account": mask_account,
    "card": str,  # first 6 and last 4 at most are kept at all
}
CURRENCY = Column("currency", "Currency", "code")


def open_source(order: ExportOrder) -> Source:
    """For a worker too: it speaks the language of who ordered it. Raises NotFound, Invalid."""
    locale.current_locale.set(order.locale)
    listed = get_list(order.list_name)
    columns = [column for column in listed.columns if column.key in order.columns]
    if not columns:
        raise Invalid(field="columns", reason="Choose at least one column.")
    if any(column.kind == "money" for column in columns):
        columns.append(CURRENCY)
    wish = listed.read_wish(order.query)

    def read(cursor: str | None) -> tuple[list[list[Cell]], str | None]:
        page = listed.list_rows(wish, cursor=cursor, size=rules.PAGE)
        return cells_of(page.rows, columns, is_revealed=order.is_revealed), page.next_cursor

    return Source(tuple(SheetColumn(c.key, _title(c, order.zone)) for c in columns), read)


def cells_of(
    rows: Sequence[Any], columns: Sequence[Column], *, is_revealed: bool
) -> list[list[Cell]]:
    actors = [column for column in columns if column.kind == "actor"]
    names = (
        staff.names_of_actors({str(c.read(row) or "") for row in rows for c in actors})
        if actors
        else {}
    )
    return [[_cell(row, column, names, is_revealed) for column in columns] for row in rows]


def _title(column: Column, zone: str) -> str:
    return f"{_(column.label)} ({zone})" if column.kind == "time" else _(column.label)


def _cell(row: Any, column: Column, names: Mapping[str, str], is_revealed: bool) -> Cell:
    value = column.read(row)
    if column is CURRENCY:
        return str(value or "KRW")
    if value is None:
        return None
    if column.is_personal:
        return str(value) if is_revealed else MASKS[column.kind](str(value))
    match column.kind:
        case "money":
            return _money(int(value), getattr(row, "currency", "KRW"))
        case "day":
            return seoul_date(value) if hasattr(value, "hour") else value
        case "status" | "word":
            return cell_words.tell(column.table, str(value))
        case "actor":
            return names.get(str(value)) or cell_words.tell_actor(str(value))
        case "reason":
            return frame.because(str(value))
        case "subject":
            kind = str(getattr(row, "subject_type", None) or getattr(row, "kind", ""))
            return f"{_(words.SUBJECT.get(kind, kind))} {value}".strip()
        case "number" | "time":
            found: Cell = value
            return found
    return str(value)


def _money(minor: int, currency: str) -> int | Decimal:
    """Whole won, or the amount with its cents."""
    exponent = EXPONENTS.get(currency, 0)
    return Decimal(minor).scaleb(-exponent) if exponent else minor
