"""What an order costs the database: figures that no busy machine can move."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from opsapp.api import access
from opsapp.customers.models import PaymentMethod
from opsapp.kernel.db import db, transaction
from tests.factories.payments import make_customer, make_method

STATEMENTS_MAX = 16
LINE = {"kind": "one_off", "title": "사과 3 kg", "unit_price": 12_000}


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    counts = {"statements": 0, "commits": 0}

    def sent(_connection, _cursor, statement, *_rest) -> None:
        counts["statements"] += 1

    def committed(_connection) -> None:
        counts["commits"] += 1

    event.listen(db.engine, "before_cursor_execute", sent)
    event.listen(db.engine, "commit", committed)
    try:
        yield counts
    finally:
        event.remove(db.engine, "before_cursor_execute", sent)
        event.remove(db.engine, "commit", committed)


def test_an_order_costs_one_commit_and_as_many_statements_however_many_lines(program, monkeypatch):
    monkeypatch.setattr(access, "RECALLED_S", 600.0)
    customer_id = make_customer("C-1")
    method_id = make_method(customer_id)
    with transaction():
        method = db.session.get_one(PaymentMethod, method_id).ref

    def place(number: int, lines: int) -> dict[str, int]:
        body = {
            "id": f"N-{number}",
            "customer": "C-1",
            "title": "과일",
            "lines": [LINE] * lines,
            "payment_method": method,
        }
        with counted() as counts:
            assert program.post("/orders", body).status_code == 201
        return counts

    place(1, 1)  # what a process looks up once
    one, many = place(2, 1), place(3, 20)
    assert one == many
    assert one["commits"] == 1
    assert one["statements"] <= STATEMENTS_MAX
