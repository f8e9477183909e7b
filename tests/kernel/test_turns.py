"""The walk of turns with steps of our own: what is claimed, called and recorded, and how often."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from opsapp.kernel.db import TransactionMisuse, require_transaction, transaction
from opsapp.kernel.turns import Steps, ask, take_turns, wake
from opsapp.notifications.waking import NOTICES
from opsapp.payments.waking import ATTEMPTS
from tests.factories import payments as make


@asynccontextmanager
async def connected():
    yield


def steps(*, call, claim=list, record=None, recorded=None):
    def note(results):
        require_transaction()
        recorded.extend(results)

    return Steps(claim=claim, call=call, record=record or note, connected=connected)


def test_every_id_gets_one_turn_and_never_more_than_allowed_abreast(app):
    abreast, peak, recorded = 0, 0, []

    async def call(claimed):
        nonlocal abreast, peak
        abreast += 1
        peak = max(peak, abreast)
        await asyncio.sleep(0.001)
        abreast -= 1
        return claimed * 2

    take_turns(range(100), steps(call=call, recorded=recorded), abreast=7, budget_s=10)
    assert sorted(recorded) == [(n, n * 2) for n in range(100)]
    assert peak == 7


def test_a_call_that_raises_is_not_recorded_and_stops_nothing(app):
    recorded = []

    async def call(claimed):
        if claimed == 3:
            raise RuntimeError("broken")
        return claimed

    take_turns(range(6), steps(call=call, recorded=recorded), abreast=2, budget_s=10)
    assert sorted(n for n, _ in recorded) == [0, 1, 2, 4, 5]


def test_nothing_is_claimed_after_the_budget(app):
    recorded = []

    async def call(claimed):
        return claimed

    take_turns(range(6), steps(call=call, recorded=recorded), abreast=2, budget_s=0)
    assert recorded == []


def test_a_poisonous_answer_does_not_spoil_its_neighbours(app):
    recorded = []

    async def call(claimed):
        return claimed

    def record(results):
        if any(claimed == 2 for claimed, _ in results):
            raise ValueError("poisonous")
        recorded.extend(results)

    take_turns(range(5), steps(call=call, record=record), abreast=5, budget_s=10)
    assert sorted(n for n, _ in recorded) == [0, 1, 3, 4]


def test_no_walk_starts_inside_a_transaction(app):
    async def call(claimed):
        return claimed

    with pytest.raises(TransactionMisuse), transaction():
        take_turns([1], steps(call=call, recorded=[]), abreast=1, budget_s=1)


def test_a_question_is_answered_outside_any_transaction(app):
    async def question():
        return 42

    assert ask(question, connected=connected) == 42
    with pytest.raises(TransactionMisuse), transaction():
        ask(question, connected=connected)


def test_rows_are_woken_lane_by_lane_into_queues_of_their_own(app, owner):
    ids = make.attempt_ids(make.make_payments(3))
    owner.execute("UPDATE attempts SET gateway_name = 'other' WHERE id = %s", [ids[-1]])
    with transaction():
        assert wake(ATTEMPTS, rows_max=100, lane="other") == 1
        assert wake(ATTEMPTS, rows_max=1, lane="toss") == 1
    ordered = owner.execute("SELECT queue, arguments FROM outbox_jobs ORDER BY id").fetchall()
    assert ordered == [
        ("charges_bulk.other", {"attempt_ids": ids[-1:]}),
        ("charges_bulk.toss", {"attempt_ids": ids[:1]}),
    ]


def test_a_lane_is_named_exactly_where_there_are_lanes(app):
    for work, lane in ((ATTEMPTS, ""), (NOTICES, "toss")):
        with pytest.raises(ValueError, match="lane"), transaction():
            wake(work, rows_max=1, lane=lane)
