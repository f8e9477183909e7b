"""Refunding many payments: seen first, undone for a while, each exactly once."""

from datetime import timedelta

import pytest

from opsapp.approvals import deciding, queries as approvals
from opsapp.bulk import beginning, ordering, queries, running, stopping
from opsapp.bulk.errors import SumMoved
from opsapp.bulk.models import BulkJob
from opsapp.bulk.ordering import BulkWish
from opsapp.insights.probing import run_probes
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import charging, finding_refunds, refunding
from opsapp.payments.models import Refund
from opsapp.payments.refunding import RefundWish
from opsapp.staff.rules import Role
from tests.factories import payments as make
from tests.factories.money import set_money_policy
from tests.factories.staff import make_account
from tests.gateway_controls import GatewayControls

WORKER = Actor("worker", "test")


@pytest.fixture
def paid(app, sandbox_url):
    GatewayControls(sandbox_url).clear()
    ids = make.make_payments(4, amount=5_000)
    charging.execute_attempts(make.attempt_ids(ids), by=WORKER)
    return ids


@pytest.fixture
def agent(app):
    return Actor("staff", str(make_account(Role.CS)))


def order(ids, by, **changes):
    wish = BulkWish(new_ref("requested"), "refund", "행사 취소", "selected", len(ids),
                    is_by_hand=True, **changes)  # fmt: skip
    with transaction():
        amounts = finding_refunds.list_refundable(ids)
        return ordering.order(wish, ids, by=by, amounts=amounts)


def status(job_id):
    with transaction():
        return db.session.get_one(BulkJob, job_id, populate_existing=True).status


def counts(job_id):
    with transaction():
        return queries.count_rows(job_id)


def test_nothing_begins_before_its_time_and_taken_back_nothing_is_left(paid, agent):
    job_id = order(paid, agent, seen_sums={"KRW": 20_000})
    running.run_jobs([job_id], by=WORKER)
    assert (status(job_id), make.statuses(Refund)) == ("queued", [])
    with transaction():
        stopping.stop(job_id, by=agent)
    with transaction():
        clock.advance(timedelta(minutes=3))
    running.run_jobs([job_id], by=WORKER)
    assert (status(job_id), counts(job_id), make.statuses(Refund)) == (
        "cancelled", {"cancelled": 4}, [],
    )  # fmt: skip


def test_each_is_refunded_once_though_the_worker_dies_and_one_changed_meanwhile(
    paid, agent, monkeypatch
):
    job_id = order(paid, agent)
    with transaction():
        wish = RefundWish(new_ref("form"), Money(1_000, "KRW"), 5_000, "다른 화면에서")
        other = refunding.request_refund(paid[1], wish, by=WORKER)
    refunding.execute_refunds([other], by=WORKER)
    with transaction():
        beginning.begin_now(job_id, by=agent)
    done, calls = running._do_next, []

    def dying(*args, **options):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return done(*args, **options)

    monkeypatch.setattr(running, "_do_next", dying)
    with pytest.raises(KeyboardInterrupt):
        running.run_jobs([job_id], by=WORKER)
    monkeypatch.undo()
    with transaction():
        db.session.get_one(BulkJob, job_id).leased_until = None
    running.run_jobs([job_id], by=WORKER)
    with transaction():
        rows = {row.subject_id: row.because for row in queries.list_rows(job_id).rows}
        ids = [row.id for row in db.session.query(Refund).all()]
    refunding.execute_refunds(ids, by=WORKER)
    assert rows == {paid[0]: "", paid[1]: "refundable_changed", paid[2]: "", paid[3]: ""}
    assert [make.payment(each).refunded_minor for each in paid] == [5_000, 1_000, 5_000, 5_000]
    assert len(ids) == 4
    assert [row for row in run_probes() if row.violations] == []


def test_a_sum_above_the_limit_waits_for_a_second_person(paid, agent):
    set_money_policy(bulk_sum=19_999)
    with pytest.raises(SumMoved):
        order(paid, agent, seen_sums={"KRW": 15_000})
    job_id = order(paid, agent)
    finance = Actor("staff", str(make_account(Role.FINANCE)))
    running.run_jobs([job_id], by=WORKER)
    with transaction():
        waiting = approvals.find_open("bulk_job", job_id)
        assert (waiting.why, waiting.sums) == ("large_sum", {"KRW": 20_000})
        deciding.approve(waiting.id, by=finance)
    assert (status(job_id), counts(job_id)) == ("queued", {"waiting": 4})
    with transaction():
        clock.advance(timedelta(minutes=3))
    running.run_jobs([job_id], by=WORKER)
    assert counts(job_id) == {"done": 4}
    again = order(paid[:1], agent)
    assert status(again) == "queued"
    second = order([*paid[1:], paid[0]], agent)
    assert status(second) == "queued", "nothing is left to be given back: nobody is asked"
