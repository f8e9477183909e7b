""" "I cancelled, why was I charged?": at every point of a charge, never, or it is refunded.

Whatever happens, the gateway holds nothing in the end that the customer did not pay before the
cancel was confirmed, and whoever was charged all the same is told of the refund, once.
"""

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from opsapp.gateways.registry import connected
from opsapp.gateways.values import Answer, Outcome
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.money import Money
from opsapp.notifications.models import Notice
from opsapp.payments import charging, depositing, recording, refunding
from opsapp.payments.models import Attempt, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import OPEN, REFUND_OPEN
from opsapp.subscriptions import cancelling, pausing, queries, renewing, stopping
from opsapp.subscriptions.stopping import Going, Stopped
from tests.factories import accounts
from tests.factories.payments import BY, make_everything_due
from tests.factories.subscriptions import go_to, make_subscription, pass_time, renew, subscription
from tests.waiting import join

WORKER = Actor("worker", "test")
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}
TOLD = "charged_after_cancel_refunded"


@pytest.fixture(autouse=True)
def noon(app):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))


def claim(subscription_id):
    with transaction():
        theirs = select(Payment.id).where(Payment.subject_id == subscription_id)
        due = select(Attempt.id).where(
            Attempt.status.in_(["ready", "unknown"]), Attempt.payment_id.in_(theirs)
        )
        return charging._claim(list(db.session.scalars(due)), by=WORKER)


def call(claims):
    async def calls():
        async with connected():
            return [(each, await charging._call(each)) for each in claims]

    return asyncio.run(calls())


def record(results):
    with transaction():
        recording.record_answers(results, by=WORKER)


def work():
    """What workers would do by and by."""
    for _ in range(3):
        make_everything_due()
        with transaction():
            attempts = list(db.session.scalars(select(Attempt.id).where(Attempt.status.in_(OPEN))))
            wanted = select(Refund.id).where(Refund.status.in_(REFUND_OPEN))
            refunds = list(db.session.scalars(wanted))
        charging.execute_attempts(attempts, by=WORKER)
        refunding.execute_refunds(refunds, by=WORKER)


def cancel(subscription_id) -> Stopped:
    with transaction():
        return cancelling.cancel(subscription_id, by=BY)


def column(model, name):
    with transaction():
        return list(db.session.scalars(select(getattr(model, name)).order_by(model.id)))


def told():
    with transaction():
        wanted = select(Notice.subject_id).where(Notice.kind == TOLD)
        return list(db.session.scalars(wanted.order_by(Notice.id)))


def kept_at(gateway):
    """What the gateway has taken and not given back."""
    there = gateway.payments(*column(Attempt, "gateway_order_id"))
    return sum(p["balanceAmount"] for p in there if p["status"] in ("DONE", "PARTIAL_CANCELED"))


@dataclass
class Charge:
    """A charge of the sandbox, stopped at a point of its way."""

    gateway: object
    subscription_id: int
    rest: object = None

    def claim(self):
        return claim(self.subscription_id)

    def planned(self):
        pass

    def claimed_then_crashed(self):
        self.claim()

    def claimed_and_sent_after(self):
        claims = self.claim()
        self.rest = lambda: record(call(claims))

    def sent_and_recorded_after(self):
        results = call(self.claim())
        self.rest = lambda: record(results)

    def sent_then_crashed(self):
        call(self.claim())

    def answer_lost(self):
        self.gateway.faults(lost_after=1.0)
        record(call(self.claim()))
        self.gateway.clear()

    def request_lost(self):
        self.gateway.faults(lost_before=1.0)
        record(call(self.claim()))
        self.gateway.clear()

    def paid(self):
        record(call(self.claim()))

    def declined(self):
        self.gateway.faults(**NO_FUNDS)
        record(call(self.claim()))
        self.gateway.clear()

    def retry_is_due(self):
        self.declined()
        pass_time(timedelta(days=1, minutes=1))

    def retry_in_hand(self):
        self.retry_is_due()
        self.claimed_and_sent_after()

    def retry_answer_lost(self):
        self.retry_is_due()
        self.answer_lost()


# Where its payment ends, and whether something is at the gateway when the cancel is confirmed.
POINTS = {
    "planned": ("cancelled", 0),
    # Nobody can know that the gateway never heard of these: they are asked about, and never sent.
    "claimed_then_crashed": ("pending", 1),
    "request_lost": ("pending", 1),
    "claimed_and_sent_after": ("refunded", 1),
    "sent_and_recorded_after": ("refunded", 1),
    "sent_then_crashed": ("refunded", 1),
    "answer_lost": ("refunded", 1),
    "declined": ("cancelled", 0),
    "retry_is_due": ("cancelled", 0),
    "retry_in_hand": ("refunded", 1),
    "retry_answer_lost": ("refunded", 1),
    "paid": ("paid", 0),
}


def test_a_cancel_at_any_point_of_a_charge_leaves_nothing_new_at_the_gateway(gateway):
    cancelled = {}
    for point, (_, in_flight) in POINTS.items():
        subscription_id = make_subscription()
        renew()
        charge = Charge(gateway, subscription_id)
        getattr(charge, point)()
        stopped = cancel(subscription_id)
        with transaction():
            assert (stopped.left, stopping.look(subscription_id).left) == (0, 0), point
        assert stopped.in_flight == in_flight, point
        cancelled[point] = subscription_id
        if charge.rest:
            charge.rest()
    work()
    with transaction():
        rows = db.session.execute(select(Payment.subject_id, Payment.id, Payment.status)).all()
    of = {row.subject_id: row for row in rows}
    assert {point: of[id_].status for point, id_ in cancelled.items()} == {
        point: status for point, (status, _) in POINTS.items()
    }
    refunded = [row.id for row in rows if row.status == "refunded"]
    assert sorted(told()) == sorted(refunded)
    assert column(Refund, "amount_minor") == [9900] * len(refunded)
    assert kept_at(gateway) == 9900, "what was paid before the cancel"
    assert accounts.violations() == {}


def test_the_counts_tell_what_was_taken_back(gateway):
    subscription_id = make_subscription()
    renew()
    assert cancel(subscription_id) == Stopped(charges_withdrawn=1)
    other = make_subscription(interval="day")
    renew()
    Charge(gateway, other).declined()
    stopped = cancel(other)
    assert (stopped.charges_withdrawn, stopped.retries_withdrawn, stopped.left) == (0, 1, 0)
    assert stopped.notices_revoked == 1
    with transaction():
        entry = select(AuditEntry).where(AuditEntry.action == "subscription.stopped")
        written = db.session.scalars(entry.order_by(AuditEntry.id.desc())).first()
    assert written.detail["retries_withdrawn"] == 1


def test_a_deposit_after_the_end_goes_back_once_the_customer_names_an_account(gateway):
    subscription_id = make_subscription(kind="virtual_account")
    renew()
    record(call(claim(subscription_id)))
    stopped = cancel(subscription_id)
    assert (stopped.accounts_closed, stopped.in_flight, stopped.left) == (1, 0, 0)
    [order_id] = column(Attempt, "gateway_order_id")
    gateway.deposit(orderId=order_id)
    work()
    assert column(UnmatchedMoney, "status") == ["returning"]
    assert column(Refund, "status") == ["awaiting_account"]
    assert told() == column(Payment, "id")


def test_an_approval_that_comes_to_light_after_the_end_goes_back_by_itself(gateway):
    subscription_id = make_subscription()
    renew()
    [(claimed, answer)] = call(claim(subscription_id))
    # The gateway says no before it says yes.
    no = {"code": "REJECT_CARD_PAYMENT", "failure_class": "authentication_failure"}
    record([(claimed, Answer(Outcome.DECLINED, retry_mode="later", **no))])
    cancel(subscription_id)
    for _ in range(2):
        with transaction():
            depositing.hold_late_approval(
                claimed.attempt_id, Money(9900, "KRW"), gateway_key=answer.gateway_key, by=WORKER
            )
    work()
    assert column(UnmatchedMoney, "status") == ["returned"]
    assert (kept_at(gateway), told()) == (0, column(Payment, "id"))
    assert accounts.violations() == {}


def test_the_database_refuses_a_charge_of_what_has_ended_or_stands_still(gateway, owner):
    ids = [make_subscription() for _ in range(4)]
    renew()
    ended, paused, held, going_on = ids
    # Straight in the table, as a bug in our own code would do it.
    owner.execute("UPDATE subscriptions SET status = 'expired' WHERE id = %s", (ended,))
    for id_ in (paused, held):
        owner.execute("UPDATE subscriptions SET is_billing_blocked = true WHERE id = %s", (id_,))
        owner.execute(
            "INSERT INTO subscription_blocks (subscription_id, cause, blocks_change, "
            "blocks_service, blocks_billing, keeps_retries, because, placed_by) "
            "VALUES (%s, 'pause', false, true, true, %s, 'test', 'test')",
            (id_, id_ == held),
        )
    sent = (
        "UPDATE attempts SET first_sent_at = now() FROM payments "
        "WHERE payments.id = attempts.payment_id AND subject_id = %s"
    )
    for stopped in (ended, paused):
        with pytest.raises(psycopg.errors.CheckViolation, match="must not be charged"):
            owner.execute(sent, (stopped,))
    for charged in (held, going_on):  # one whose pause keeps its retries
        assert owner.execute(sent, (charged,)).rowcount == 1


def test_cancels_and_charges_at_the_same_moment_end_paid_before_or_refunded(app, gateway):
    ids = [make_subscription() for _ in range(6)]
    start = threading.Barrier(3, timeout=20)
    troubles = []

    def run(verb):
        with app.app_context():
            start.wait()
            try:
                verb()
            except DBAPIError as trouble:  # a deadlock above all
                troubles.append(trouble)
            finally:
                db.session.remove()

    def cancel_each():
        for subscription_id in ids:
            cancel(subscription_id)

    def charge_each():
        for _ in ids:
            with transaction():
                ready = select(Attempt.id).where(Attempt.status == "ready")
                found = list(db.session.scalars(ready))
            charging.execute_attempts(found, by=WORKER)

    threads = [
        threading.Thread(daemon=True, target=run, args=[v])
        for v in (cancel_each, renew, charge_each)
    ]
    for thread in threads:
        thread.start()
    join(*threads)
    assert troubles == []
    work()
    assert {subscription(id_).status for id_ in ids} == {"cancelled"}
    with transaction():
        order = dict(
            db.session.execute(
                select(AuditEntry.subject_id, AuditEntry.id).where(
                    AuditEntry.action == "payment.paid"
                )
            ).all()
        )
        ended = dict(
            db.session.execute(
                select(AuditEntry.subject_id, AuditEntry.id).where(
                    AuditEntry.action == "subscription.cancelled"
                )
            ).all()
        )
        paid = db.session.execute(select(Payment.id, Payment.subject_id, Payment.status)).all()
    for payment_id, subject_id, status in paid:
        was_before = payment_id in order and order[payment_id] < ended[subject_id]
        assert status == "paid" if was_before else status in ("refunded", "cancelled")
    assert kept_at(gateway) == 9900 * sum(row.status == "paid" for row in paid)


def test_a_charge_that_is_made_between_the_two_locks_of_a_cancel_is_waited_for(
    app, gateway, monkeypatch
):
    subscription_id = make_subscription()
    recorded, is_over = threading.Event(), threading.Event()
    lock_subscription = queries.lock_subscription

    def charge():
        with app.app_context():
            renew()
            results = call(claim(subscription_id))
            with transaction():
                recording.record_answers(results, by=WORKER)
                recorded.set()
                is_over.wait(0.5)  # its payment is held while the cancel looks for payments
            db.session.remove()

    charges = threading.Thread(daemon=True, target=charge)

    def charged_meanwhile(id_):
        if not recorded.is_set():
            charges.start()
            recorded.wait(20)
        return lock_subscription(id_)

    monkeypatch.setattr(queries, "lock_subscription", charged_meanwhile)
    cancel(subscription_id)
    when_confirmed = column(Payment, "status")
    is_over.set()
    join(charges)
    work()
    assert (when_confirmed, kept_at(gateway)) == (["paid"], 9900)


def test_a_pause_counts_what_was_at_the_gateway_as_its_periods_payment(gateway):
    subscription_id = make_subscription()
    renew()
    charge = Charge(gateway, subscription_id)
    charge.answer_lost()
    with transaction():
        assert pausing.pause(subscription_id, by=BY).in_flight == 1
    work()
    assert (column(Payment, "status"), told()) == (["paid"], [])
    assert subscription(subscription_id).status == "paused"


def test_a_pause_that_keeps_retries_goes_on_collecting_and_charges_nothing_new(gateway):
    subscription_id = make_subscription()
    renew()
    Charge(gateway, subscription_id).declined()
    with transaction():
        pausing.pause(subscription_id, open_retries="keep", by=BY)
        assert stopping.look(subscription_id) == Going(retries=1, notices=1)
    pass_time(timedelta(days=40))
    assert renew() == 0
    work()
    assert column(Payment, "status") == ["paid"]
    assert accounts.violations() == {}
    assert subscription(subscription_id).status == "paused"


def test_a_held_subscription_is_charged_by_nobody(gateway):
    subscription_id = make_subscription()
    renew()
    with transaction():
        stopped = pausing.hold(subscription_id, because="stolen card", by=BY)
    assert stopped.charges_withdrawn == 1
    assert subscription(subscription_id).status == "active"
    with pytest.raises(OpsError), transaction():
        renewing.charge_now(subscription_id, by=BY)
    pass_time(timedelta(days=31))
    assert renew() == 0
    work()
    assert kept_at(gateway) == 0
