"""Ways to charge wrongly or to deadlock that were open once; each test keeps its way closed."""

import asyncio
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, OperationalError

from opsapp.customers.models import PaymentMethod
from opsapp.gateways.registry import connected, gateway_named
from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel import clock, jobs
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.money import Money
from opsapp.payments import charging, recording
from opsapp.payments.models import Attempt, Payment
from opsapp.subscriptions import cancelling, queries, renewing
from opsapp.subscriptions.cancelling import cancel
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.pausing import pause
from opsapp.subscriptions.switching import switch_method
from tests.factories.payments import BY, make_method
from tests.factories.subscriptions import (
    go_to,
    make_subscription,
    pass_time,
    renew,
    subscription,
)
from tests.waiting import join

WORKER = Actor("worker", "test")
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}


@pytest.fixture(autouse=True)
def noon(app):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))


def work() -> None:
    with transaction():
        due = select(Attempt.id).where(
            Attempt.status.in_(["ready", "unknown"]), Attempt.due_at <= clock.now()
        )
        ids = list(db.session.scalars(due))
    charging.execute_attempts(ids, by=WORKER)


def column(model, name):
    with transaction():
        return list(db.session.scalars(select(getattr(model, name)).order_by(model.id)))


def captured(gateway):
    there = gateway.payments(*column(Attempt, "gateway_order_id"))
    return [each for each in there if each["status"] == "DONE"]


@pytest.mark.parametrize("stop", [cancel, pause])
def test_what_was_in_a_workers_hand_but_never_sent_is_not_charged_after_the_end(gateway, stop):
    subscription_id = make_subscription()
    renew()
    toss = gateway_named("toss")
    url, toss._url = toss._url, "http://127.0.0.1:9"
    with transaction():
        claims = charging._claim(list(db.session.scalars(select(Attempt.id))), by=WORKER)
    with transaction():
        stop(subscription_id, by=BY)

    async def call():
        async with connected():
            return await charging._call(claims[0])

    answer = asyncio.run(call())
    with transaction():
        recording.record_answers([(claims[0], answer)], by=WORKER)
    toss._url = url
    pass_time(timedelta(minutes=5))
    work()
    assert captured(gateway) == []


@pytest.mark.parametrize("stop", [cancel, pause])
def test_a_charge_the_gateway_never_got_is_not_sent_again_after_the_end(gateway, stop):
    subscription_id = make_subscription()
    renew()
    gateway.faults(lost_before=1.0)
    work()
    assert column(Attempt, "status") == ["unknown"]
    gateway.clear()
    with transaction():
        stop(subscription_id, by=BY)
    for _ in range(4):
        pass_time(timedelta(minutes=5))
        work()
    assert captured(gateway) == []


def test_charge_now_sent_twice_charges_one_period(gateway):
    subscription_id = make_subscription(starts_on=date(2026, 3, 20))
    for _ in range(2):
        with suppress(OpsError), transaction():
            renewing.charge_now(subscription_id, by=BY)
        work()
    assert column(Payment, "period_index") == [0]


def test_a_planned_retry_uses_the_method_that_took_the_place_of_the_failed_one(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    gateway.clear()
    new = make_method(subscription(subscription_id).customer_id)
    with transaction():
        switch_method(subscription_id, payment_method_id=new, by=BY)
    pass_time(timedelta(days=1, minutes=1))
    work()
    assert column(Payment, "status") == ["paid"]
    assert column(Attempt, "payment_method_id")[-1] == new


def test_one_unreadable_method_does_not_stop_the_billing_run(gateway):
    bad, good = make_subscription(), make_subscription(interval="day")
    broken = PaymentMethod.id == subscription(bad).payment_method_id
    with transaction():
        db.session.execute(
            update(PaymentMethod).where(broken).values(billing_key_sealed=b"k1:rubbish")
        )
    with suppress(Exception):  # what matters is who got charged
        renew()
    assert good in column(Payment, "subject_id")


def test_cancelling_and_charging_at_the_same_moment_do_not_deadlock(app, gateway, monkeypatch):
    subscription_id = make_subscription()
    gateway.faults(declines={"INVALID_STOPPED_CARD": 1.0})
    renew()
    work()
    gateway.clear()
    assert column(Payment, "status") == ["failed"]
    new = make_method(subscription(subscription_id).customer_id)
    meet = threading.Barrier(2, timeout=1)
    troubles = []
    lock_subscription = queries.lock_subscription

    def click(verb):
        with app.app_context():
            try:
                with transaction():
                    verb()
            except DBAPIError as trouble:
                troubles.append(type(trouble.orig).__name__)
            except OpsError:
                pass  # one of the two came too late
            finally:
                db.session.remove()

    def meeting(id_):
        """Cancelling holds the payment by now; the other one gets the subscription first."""
        is_first = threading.current_thread().name == "switches"
        found = lock_subscription(id_) if is_first else None
        with suppress(threading.BrokenBarrierError):
            meet.wait()
        return found or lock_subscription(id_)

    monkeypatch.setattr(queries, "lock_subscription", meeting)
    verbs = {
        "cancels": lambda: cancelling.cancel(subscription_id, by=BY),
        "switches": lambda: switch_method(subscription_id, payment_method_id=new, by=BY),
    }
    threads = [
        threading.Thread(daemon=True, target=click, args=[verb], name=name)
        for name, verb in verbs.items()
    ]
    for thread in threads:
        thread.start()
    join(*threads)
    assert troubles == []


def test_charge_now_does_not_order_a_second_account_beside_the_one_that_is_awaited(gateway):
    subscription_id = make_subscription(kind="virtual_account")
    renew()
    work()
    assert column(Payment, "status") == ["awaiting_deposit"]
    with suppress(OpsError), transaction():
        renewing.charge_now(subscription_id, by=BY)
    assert column(Payment, "period_index") == [0]


def test_two_batches_that_settle_the_same_subscriptions_crosswise_do_not_deadlock(app, monkeypatch):
    one, other = [make_subscription(interval="day", starts_on=date(2026, 3, 8)) for _ in range(2)]
    renew()
    pass_time(timedelta(days=1))
    renew()
    with transaction():
        db.session.execute(update(Subscription).values(failures_in_row=1))
        claims = charging._claim(list(db.session.scalars(select(Attempt.id))), by=WORKER)
    of = {(claim.fact.subject_id, claim.fact.period_index): claim for claim in claims}
    yes = Answer(Outcome.APPROVED, gateway_key="key", amount=Money(9900, "KRW"))
    no = Answer(Outcome.DECLINED, code="REJECT_CARD_PAYMENT", retry_mode="later",
                failure_class="authentication_failure")  # fmt: skip
    batches = [
        [(of[other, 0], yes), (of[one, 0], no)],
        [(of[one, 1], yes), (of[other, 1], no)],
    ]
    meet = threading.Barrier(2, timeout=1)
    troubles = []
    lock_subscriptions = queries.lock_subscriptions

    def meeting(ids):
        with suppress(threading.BrokenBarrierError):
            meet.wait()
        return lock_subscriptions(ids)

    def write_down(batch):
        with app.app_context():
            try:
                with transaction():
                    recording.record_answers(batch, by=WORKER)
            except DBAPIError as trouble:
                troubles.append(type(trouble.orig).__name__)
            finally:
                db.session.remove()

    monkeypatch.setattr(queries, "lock_subscriptions", meeting)
    threads = [threading.Thread(daemon=True, target=write_down, args=[batch]) for batch in batches]
    for thread in threads:
        thread.start()
    join(*threads)
    assert troubles == []


def test_a_database_that_leaves_after_the_commit_does_not_make_it_look_failed(app, monkeypatch):
    subscription_id = make_subscription(starts_on=date(2026, 3, 20))

    def gone():
        raise OperationalError("", {}, Exception("server closed the connection"))

    monkeypatch.setattr(jobs, "deliver", gone)
    with transaction():
        renewing.charge_now(subscription_id, by=BY)
    assert column(Payment, "status") == ["pending"]
