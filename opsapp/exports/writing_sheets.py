"""Writing rows as CSV or XLSX: the memory it takes does not grow with their number."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import IO, Any, Protocol
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from opsapp.exports import rules

Cell = str | int | Decimal | datetime | date | None
SHEET_ROWS_MAX = 1_048_576
CELL_LENGTH_MAX = 32_767
DAY, MOMENT, WHOLE, BROKEN = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "#,##0", "#,##0.00"


@dataclass(frozen=True, slots=True)
class SheetColumn:
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Source:
    """A list as a file sees it. `read` takes a cursor and gives rows and the next cursor."""

    columns: tuple[SheetColumn, ...]
    read: Callable[[str | None], tuple[Sequence[Sequence[Cell]], str | None]]


class Sheet(Protocol):
    def write(self, rows: Sequence[Sequence[Cell]]) -> None: ...

    def close(self) -> None:
        """Nothing is complete before; the file itself stays open."""


def open_sheet(
    format_: str, file: IO[bytes], columns: Sequence[SheetColumn], *, zone: str
) -> Sheet:
    kind: Any = CsvSheet if format_ == "csv" else XlsxSheet
    sheet: Sheet = kind(file, [column.title for column in columns], ZoneInfo(zone))
    return sheet


class CsvSheet:
    """UTF-8 with the mark that makes Excel read it as such."""

    def __init__(self, file: IO[bytes], titles: Sequence[str], zone: ZoneInfo) -> None:
        self._text = TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=False)
        self._writer = csv.writer(self._text)
        self._zone = zone
        self._writer.writerow([rules.harmless(title) for title in titles])

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        self._writer.writerows([self._plain(cell) for cell in row] for row in rows)

    def close(self) -> None:
        self._text.flush()
        self._text.detach()

    def _plain(self, cell: Cell) -> Any:
        if isinstance(cell, str):
            return rules.harmless(cell)
        if isinstance(cell, datetime):
            return f"{cell.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
        return cell.isoformat() if isinstance(cell, date) else cell


class XlsxSheet:
    """Numbers and moments are real ones; a text is a text, whatever it begins with."""

    def __init__(self, file: IO[bytes], titles: Sequence[str], zone: ZoneInfo) -> None:
        self._book = xlsxwriter.Workbook(
            file,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
            },
        )
        self._titles, self._zone = titles, zone
        self._bold = self._book.add_format({"bold": True})
        self._formats = {
            name: self._book.add_format({"num_format": name})
            for name in (DAY, MOMENT, WHOLE, BROKEN)
        }
        self._sheet, self._row = self._turn_over(), 1

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        for row in rows:
            if self._row == SHEET_ROWS_MAX:
                self._sheet, self._row = self._turn_over(), 1
            for place, cell in enumerate(row):
                self._put(place, cell)
            self._row += 1

    def close(self) -> None:
        self._book.close()

    def _turn_over(self) -> Worksheet:
        sheet = self._book.add_worksheet()
        sheet.set_column(0, len(self._titles) - 1, 20)
        for place, title in enumerate(self._titles):
            sheet.write_string(0, place, title, self._bold)
        sheet.freeze_panes(1, 0)
        return sheet

    def _put(self, place: int, cell: Cell) -> None:
        sheet, row = self._sheet, self._row
        match cell:
            case None:
                return
            case str():
                sheet.write_string(row, place, cell[:CELL_LENGTH_MAX])
            case datetime():
                here = cell.astimezone(self._zone).replace(tzinfo=None, microsecond=0)
                sheet.write_datetime(row, place, here, self._formats[MOMENT])
            case date():
                sheet.write_datetime(row, place, cell, self._formats[DAY])
            case Decimal():
                sheet.write_number(row, place, float(cell), self._formats[BROKEN])
            case _:
                sheet.write_number(row, place, cell, self._formats[WHOLE])
