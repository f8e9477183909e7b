"""What a billing run costs, in figures that a busy machine cannot move."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from opsapp.gateways.registry import gateway_named
from opsapp.kernel import turns
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.jobs import OutboxJob
from opsapp.notifications.models import Notice
from opsapp.payments import charging
from opsapp.payments.models import Payment
from opsapp.payments.waking import ATTEMPTS
from opsapp.settings import current
from opsapp.subscriptions import renewing
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from tests.factories import payments as make
from tests.factories.subscriptions import make_plan
from tests.gateway_controls import GatewayControls

BY = Actor("worker", "test")
CHARGES = 500
COMMITS_PER_THOUSAND_MAX = 25
STATEMENTS_PER_CHARGE_MAX = 0.15
MANY = 20_000


class Undo(Exception):
    """Ends a transaction whose writes nobody wants."""


@contextmanager
def counted() -> Iterator[tuple[list[Any], list[tuple[str, Any]]]]:
    """The commits and the statements of the block."""
    commits: list[Any] = []
    count = commits.append  # listened to and taken away as one object
    statements: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(db.engine, "commit", count)
    event.listen(db.engine, "before_cursor_execute", keep)
    yield commits, statements
    event.remove(db.engine, "commit", count)
    event.remove(db.engine, "before_cursor_execute", keep)


def make_due(count: int) -> None:
    """Subscriptions of one customer, due today by the agreement itself."""
    customer_id = make.make_customer()
    method_id = make.make_method(customer_id)
    wish = NewSubscription(customer_id, make_plan(), method_id)
    with transaction():
        subscribe([wish] * count, by=make.BY)


def renew(limit: int) -> int:
    """Returns how many statements it took."""
    with counted() as (_, statements), transaction():
        assert renewing.renew_due(limit=limit) == limit
    return len(statements)


def nodes(plan: dict[str, Any]) -> Iterator[str]:
    about = plan.get("Index Name") or plan.get("Relation Name", "")
    yield f"{plan['Node Type']} {about}".strip()
    for part in plan.get("Plans", []):
        yield from nodes(part)


def test_a_slice_of_a_run_takes_as_many_statements_however_large_it_is(app: Flask) -> None:
    make_due(260)
    renew(10)
    assert renew(50) == renew(200)


def test_a_chunk_of_renewals_commits_and_asks_the_database_rarely(
    app: Flask, gateway: GatewayControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine answers that were sent together come apart.
    monkeypatch.setattr(turns, "LINGER_S", 0.2)
    make_due(CHARGES)
    renew(CHARGES)
    with transaction():
        woken = turns.wake(ATTEMPTS, rows_max=10 * CHARGES, lane="toss")
    with transaction():
        jobs = list(
            db.session.scalars(
                select(OutboxJob.arguments).where(OutboxJob.name == ATTEMPTS.job.name)
            )
        )
    ids = [id_ for arguments in jobs for id_ in arguments["attempt_ids"]]
    assert (woken, len(jobs)) == (CHARGES, CHARGES // current().chunk_size)
    gateway.faults(latency_ms={"fixed": 100})
    gateway_named("toss").abreast_max = CHARGES // 2
    gateway_named("toss").timeout_s = 60.0  # whatever else the machine is busy with
    with counted() as (commits, statements):
        charging.execute_attempts(ids, by=BY)
    assert make.statuses(Payment) == ["paid"] * CHARGES
    assert len(commits) * 1000 / CHARGES <= COMMITS_PER_THOUSAND_MAX
    assert len(statements) / CHARGES <= STATEMENTS_PER_CHARGE_MAX
    with transaction():
        receipts = select(func.count()).where(Notice.kind == "payment_receipt")
        assert db.session.scalars(receipts).one() == CHARGES


def test_the_due_are_found_by_their_index_among_many_that_are_not(app: Flask) -> None:
    make_due(2)
    with transaction():
        names = text(
            "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
            " WHERE table_name = 'subscriptions'"
            " AND column_name NOT IN ('id', 'ref', 'import_ref', 'next_due_at')"
        )
        columns = db.session.scalars(names).one()
        copies = (
            f"INSERT INTO subscriptions (ref, next_due_at, {columns}) "  # noqa: S608
            f"SELECT 'copy_' || n, ops_now() + n * interval '1 hour' - interval '200 hours',"
            f" {columns} FROM generate_series(1, {MANY}) n,"
            " (SELECT * FROM subscriptions LIMIT 1) s"
        )
        db.session.execute(text(copies))
        db.session.execute(text("ANALYZE subscriptions"))
    with counted() as (_, statements), suppress(Undo), transaction():
        renewing.renew_due(limit=100)
        raise Undo
    [(statement, parameters)] = [each for each in statements if "OF subscriptions" in each[0]]
    with transaction():
        cursor: Any = db.session.connection().connection.cursor()
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        plan = list(nodes(cursor.fetchone()[0][0]["Plan"]))
    assert "Index Scan subscriptions_due" in plan
    assert not [node for node in plan if node.startswith(("Seq Scan subscriptions", "Sort"))]
