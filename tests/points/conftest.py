from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, union_all

from opsapp.insights import probing_books, probing_points
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.points import earning, queries, reserving
from opsapp.points.models import PointEntry
from tests.factories.payments import make_customer

BY = Actor("cli", "test")
ALICE, BOB = Actor("staff", "1"), Actor("staff", "2")


class Purse:
    """A customer's points, moved by the real verbs, each in a transaction of its own."""

    def __init__(self, points: int = 0) -> None:
        self.customer_id = make_customer()
        self.requests = 0
        if points:
            self.earn(points)

    def earn(self, points: int, *, days: int | None = None, request: str = "") -> int:
        self.requests += 1
        with transaction():
            today = clock.seoul_date(clock.now())
            return earning.earn(
                self.customer_id,
                points,
                request_id=request or f"purse-{self.customer_id}-{self.requests}",
                because="가입 축하",
                expires_on=None if days is None else today + timedelta(days=days),
                by=BY,
            )

    def reserve(self, points: int, subject: int = 1) -> int:
        with transaction():
            return reserving.reserve(
                self.customer_id, points, subject_type="order_leg", subject_id=subject, by=BY
            )

    def post(self, *reservations: int) -> set[int]:
        with transaction():
            return reserving.post_reservations(reservations, by=BY)

    def void(self, *reservations: int) -> set[int]:
        with transaction():
            return reserving.void_reservations(reservations, because="결제 실패", by=BY)

    @property
    def balance(self) -> queries.Balance:
        with transaction():
            return queries.find_balance(self.customer_id)

    @property
    def entries(self) -> list[tuple[str, int, int]]:
        """Kind, change and what is set aside by it, the oldest first."""
        with transaction():
            rows = queries.list_entries(self.customer_id, limit=1000)
            return [(row.kind, row.change, row.reserved_change) for row in reversed(rows)]


@pytest.fixture
def purse(app: Flask) -> Callable[[int], Purse]:
    return Purse


def pass_days(days: int) -> None:
    with transaction():
        clock.advance(timedelta(days=days))


def violations() -> list[str]:
    """What I5 and I6 say."""
    statements = [*probing_points.points(), *probing_books.books()]
    with transaction():
        return list(db.session.scalars(select(union_all(*statements).subquery())))


def count_entries() -> int:
    with transaction():
        return len(db.session.scalars(select(PointEntry.id)).all())
