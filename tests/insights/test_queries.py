from datetime import timedelta

import psycopg
from flask import Flask

from opsapp.insights import queries
from opsapp.kernel.db import transaction
from opsapp.payments import charging
from opsapp.reactions import WORK
from tests import waiting
from tests.audit.conftest import seal_all, write_entries
from tests.factories.payments import BY, attempt_ids, make_payments
from tests.factories.subscriptions import make_subscription, pass_time, renew


def left() -> dict[str, int]:
    with transaction():
        return queries.list_left()


def test_every_claimable_table_is_asked() -> None:
    assert {(row, open_) for row, open_ in queries.CLAIMABLE} == {(w.model, w.open) for w in WORK}


def test_nothing_is_left_in_an_empty_installation(app: Flask) -> None:
    assert left() == {}


def test_a_payment_is_left_until_it_is_charged_and_its_log_is_sealed(app: Flask) -> None:
    payments = make_payments(2)
    assert left()["attempts_due"] == 2
    charging.execute_attempts(attempt_ids(payments), by=BY)
    assert "attempts_due" not in left()
    seal_all()
    assert left() == {}


def test_a_due_subscription_is_left_until_it_is_renewed_and_then_on_its_next_day(
    app: Flask,
) -> None:
    make_subscription(interval="day")
    assert left()["subscriptions_due"] == 1
    renew()
    assert "subscriptions_due" not in left()
    pass_time(timedelta(days=1))
    assert left()["subscriptions_due"] == 1


def test_what_is_held_by_a_worker_is_left_even_if_planned_for_later(
    app: Flask, owner: psycopg.Connection
) -> None:
    make_payments(1)
    owner.execute("UPDATE attempts SET due_at = ops_now() + interval '1 day'")
    assert "attempts_due" not in left()
    owner.execute("UPDATE attempts SET leased_until = clock_timestamp() + interval '1 min'")
    assert left()["attempts_due"] == 1


def test_an_undelivered_job_is_left(app: Flask, owner: psycopg.Connection) -> None:
    owner.execute(
        "INSERT INTO outbox_jobs (name, queue, timeout_s, arguments) VALUES ('a.b', 'q', 1, '{}')"
    )
    assert left() == {"outbox_undelivered": 1}


def test_an_entry_without_a_seal_is_left(app: Flask) -> None:
    write_entries(2)
    # A transaction that is open anywhere in the cluster delays it.
    waiting.until(lambda: left() == {"audit_unsealed": 2})
