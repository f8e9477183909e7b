"""Several periods of one subscription that fail: each has its series, and each series its count."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.payments import charging
from opsapp.payments.events import DepositsReversed, PaymentFact, PaymentsPaid
from opsapp.payments.models import Attempt, Payment
from opsapp.recovery import simulating
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import SHIPPED
from opsapp.subscriptions import dunning, recovering
from opsapp.subscriptions.cancelling import cancel
from opsapp.subscriptions.pausing import hold, pause, release, resume
from opsapp.subscriptions.switching import switch_method
from opsapp.tickets.models import Ticket
from tests.factories.payments import BY, make_method
from tests.factories.recoveries import NO_FUNDS, WORKER, WRONG_KEY, column, work
from tests.factories.subscriptions import make_subscription, pass_time, renew, subscription

pytestmark = pytest.mark.usefixtures("noon")

STAFF = Actor("staff", "7")
WRONG_CARD = {"declines": {"INVALID_CARD_NUMBER": 1.0}}


def state(subscription_id: int) -> tuple[str, int]:
    found = subscription(subscription_id)
    return found.status, found.failures_in_row


def one_behind(gateway, *, failures: int = 1) -> int:
    """A daily subscription whose older period failed and whose newer one is paid."""
    id_ = make_subscription(interval="day")
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    if failures > 1:
        pass_time(timedelta(days=1, minutes=1))
        work()
    gateway.clear()
    pass_time(timedelta(hours=23, minutes=59) if failures == 1 else timedelta())
    assert renew() == 1
    work()
    return id_


def two_behind(gateway) -> int:
    """A daily subscription whose newer period failed a minute before the older is tried again."""
    id_ = make_subscription(interval="day")
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    pass_time(timedelta(hours=23, minutes=59))
    assert renew() == 1
    work()
    return id_


def test_one_of_two_missing_periods_is_a_part_until_the_other_is_paid(gateway):
    make_subscription(interval="day")
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    first = column(Attempt, "id")
    pass_time(timedelta(days=1))
    assert renew() == 1
    with transaction():
        second = db.session.scalars(
            select(Attempt.id).where(Attempt.status == "ready", Attempt.id.not_in(first))
        ).all()
    charging.execute_attempts(list(second), by=WORKER)
    gateway.clear()
    pass_time(timedelta(days=3, minutes=1))
    payment_id = column(Recovery, "payment_id")[1]
    with transaction():
        of_second = select(Attempt.id).where(
            Attempt.payment_id == payment_id, Attempt.status == "ready"
        )
        ids = list(db.session.scalars(of_second))
    charging.execute_attempts(ids, by=WORKER)
    assert column(Recovery, "status") == ["scheduled", "partly_recovered"]
    work()
    assert column(Recovery, "status") == ["recovered", "recovered"]


def test_a_newer_period_that_is_paid_leaves_the_series_of_an_older_one_to_its_end(gateway):
    id_ = one_behind(gateway, failures=2)
    assert column(Payment, "status") == ["pending", "paid"]
    assert state(id_) == ("past_due", 0)
    assert column(Ticket, "status") == ["open"]
    assert column(Recovery, "status") == ["scheduled"]
    gateway.faults(**NO_FUNDS)
    pass_time(timedelta(days=3))
    work(id_)
    assert column(Recovery, "status") == ["exhausted"]
    assert state(id_) == ("suspended", 1)


def test_the_failures_of_an_older_period_do_not_count_against_the_one_after_a_payment(gateway):
    id_ = one_behind(gateway, failures=2)
    pass_time(timedelta(days=1))
    assert renew() == 1
    gateway.faults(**NO_FUNDS)
    work()
    assert state(id_) == ("past_due", 1)
    assert column(Recovery, "failures") == [2, 1]
    assert column(Recovery, "status") == ["scheduled", "scheduled"]


def test_the_last_of_several_missing_periods_puts_everything_right(gateway):
    id_ = one_behind(gateway)
    assert state(id_) == ("past_due", 0)
    pass_time(timedelta(minutes=2))
    work()
    assert column(Payment, "status") == ["paid", "paid"]
    assert state(id_) == ("active", 0)
    assert column(Recovery, "status") == ["recovered"]


def test_a_period_that_was_given_up_is_owed_no_more(gateway):
    id_ = two_behind(gateway)
    pass_time(timedelta(minutes=2))
    work()
    assert column(Payment, "status") == ["failed", "cancelled"]
    assert state(id_) == ("suspended", 3)
    gateway.clear()
    method_id = make_method(subscription(id_).customer_id)
    with transaction():
        switch_method(id_, payment_method_id=method_id, by=BY)
    work()
    assert state(id_) == ("active", 0)
    assert column(Recovery, "status") == ["recovered", "ended"]


def test_one_of_two_failed_periods_that_is_paid_leaves_the_subscription_past_due(gateway):
    id_ = make_subscription(interval="day")
    gateway.faults(**WRONG_CARD)
    renew()
    work()
    pass_time(timedelta(days=1))
    assert renew() == 1
    work()
    assert column(Payment, "status") == ["failed", "failed"]
    first, second = column(Recovery, "id")
    with transaction():
        recovering.suspend(second, because="they wait for a person", by=STAFF)
        resume(id_, by=STAFF)
    assert state(id_) == ("active", 0)
    gateway.clear()
    with transaction():
        recovering.retry_now(first, by=STAFF)
    work()
    assert column(Payment, "status") == ["paid", "failed"]
    assert state(id_) == ("past_due", 0)
    with transaction():
        recovering.retry_now(second, by=STAFF)
    work()
    assert column(Recovery, "status") == ["recovered", "recovered"]
    assert state(id_) == ("active", 0)


def test_an_exhausted_series_that_staff_put_on_another_day_begins_anew(gateway):
    id_ = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    for days in (1, 3):
        pass_time(timedelta(days=days, minutes=1))
        work()
    assert state(id_) == ("suspended", 3)
    [row_id] = column(Recovery, "id")
    with transaction():
        resume(id_, by=STAFF)
        day = clock.seoul_date(clock.now()) + timedelta(days=2)
        recovering.reschedule(row_id, day=day, by=STAFF)
    pass_time(timedelta(days=3))
    work()
    assert state(id_) == ("past_due", 1)
    assert (column(Recovery, "status"), column(Recovery, "failures")) == (["scheduled"], [1])


def test_a_series_does_not_take_over_the_failures_of_an_older_one(gateway):
    id_ = two_behind(gateway)
    assert (state(id_), column(Recovery, "failures")) == (("past_due", 2), [1, 1])
    gateway.clear()
    pass_time(timedelta(minutes=2))
    work()
    gateway.faults(**NO_FUNDS)
    pass_time(timedelta(days=3))
    work()
    assert column(Recovery, "status") == ["partly_recovered", "scheduled"]
    assert (state(id_), column(Recovery, "failures")) == (("past_due", 1), [1, 2])
    with transaction():
        series, history = simulating.load_series(), simulating.load_history()
        retold = simulating.simulate(SHIPPED, series, history)
    assert (retold.retries, retold.ended) == ({1: 1, 2: 2}, 1)


def test_a_fault_of_the_gateway_amid_a_series_does_not_hide_what_is_owed(gateway):
    id_ = one_behind(gateway)
    gateway.faults(**WRONG_KEY)
    pass_time(timedelta(minutes=2))
    work()
    assert column(Recovery, "next_step") == ["gateway_retry"]
    with transaction():
        pause(id_, open_retries="keep", by=BY)
    with transaction():
        resume(id_, by=BY)
    assert state(id_) == ("past_due", 0)


def test_a_payment_beside_one_that_the_gateway_fails_makes_nobody_past_due(gateway):
    id_ = make_subscription(interval="day")
    gateway.faults(**WRONG_KEY)
    for _ in range(2):
        assert renew() == 1
        work()
        pass_time(timedelta(days=1))
    assert column(Recovery, "next_step") == ["gateway_retry", "gateway_retry"]
    with transaction():
        older, newer = db.session.scalars(select(Recovery).order_by(Recovery.id))
        # Both are answered in one batch, and what was paid is told first.
        db.session.execute(
            update(Payment).where(Payment.id == older.payment_id).values(status="failed")
        )
        dunning.on_payments_paid(PaymentsPaid((_fact(newer),)))
    assert state(id_) == ("active", 0)


@pytest.mark.parametrize("first_answer", [WRONG_KEY, NO_FUNDS])
def test_a_period_that_a_pause_gave_up_makes_nobody_past_due_later(gateway, first_answer):
    id_ = make_subscription(interval="week")
    gateway.faults(**WRONG_CARD)
    renew()
    work()
    with transaction():
        pause(id_, by=BY)
    with transaction():
        resume(id_, by=BY)
    assert (state(id_), column(Recovery, "status")) == (("active", 0), ["ended"])
    gateway.faults(**first_answer)
    pass_time(timedelta(days=7))
    assert renew() == 1
    work()
    gateway.clear()
    pass_time(timedelta(days=1, minutes=1))
    work()
    assert column(Payment, "status") == ["failed", "paid"]
    assert state(id_) == ("active", 0)


def test_a_pause_that_kept_the_series_of_an_older_period_ends_past_due(gateway):
    id_ = one_behind(gateway)
    with transaction():
        pause(id_, open_retries="keep", by=BY)
    with transaction():
        resume(id_, by=BY)
    assert state(id_) == ("past_due", 0)


def test_failures_before_a_hold_do_not_count_after_it(gateway):
    id_ = one_behind(gateway, failures=2)
    pass_time(timedelta(days=1))
    gateway.faults(**NO_FUNDS)
    assert renew() == 1
    work()
    with transaction():
        hold(id_, because="a stolen card", by=STAFF)
        release(id_, because="it was found", by=STAFF)
    assert state(id_) == ("active", 0)
    pass_time(timedelta(days=1))
    assert renew() == 1
    work()
    assert state(id_) == ("past_due", 1)


def test_a_deposit_that_the_bank_took_back_begins_a_series_anew_or_ends_it(gateway):
    going_on, over = (make_subscription() for _ in range(2))
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    pass_time(timedelta(days=1, minutes=1))
    work()
    gateway.clear()
    pass_time(timedelta(days=3, minutes=1))
    work()
    assert column(Recovery, "status") == ["recovered", "recovered"]
    with transaction():
        cancel(over, by=BY)
        facts = tuple(_fact(row) for row in db.session.scalars(select(Recovery)))
        dunning.on_deposits_reversed(DepositsReversed(facts))
    assert column(Recovery, "status") == ["monitoring", "ended"]
    assert column(Recovery, "failures") == [0, 0]
    assert state(going_on) == ("past_due", 0)


def _fact(row: Recovery) -> PaymentFact:
    return PaymentFact(
        row.payment_id, "subscription", row.subscription_id, 0, row.customer_id, None,
        row.gateway_name, "virtual_account", row.amount_minor, row.currency, 1, 1,
    )  # fmt: skip
