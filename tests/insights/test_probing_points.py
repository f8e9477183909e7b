from contextlib import suppress
from datetime import timedelta

import pytest
from flask import Flask
from psycopg import Connection
from sqlalchemy import select, text, union_all

from opsapp.insights import probing_points
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.points import adjusting, earning, reserving
from opsapp.points.adjusting import AdjustmentWish
from tests.factories.payments import make_customer
from tests.insights.conftest import find

BY = Actor("cli", "test")


@pytest.fixture
def points(app: Flask) -> int:
    """A customer with points, some of them set aside and some spent, and an adjustment."""
    customer_id = make_customer()
    with transaction():
        today = clock.seoul_date(clock.now())
        earning.earn(
            customer_id,
            1000,
            request_id="welcome-1",
            because="가입",
            expires_on=today + timedelta(days=9),
            by=BY,
        )
        ids = [
            reserving.reserve(customer_id, 100, subject_type="order_leg", subject_id=n, by=BY)
            for n in (1, 2)
        ]
        reserving.post_reservations(ids[:1], by=BY)
        wish = AdjustmentWish("form-0001", customer_id, -50, "잘못 적립됨")
        adjusting.approve(adjusting.request(wish, by=Actor("staff", "1")), by=BY)
    return customer_id


DAMAGE = (
    ("UPDATE point_accounts SET available = 751", "751 and 100 reserved; the entries say 750"),
    ("UPDATE point_accounts SET reserved = 99", "99 reserved"),
    ("UPDATE point_lots SET remaining = 1", "the lots 1,"),
    ("UPDATE point_reservation_lots SET points = 7", "its lots say 7 and 0"),
    (
        "UPDATE point_reservations SET status = 'voided' WHERE status = 'reserved'",
        "the reservations 0",
    ),
    ("UPDATE point_adjustments SET points = -51", "-51 points, moved -50"),
    ("UPDATE point_adjustments SET status = 'refused'", "(refused): -50 points, moved -50"),
)


class _Undone(Exception):
    pass


def said_after(damage: str) -> str:
    """What I6 says while the damage stands; it is taken back afterwards."""
    examples: list[str] = []
    with suppress(_Undone), transaction():
        db.session.execute(text(damage))
        found = union_all(*probing_points.points()).subquery()
        examples.extend(db.session.scalars(select(found)))
        raise _Undone
    return " | ".join(examples)


def test_i6_points_that_do_not_add_up_are_found(points: int) -> None:
    assert (find("I5").violations, find("I6").violations) == (0, 0)
    unseen = [damage for damage, said in DAMAGE if said not in said_after(damage)]
    assert unseen == []


def test_i5_and_i6_find_points_that_never_reached_the_books(points: int, owner: Connection) -> None:
    owner.execute("ALTER TABLE ledger_transfers DISABLE TRIGGER USER")
    owner.execute("DELETE FROM ledger_transfers WHERE kind = 'points_posted'")
    owner.execute("ALTER TABLE ledger_transfers ENABLE TRIGGER USER")
    db.session.rollback()
    assert "(posted): 100 points, booked 0" in find("I6").examples[0]
    assert any("account sales" in example for example in find("I5").examples)
