"""A month passes at once: what is due is announced, carried, charged, and then nothing is left."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from opsapp.insights import probing_notices, queries
from opsapp.kernel.db import db, transaction
from opsapp.notifications.models import Notice
from opsapp.payments.models import Payment
from opsapp.subscriptions import running
from opsapp.subscriptions.models import BillingRun
from tests.factories.subscriptions import go_to, make_subscription, pass_time
from workers import relay, scheduler

ROUNDS_MAX = 6


def left():
    with transaction():
        found = queries.list_left()
    return {name for name in found if name not in ("audit_unsealed", "outbox_undelivered")}


def let_all_be_done(work):
    """What the processes of an installation do, one after the other, until nothing is left."""
    for _ in range(ROUNDS_MAX):
        for sweep in (scheduler.renew_due, scheduler.announce_due, relay.tick):
            sweep()
        for queue in ("notices", "charges_bulk.toss"):
            work(queue)
        if not left():
            return
    raise AssertionError(left())


def test_after_a_jump_of_a_month_everything_is_announced_and_then_charged(app, work):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))
    make_subscription()
    let_all_be_done(work)
    pass_time(timedelta(days=31))
    assert left()
    let_all_be_done(work)
    with transaction():
        assert running.close_runs() == 2
        assert db.session.scalars(select(Payment.status)).all() == ["paid", "paid"]
        kinds = list(db.session.scalars(select(Notice.kind).order_by(Notice.id)))
        assert kinds.count("upcoming_charge") == 1
        [statement] = probing_notices.unannounced_charges()
        assert db.session.scalars(statement).all() == []
        assert db.session.scalars(select(BillingRun.status)).all() == ["done", "done"]
