"""One act on many: asked again on the server, done once each, with a result for every row."""

import pytest

from opsapp.bulk import ordering, queries, running, stopping
from opsapp.bulk.errors import FilterMoved, NothingFits, TooMany
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.bulk.ordering import BulkWish
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.subscriptions import cancelling, pausing
from tests.factories.subscriptions import make_subscription, subscription

BY = Actor("staff", "1")
WORKER = Actor("worker", "test")


def wish(total, *, act="pause", request_id="r" * 20):
    return BulkWish(request_id, act, "행사 종료", "all, active, not searched", total)


def order(ids, **options):
    with transaction():
        return ordering.order(wish(len(ids), **options), ids, by=BY)


def results(job_id):
    with transaction():
        return queries.count_rows(job_id)


def test_each_row_gets_a_result_of_its_own_and_one_that_cannot_be_done_stops_no_other(app):
    ids = [make_subscription() for _ in range(3)]
    with transaction():
        cancelling.cancel(ids[1], by=BY)
    job_id = order(ids)
    running.run_jobs([job_id], by=WORKER)
    assert results(job_id) == {"done": 2, "refused": 1}
    assert [subscription(id_).status for id_ in ids] == ["paused", "cancelled", "paused"]
    with transaction():
        page = queries.list_rows(job_id)
        assert {row.because for row in page.rows} == {"", "subscription_move_refused"}
        assert db.session.get(BulkJob, job_id).status == "done"


def test_a_form_sent_twice_is_one_job_and_a_job_run_twice_acts_once(app):
    ids = [make_subscription()]
    job_id = order(ids)
    assert order(ids) == job_id
    running.run_jobs([job_id], by=WORKER)
    with transaction():
        pausing.resume(ids[0], by=BY)
    running.run_jobs([job_id], by=WORKER)
    assert subscription(ids[0]).status == "active"


def test_a_worker_that_dies_in_the_middle_leaves_rows_that_the_next_one_does(app, monkeypatch):
    ids = [make_subscription() for _ in range(4)]
    job_id = order(ids)
    done = running._do_next
    calls = []

    def dying(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return done(*args, **options)

    monkeypatch.setattr(running, "_do_next", dying)
    with pytest.raises(KeyboardInterrupt):
        running.run_jobs([job_id], by=WORKER)
    monkeypatch.setattr(running, "_do_next", done)
    assert results(job_id) == {"done": 2, "waiting": 2}
    running.run_jobs([job_id], by=WORKER)  # the dead worker's lease still runs
    assert results(job_id) == {"done": 2, "waiting": 2}
    with transaction():
        db.session.get(BulkJob, job_id).leased_until = None
    running.run_jobs([job_id], by=WORKER)
    assert results(job_id) == {"done": 4}
    paused = {subscription(id_).status for id_ in ids}
    assert paused == {"paused"}


def test_stopping_leaves_the_rest_as_it_is(app):
    ids = [make_subscription() for _ in range(2)]
    job_id = order(ids)
    with transaction():
        assert stopping.stop(job_id, by=BY) == 2
    running.run_jobs([job_id], by=WORKER)
    assert results(job_id) == {"cancelled": 2}
    assert {subscription(id_).status for id_ in ids} == {"active"}


def test_a_number_that_the_filter_does_not_find_any_more_is_refused(app):
    with pytest.raises(FilterMoved), transaction():
        ordering.order(wish(2), [1], by=BY)
    with pytest.raises(NothingFits), transaction():
        ordering.order(wish(0), [], by=BY)
    with pytest.raises(TooMany), transaction():
        ordering.order(wish(10_001), list(range(10_001)), by=BY)
    with transaction():
        assert db.session.query(BulkRow).count() == 0
