from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from opsapp.customers.models import PaymentMethod
from opsapp.customers.payment_methods import mark_expired
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.payments import charging
from opsapp.payments.models import Payment
from opsapp.subscriptions import renewing, selecting
from opsapp.subscriptions.errors import ChargedAhead, ChargeUnderWay, NotChargeable
from opsapp.subscriptions.models import BillingPeriod, Subscription
from opsapp.subscriptions.pausing import pause
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from opsapp.subscriptions.switching import switch_method
from opsapp.tickets.models import Ticket
from tests.factories.payments import BY, attempt_ids, make_customer, make_method
from tests.factories.subscriptions import (
    go_to,
    make_plan,
    make_subscription,
    pass_time,
    renew,
    subscription,
)

NOON = datetime(2026, 1, 31, 3, tzinfo=UTC)  # 12:00 in Seoul


def periods() -> list[tuple[int, date]]:
    with transaction():
        rows = db.session.scalars(select(BillingPeriod).order_by(BillingPeriod.id)).all()
        return [(row.period_index, clock.seoul_date(row.due_at)) for row in rows]


def expire_method_of(subscription_id: int) -> None:
    method_id = subscription(subscription_id).payment_method_id
    with transaction():
        mark_expired([method_id], because="test", by=BY)


def payment_ids() -> list[int]:
    with transaction():
        return list(db.session.scalars(select(Payment.id).order_by(Payment.id)))


def test_a_due_subscription_becomes_one_payment_however_often_the_run_comes(app):
    go_to(NOON)
    subscription_id = make_subscription()
    assert [renew(), renew()] == [1, 0]
    assert periods() == [(0, date(2026, 1, 31))]
    assert len(payment_ids()) == 1
    found = subscription(subscription_id)
    assert found.next_period_index == 1
    assert clock.seoul_date(found.next_due_at) == date(2026, 2, 28)


def test_the_day_comes_back_after_a_short_month(app):
    go_to(NOON)
    make_subscription()
    for _ in range(4):
        renew()
        pass_time(timedelta(days=31))
    days = [day for _, day in periods()]
    assert days == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_a_period_is_due_on_its_seoul_day_although_utc_is_a_day_behind(app):
    go_to(datetime(2026, 2, 9, 14, 59, tzinfo=UTC))  # 23:59 on the 9th in Seoul
    make_subscription(starts_on=date(2026, 2, 10))
    assert renew() == 0
    pass_time(timedelta(minutes=2))
    assert renew() == 1


def test_after_an_outage_one_period_is_charged_per_day_the_oldest_first(app):
    go_to(NOON)
    make_subscription()
    pass_time(timedelta(days=70))  # three periods are due
    assert [renew(), renew()] == [1, 0]
    assert [index for index, _ in periods()] == [0]
    pass_time(timedelta(days=1))
    assert [renew(), renew()] == [1, 0]
    pass_time(timedelta(days=1))
    assert [renew(), renew()] == [1, 0]
    assert [index for index, _ in periods()] == [0, 1, 2]
    with transaction():
        logged = db.session.scalars(
            select(AuditEntry.because).where(AuditEntry.action == "subscription.catching_up")
        ).all()
    assert len(logged) == 2


def test_many_are_taken_up_in_slices(app):
    go_to(NOON)
    customer_id = make_customer()
    plan_id, method_id = make_plan(), make_method(customer_id)
    wish = NewSubscription(customer_id, plan_id, method_id)
    with transaction():
        subscribe([wish] * 7, by=BY)
    slices = []
    while not slices or slices[-1]:
        with transaction():
            slices.append(renewing.renew_due(limit=3))
    assert slices == [3, 3, 1, 0]
    assert len(payment_ids()) == 7


def test_what_is_due_at_one_moment_is_taken_up_by_number_wherever_its_rows_lie(app):
    first, *others = [make_subscription() for _ in range(4)]
    with transaction():  # writes its row anew, behind the others
        db.session.execute(
            update(Subscription).where(Subscription.id == first).values(quantity=1, ref="moved")
        )
    renew()
    charged = select(Payment.subject_id).order_by(Payment.id)
    assert list(db.session.scalars(charged)) == [first, *others]


def test_nothing_is_charged_while_the_method_is_still_being_registered(app):
    subscription_id = make_subscription()
    method_id = subscription(subscription_id).payment_method_id
    with transaction():
        db.session.execute(
            update(PaymentMethod.__table__)
            .where(PaymentMethod.__table__.c.id == method_id)
            .values({"status": "requested"})
        )
    assert renew() == 0


def test_a_due_subscription_without_a_method_that_works_is_handed_to_a_person_once(app):
    go_to(NOON)
    subscription_id = make_subscription()
    expire_method_of(subscription_id)
    assert [renew(), renew()] == [1, 0]
    pass_time(timedelta(days=1))
    assert [renew(), renew()] == [1, 0]
    assert subscription(subscription_id).status == "past_due"
    with transaction():
        assert db.session.scalars(select(Ticket.reason)).all() == ["method_unusable"]
        assert not selecting.has_due(clock.now())
    assert payment_ids() == []


def test_with_a_new_method_the_waiting_period_is_charged_at_once(app):
    go_to(NOON)
    subscription_id = make_subscription()
    expire_method_of(subscription_id)
    renew()
    method_id = make_method(subscription(subscription_id).customer_id)
    with transaction():
        switch_method(subscription_id, payment_method_id=method_id, by=BY)
    assert renew() == 1
    assert periods() == [(0, date(2026, 1, 31))]


def test_charge_now_collects_the_next_period_ahead_of_its_day(app):
    go_to(NOON)
    subscription_id = make_subscription(starts_on=date(2026, 2, 5))
    with transaction():
        payment_id = renewing.charge_now(subscription_id, by=BY)
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)
    pass_time(timedelta(days=10))
    assert renew() == 0
    assert payment_ids() == [payment_id]


def test_charge_now_refuses_a_second_charge_that_would_run_beside_the_first(app):
    subscription_id = make_subscription()
    renew()
    with pytest.raises(ChargeUnderWay), transaction():
        renewing.charge_now(subscription_id, by=BY)


def test_charge_now_refuses_a_paused_subscription(app):
    subscription_id = make_subscription()
    with transaction():
        pause(subscription_id, by=BY)
    with pytest.raises(NotChargeable, match="paused"), transaction():
        renewing.charge_now(subscription_id, by=BY)


def test_charging_ahead_is_possible_for_one_period_only(app):
    go_to(NOON)
    subscription_id = make_subscription(starts_on=date(2026, 2, 5))
    with transaction():
        payment_id = renewing.charge_now(subscription_id, by=BY)
    charging.execute_attempts(attempt_ids([payment_id]), by=BY)
    with pytest.raises(ChargedAhead, match="2026-02-05"), transaction():
        renewing.charge_now(subscription_id, by=BY)


def test_a_switch_of_method_does_not_bring_two_missing_periods_on_one_day(app):
    go_to(NOON)
    subscription_id = make_subscription()
    pass_time(timedelta(days=70))
    renew()
    method_id = make_method(subscription(subscription_id).customer_id)
    with transaction():
        switch_method(subscription_id, payment_method_id=method_id, by=BY)
    assert renew() == 0


def test_keys_that_cannot_be_opened_are_handed_to_a_person_and_stop_nobody(app):
    go_to(NOON)
    locked_out, other = make_subscription(), make_subscription(interval="week")
    method_id = subscription(locked_out).payment_method_id
    with transaction():
        mine = PaymentMethod.id == method_id
        db.session.execute(update(PaymentMethod).where(mine).values(billing_key_sealed=b"x"))
    assert renew() == 2
    assert (subscription(locked_out).status, subscription(other).status) == ("past_due", "active")
    assert len(payment_ids()) == 1
    with transaction():
        assert db.session.scalars(select(Ticket.reason)).all() == ["method_unusable"]
