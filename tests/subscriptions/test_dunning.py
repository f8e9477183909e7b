"""Whole stories: billing run, worker and sandbox gateway, the reactions wired as in the program."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from opsapp.customers.models import PaymentMethod
from opsapp.gateways.registry import connected
from opsapp.kernel.db import transaction
from opsapp.notifications.models import Notice
from opsapp.payments import charging, recording
from opsapp.payments.models import Attempt, Payment
from opsapp.subscriptions import renewing
from opsapp.subscriptions.cancelling import cancel
from opsapp.subscriptions.errors import MoveRefused, NotChargeable
from opsapp.subscriptions.models import BillingPeriod
from opsapp.subscriptions.pausing import pause, resume
from opsapp.subscriptions.switching import switch_method
from opsapp.tickets.models import Ticket
from tests.factories.payments import BY, make_method
from tests.factories.recoveries import NO_FUNDS, STOPPED, WORKER, WRONG_KEY, column, work
from tests.factories.subscriptions import go_to, make_subscription, pass_time, renew, subscription


@pytest.fixture(autouse=True)
def noon(app):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))


def state(subscription_id: int) -> tuple[str, int]:
    found = subscription(subscription_id)
    return found.status, found.failures_in_row


def test_three_failures_are_tried_ticketed_and_end_in_a_suspension(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    assert state(subscription_id) == ("past_due", 1)
    assert column(Ticket, "reason") == []
    pass_time(timedelta(hours=23, minutes=59))
    work()
    assert len(column(Attempt, "id")) == 2
    pass_time(timedelta(minutes=2))
    work()
    assert state(subscription_id) == ("past_due", 2)
    assert column(Ticket, "reason") == ["repeated_failure"]
    pass_time(timedelta(days=3, minutes=2))
    work()
    assert state(subscription_id) == ("suspended", 3)
    assert column(Ticket, "reason") == ["repeated_failure"]
    assert "subscription_suspended" in column(Notice, "kind")
    pass_time(timedelta(days=40))
    assert renew() == 0
    work()
    assert column(Attempt, "status") == ["declined"] * 3


def test_a_retry_that_is_paid_puts_everything_right(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    pass_time(timedelta(days=1, minutes=1))
    work()
    gateway.clear()
    pass_time(timedelta(days=3, minutes=1))
    work()
    assert state(subscription_id) == ("active", 0)
    assert column(Ticket, "status") == ["resolved"]
    assert column(Payment, "status") == ["paid"]


def test_a_stopped_card_is_not_tried_again_and_a_person_is_told(gateway):
    subscription_id = make_subscription()
    gateway.faults(**STOPPED)
    renew()
    work()
    assert state(subscription_id) == ("past_due", 1)
    assert column(Ticket, "reason") == ["method_unusable"]
    assert column(Attempt, "status") == ["declined"]
    assert column(PaymentMethod, "status") == ["expired"]


def test_a_new_method_collects_what_was_missing(gateway):
    subscription_id = make_subscription()
    gateway.faults(**STOPPED)
    renew()
    work()
    gateway.clear()
    method_id = make_method(subscription(subscription_id).customer_id)
    with transaction():
        switch_method(subscription_id, payment_method_id=method_id, by=BY)
    work()
    assert state(subscription_id) == ("active", 0)
    assert column(Attempt, "payment_method_id")[-1] == method_id
    assert column(Ticket, "status") == ["resolved"]


def test_a_fault_of_our_own_is_tried_within_the_hour_and_counts_against_nobody(gateway):
    subscription_id = make_subscription()
    gateway.faults(**WRONG_KEY)
    renew()
    work()
    assert state(subscription_id) == ("active", 0)
    assert "gateway_trouble_apology" in column(Notice, "kind")
    gateway.clear()
    pass_time(timedelta(hours=1, minutes=1))
    work()
    assert state(subscription_id) == ("active", 0)


def test_staff_collect_a_suspended_debt_and_lift_the_suspension_with_it(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    for days in (1, 3, 40):
        work()
        pass_time(timedelta(days=days, minutes=1))
    assert state(subscription_id) == ("suspended", 3)
    gateway.clear()
    with transaction():
        renewing.charge_now(subscription_id, by=BY)
    work()
    assert state(subscription_id) == ("active", 0)
    # The month that passed in suspension is not charged afterwards.
    assert renew() == 0
    assert column(BillingPeriod, "payment_id")[1:] == [None]


def test_a_new_method_ends_a_suspension_before_it_is_charged(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    for days in (1, 3, 1):
        work()
        pass_time(timedelta(days=days, minutes=1))
    assert state(subscription_id) == ("suspended", 3)
    method_id = make_method(subscription(subscription_id).customer_id)
    with transaction():
        switch_method(subscription_id, payment_method_id=method_id, by=BY)
    assert state(subscription_id) == ("active", 0)
    work()
    assert state(subscription_id) == ("past_due", 1)


def test_what_is_paid_after_a_new_method_revived_it_closes_its_tickets(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    for days in (1, 3, 1):
        work()
        pass_time(timedelta(days=days, minutes=1))
    assert column(Ticket, "status") == ["open"]
    gateway.faults()
    method_id = make_method(subscription(subscription_id).customer_id)
    with transaction():
        switch_method(subscription_id, payment_method_id=method_id, by=BY)
    assert column(Ticket, "status") == ["open"]
    work()
    assert column(Payment, "status") == ["paid"]
    assert column(Ticket, "status") == ["resolved"]


def test_a_paused_debt_is_not_collected_by_hand(gateway):
    subscription_id = make_subscription()
    gateway.faults(**STOPPED)
    renew()
    work()
    with transaction():
        pause(subscription_id, by=BY)
    with pytest.raises(NotChargeable, match="paused"), transaction():
        renewing.charge_now(subscription_id, by=BY)


def test_after_cancelling_no_charge_is_possible(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    gateway.clear()
    with transaction():
        cancel(subscription_id, by=BY)
    pass_time(timedelta(days=60))
    assert renew() == 0
    work()
    assert column(Attempt, "status") == ["declined", "withdrawn"]
    assert column(Payment, "status") == ["cancelled"]
    assert column(Notice, "kind") == ["payment_failed", "subscription_cancelled"]
    assert column(Notice, "status") == ["revoked", "queued"]
    with transaction():
        cancel(subscription_id, by=BY)


def test_cancelling_recalls_a_charge_that_no_worker_has_taken_yet():
    subscription_id = make_subscription()
    renew()
    with transaction():
        cancel(subscription_id, by=BY)
    work()
    assert column(Attempt, "status") == ["withdrawn"]


def test_a_charge_that_is_at_the_gateway_while_its_subscription_ends_is_not_tried_again(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    ids = column(Attempt, "id")
    with transaction():
        [claim] = charging._claim(ids, by=WORKER)
    with transaction():
        cancel(subscription_id, by=BY)
    assert column(Attempt, "status") == ["inflight"]
    finish(claim)
    assert column(Attempt, "status") == ["declined"]
    assert column(Payment, "status") == ["cancelled"]


def test_pausing_takes_back_planned_retries_and_resuming_skips_what_passed(gateway):
    subscription_id = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    gateway.clear()
    with transaction():
        pause(subscription_id, by=BY)
    with transaction():
        pause(subscription_id, by=BY)
    pass_time(timedelta(days=65))
    assert renew() == 0
    work()
    assert column(Attempt, "status") == ["declined", "withdrawn"]
    with transaction():
        resume(subscription_id, by=BY)
    assert state(subscription_id) == ("active", 0)
    assert renew() == 0
    assert column(BillingPeriod, "period_index") == [0, 1, 2]


def test_what_is_cancelled_stays_cancelled():
    subscription_id = make_subscription()
    with transaction():
        cancel(subscription_id, by=BY)
    for verb in (pause, resume):
        with pytest.raises(MoveRefused, match="cancelled"), transaction():
            verb(subscription_id, by=BY)


def finish(claim) -> None:
    """The rest of the claim's turn: the call and the record."""

    async def call():
        async with connected():
            return await charging._call(claim)

    answer = asyncio.run(call())
    with transaction():
        recording.record_answers([(claim, answer)], by=WORKER)
