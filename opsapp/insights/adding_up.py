"""Totals of filtered rows, as long as somebody who waits for a page can wait for them."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, literal_column, select
from sqlalchemy.dialects.postgresql import array

from opsapp.insights.rules import Totals
from opsapp.kernel.db import db

SUMMED_ROWS_MAX = 15_000  # a day of a shop with five million payments a year


def add_up(rows: Select[*tuple[Any, ...]], *, in_won: ColumnElement[bool]) -> Totals | None:
    """Of those rows of two columns that are in won, captured and refunded.

    None for more than SUMMED_ROWS_MAX rows. They are counted in their index first: of too many,
    none is read.
    """
    some = rows.with_only_columns(literal_column("1")).limit(SUMMED_ROWS_MAX + 1).subquery()
    count = select(func.count()).select_from(some).scalar_subquery()
    few = rows.where(in_won).limit(SUMMED_ROWS_MAX).subquery()
    sums = [func.coalesce(func.sum(column), 0).cast(BigInteger) for column in few.c]
    told = select(array([func.count(), *sums])).select_from(few).scalar_subquery()
    # PostgreSQL looks for the second only where the first allows it.
    found = db.session.scalars(select(case((count <= SUMMED_ROWS_MAX, told)))).one()
    return Totals(*found) if found else None
