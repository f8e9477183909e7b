"""Totals of filtered rows, as long as somebody who waits for a page can wait for them."""

from typing import Any

from sqlalchemy import Select, func, select

from opsapp.insights.rules import Totals
from opsapp.kernel.db import db

SUMMED_ROWS_MAX = 15_000  # a day of a shop with five million payments a year


def add_up(rows: Select[*tuple[Any, ...]]) -> Totals | None:
    """Of rows of two columns in won, captured and refunded; None for more than SUMMED_ROWS_MAX.

    No more rows than that are ever read, however long the period and however large the shop.
    """
    some = rows.limit(SUMMED_ROWS_MAX + 1).subquery()
    captured, refunded = some.c
    sums = [func.coalesce(func.sum(column), 0) for column in (captured, refunded)]
    count, *minor = db.session.execute(select(func.count(), *sums).select_from(some)).one()
    if count > SUMMED_ROWS_MAX:
        return None
    return Totals(count=count, captured_minor=int(minor[0]), refunded_minor=int(minor[1]))
