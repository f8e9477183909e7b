"""kill -9 in the middle of many refunds: each is ordered once, and goes back once."""

import subprocess
import sys

from opsapp.bulk import beginning, ordering, running
from opsapp.bulk.jobs import RUN_BULK
from opsapp.bulk.ordering import BulkWish
from opsapp.insights.probing import run_probes
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.ids import new_ref
from opsapp.payments import charging, finding_refunds, refunding
from opsapp.payments.comparing import compare_with_gateway
from opsapp.staff.rules import Role
from tests.factories import payments as make
from tests.factories.staff import make_account
from tests.gateway_controls import GatewayControls
from tests.waiting import until

WORKER = Actor("worker", "test")
MANY = 60
SOME = 5


def ordered(agent):
    """A job of many refunds that a worker is told to begin."""
    ids = make.make_payments(MANY, amount=5_000)
    charging.execute_attempts(make.attempt_ids(ids), by=WORKER)
    wish = BulkWish(new_ref("requested"), "refund", "행사 취소", "selected", MANY, is_by_hand=True)
    with transaction():
        amounts = finding_refunds.list_refundable(ids)
        job_id = ordering.order(wish, ids, by=agent, amounts=amounts)
    with transaction():
        beginning.begin_now(job_id, by=agent)
    with transaction():
        RUN_BULK.enqueue(bulk_ids=[job_id])
    return job_id


def test_a_killed_worker_leaves_no_refund_out_and_none_twice(app, sandbox_url, owner, environment):
    GatewayControls(sandbox_url).clear()
    job_id = ordered(Actor("staff", str(make_account(Role.ADMIN))))
    command = [sys.executable, "-m", "workers", "bulk"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as child:
        try:
            until(lambda: done(owner) >= SOME)
        finally:
            child.kill()
    assert SOME <= done(owner) < MANY, "it was in the middle"
    assert len(refunds(owner)) == done(owner), "a refund and its row's result are one"
    owner.execute("UPDATE bulk_jobs SET leased_until = NULL")
    running.run_jobs([job_id], by=WORKER)
    refunding.execute_refunds(refunds(owner), by=WORKER)
    given_back = owner.execute("SELECT DISTINCT refunded_minor FROM payments").fetchall()
    assert (done(owner), len(refunds(owner)), given_back) == (MANY, MANY, [(5_000,)])
    assert compare_with_gateway().refunds == []
    assert [row.id for row in run_probes() if row.violations] == []


def done(owner):
    return owner.execute("SELECT count(*) FROM bulk_rows WHERE status = 'done'").fetchone()[0]


def refunds(owner):
    return [row[0] for row in owner.execute("SELECT id FROM refunds ORDER BY id")]
