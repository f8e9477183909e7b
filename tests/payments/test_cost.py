"""What a chunk of charges costs, in figures that a busy machine cannot move."""

from sqlalchemy import event

from opsapp.gateways.registry import gateway_named
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db
from opsapp.payments import charging
from opsapp.payments.models import Payment
from tests.factories import payments as make

CHARGES = 500
COMMITS_PER_THOUSAND_MAX = 25
STATEMENTS_PER_CHARGE_MAX = 0.15


def test_a_chunk_commits_and_asks_the_database_rarely(app, gateway):
    ids = make.attempt_ids(make.make_payments(CHARGES))
    gateway.faults(latency_ms={"fixed": 100})
    gateway_named("toss").abreast_max = CHARGES // 2
    commits, statements = [], []
    event.listen(db.engine, "commit", commits.append)
    event.listen(db.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    charging.execute_attempts(ids, by=Actor("worker", "test"))
    assert set(make.statuses(Payment)) == {"paid"}
    assert len(commits) * 1000 / CHARGES <= COMMITS_PER_THOUSAND_MAX
    assert len(statements) / CHARGES <= STATEMENTS_PER_CHARGE_MAX
