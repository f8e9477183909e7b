"""A billing run: what it counts, who may hold it, and what may follow at once."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from opsapp.customers.models import PaymentMethod
from opsapp.insights import listing_runs, queries as insights
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.notifications.models import Notice
from opsapp.payments import charging
from opsapp.payments.models import Attempt, Payment
from opsapp.subscriptions import catching_up, expiring, renewing, running
from opsapp.subscriptions.errors import NothingToCatchUp, RunMoveRefused
from opsapp.subscriptions.models import BillingPeriod, BillingRun
from opsapp.subscriptions.tallying import Part
from tests.factories.payments import BY
from tests.factories.subscriptions import (
    announce,
    go_to,
    make_subscription,
    pass_time,
    renew,
    subscription,
)

NOON = datetime(2026, 1, 31, 3, tzinfo=UTC)  # 12:00 in Seoul
WHY = "금액을 확인하는 중"


def run_of_today() -> BillingRun:
    with transaction():
        today = clock.seoul_date(clock.now())
        run = db.session.scalars(select(BillingRun).where(BillingRun.run_on == today)).one()
        db.session.expunge(run)
        return run


def charge_all() -> None:
    with transaction():
        ids = list(db.session.scalars(select(Attempt.id).where(Attempt.status == "ready")))
    charging.execute_attempts(ids, by=BY)


def close() -> int:
    with transaction():
        return running.close_runs()


def pause() -> int:
    with transaction():
        return running.pause_run(run_of_today_id(), because=WHY, by=BY)


def resume() -> int:
    with transaction():
        return running.resume_run(run_of_today_id(), because=WHY, by=BY)


def run_of_today_id() -> int:
    today = clock.seoul_date(clock.now())
    return db.session.scalars(select(BillingRun.id).where(BillingRun.run_on == today)).one()


def payments() -> list[str]:
    with transaction():
        return list(db.session.scalars(select(Payment.status).order_by(Payment.id)))


def charge() -> int:
    with transaction():
        return renewing.renew_due(limit=100)


def approve(*ids: int) -> int:
    with transaction():
        return catching_up.approve_catch_up(ids, because=WHY, by=BY)


def test_a_run_is_made_once_a_day_counts_all_it_makes_and_ends_with_its_report(app, gateway):
    go_to(NOON)
    for interval in ("month", "week", "day"):
        make_subscription(interval=interval)
    assert [renew(), renew(), close()] == [3, 0, 0]
    run = run_of_today()
    with transaction():
        picture = listing_runs.get_run(run.id, now=clock.now())
    assert (picture.total, picture.settled, picture.left) == (3, 0, 0)
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    with transaction():
        first = db.session.scalars(select(Attempt.id).order_by(Attempt.id)).first()
    charging.execute_attempts([first], by=BY)
    gateway.clear()
    assert close() == 0
    charge_all()
    assert close() == 1
    run = run_of_today()
    assert run.status == "done"
    assert run.report["paid"] == {"count": 2, "sum_minor": 19_800}
    with transaction():
        [row] = listing_runs.list_runs(date(2026, 1, 1), now=clock.now())
        picture = listing_runs.get_run(run.id, now=clock.now())
    assert (row.tally.made, row.tally.part("paid").count) == (Part(3, 29_700), 2)
    assert [failure.payments for failure in picture.failures] == [1]
    make_subscription()
    renew()
    assert run_of_today().status == "running"


def test_a_held_run_makes_nothing_and_sends_nothing_until_it_is_let_go_on(app, gateway):
    go_to(NOON)
    make_subscription()
    renew()
    make_subscription(interval="week")
    assert pause() == 1
    assert renew() == 0
    charge_all()
    assert payments() == ["pending"]
    pass_time(timedelta(days=1))  # the next day waits too
    assert renew() == 0
    with transaction():
        assert renewing.room_left() == 0
        assert "subscriptions_due" not in insights.list_left()
    pass_time(timedelta(days=-1))
    assert resume() == 1
    assert renew() == 1
    charge_all()
    assert payments() == ["paid", "paid"]


def test_a_slice_that_meets_a_run_that_was_just_held_writes_nothing(app):
    go_to(NOON)
    make_subscription()
    renew()
    make_subscription(interval="week")
    with transaction():
        run_id = run_of_today_id()
        running.pause_run(run_id, because=WHY, by=BY)
    with transaction():
        assert renewing.renew_due(limit=10) == 0
        assert len(db.session.scalars(select(BillingPeriod)).all()) == 1


def test_holding_needs_a_reason_and_a_run_that_goes_on(app):
    go_to(NOON)
    make_subscription()
    renew()
    with pytest.raises(Invalid), transaction():
        running.pause_run(run_of_today_id(), because="음", by=BY)
    with pytest.raises(RunMoveRefused), transaction():
        running.resume_run(run_of_today_id(), because=WHY, by=BY)


def test_no_more_is_made_than_may_wait_for_workers(app, monkeypatch):
    go_to(NOON)
    for interval in ("month", "week", "day"):
        make_subscription(interval=interval)
    narrow = renewing.current().model_copy(update={"unsent_max": 3})
    monkeypatch.setattr(renewing, "current", lambda: narrow)
    with transaction():
        assert renewing.room_left() == 3
    renew()
    with transaction():
        assert renewing.room_left() == 0


def test_what_staff_approve_follows_at_once_each_period_announced_before(app):
    go_to(NOON)
    behind, other = make_subscription(), make_subscription(interval="week")
    pass_time(timedelta(days=70))  # three months, eleven weeks
    renew()
    assert subscription(behind).is_behind
    with transaction():
        assert listing_runs.count_behind() == Part(2, 19_800)
    assert approve(behind) == 1
    announce()
    assert [charge(), charge(), charge()] == [1, 1, 0]
    assert subscription(behind).next_period_index == 3
    assert subscription(other).next_period_index == 1
    assert clock.seoul_date(subscription(behind).next_due_at) == date(2026, 4, 30)
    with pytest.raises(NothingToCatchUp):
        approve(behind)
    assert approve() == 1


def test_a_card_that_ends_is_told_of_at_each_step_and_once_after_its_end(app):
    go_to(NOON)
    method_id = subscription(make_subscription()).payment_method_id
    with transaction():
        db.session.get_one(PaymentMethod, method_id).expires_on = date(2026, 3, 31)
    told = []
    for day in (31, 0, 27, 0, 31):  # 59 days before, the same day, 28 and 1 before, after it
        with transaction():
            told.append(expiring.tell_of_expiring())
            assert expiring.tell_of_expiring() == 0
        pass_time(timedelta(days=day))
    with transaction():
        told.append(expiring.tell_of_expiring())
        rows = db.session.scalars(select(Notice).order_by(Notice.id)).all()
        kinds = [(row.kind, row.subject_type) for row in rows]
    assert kinds == [
        ("method_expiring", "method_expiry_60"),
        ("method_expiring", "method_expiry_30"),
        ("method_expiring", "method_expiry_7"),
        ("method_expired_update", "payment_method"),
    ]


def test_a_period_that_is_charged_ahead_by_hand_belongs_to_no_run(app):
    go_to(NOON)
    subscription_id = make_subscription(starts_on=date(2026, 2, 5))
    with transaction():
        renewing.charge_now(subscription_id, by=BY)
    with transaction():
        assert db.session.scalars(select(BillingPeriod.run_id)).all() == [None]
        assert db.session.scalars(select(BillingRun)).all() == []
