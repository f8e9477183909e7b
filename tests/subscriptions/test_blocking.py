"""Blocks and the headline over them: whatever the order, each cause is lifted by itself."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st
from sqlalchemy import select

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.notifications.models import Notice
from opsapp.payments.models import Attempt, Payment
from opsapp.subscriptions import blocking, cancelling, ending, pausing, renewing, suspending
from opsapp.subscriptions.models import BillingPeriod, Subscription
from opsapp.subscriptions.pausing import hold, pause, release, resume
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from opsapp.subscriptions.suspending import Arrears, Suspension
from tests.factories.payments import BY, make_customer, make_method
from tests.factories.subscriptions import (
    go_to,
    make_plan,
    make_subscription,
    pass_time,
    renew,
    subscription,
)


@pytest.fixture(autouse=True)
def noon(app):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))


def do(verb, *args, **options):
    with transaction():
        return verb(*args, by=BY, **options)


def fail(subscription_id, *, by):
    wish = Arrears(subscription_id, "declined")
    suspending.fall_behind([wish], by=by)
    db.session.get_one(Subscription, subscription_id, with_for_update=True).failures_in_row = 1


class Model:
    """What must be said, by words alone."""

    def __init__(self):
        self.causes, self.is_leaving, self.owes = set(), False, False

    @property
    def headline(self):
        for said, holds in (
            ("suspended", "suspension" in self.causes),
            ("paused", "pause" in self.causes),
            ("cancelling", self.is_leaving),
            ("past_due", self.owes),
        ):
            if holds:
                return said
        return "active"

    def step(self, act):
        """Returns whether it is possible."""
        return getattr(self, act.replace(" ", "_"))() is not False

    def pause(self, *, keeps=False):
        if "pause" in self.causes:
            return True
        if self.is_leaving:
            return False
        self.causes.add("pause")
        self.owes = self.owes and keeps
        return True

    def pause_and_keep(self):
        return self.pause(keeps=True)

    def resume(self):
        if "suspension" in self.causes:
            self.put_right()
        else:
            self.causes.discard("pause")

    def hold(self):
        self.causes.add("hold")

    def release(self):
        was_held = "hold" in self.causes
        self.causes.discard("hold")
        return was_held

    def suspend(self):
        self.causes.add("suspension")

    def put_right(self):
        self.causes.discard("suspension")
        self.owes = False

    def leave(self):
        if self.headline in ("paused", "suspended"):
            return False
        self.is_leaving = True
        return True

    def keep(self):
        self.is_leaving = False

    def fail(self):
        self.owes = True


ACTS = {
    "pause": lambda id_: do(pause, id_),
    "pause and keep": lambda id_: do(pause, id_, open_retries="keep"),
    "resume": lambda id_: do(resume, id_),
    "hold": lambda id_: do(hold, id_, because="fraud"),
    "release": lambda id_: do(release, id_, because="cleared"),
    "suspend": lambda id_: do(suspending.suspend_many, [Suspension(id_, "third failure")]),
    "put right": lambda id_: do(suspending.put_right, [id_], because="paid"),
    "leave": lambda id_: do(cancelling.cancel_at_period_end, id_),
    "keep": lambda id_: do(cancelling.keep, id_),
    "fail": lambda id_: do(fail, id_),
}


def test_any_order_of_blocks_ends_in_the_right_headline(app, gateway):
    customer_id = make_customer()
    plan_id, method_id = make_plan(), make_method(customer_id)
    wish = NewSubscription(customer_id, plan_id, method_id, starts_on=date(2026, 4, 1))

    @hypothesis(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(sorted(ACTS)), min_size=1, max_size=9))
    def orders(acts):
        model = Model()
        [id_] = do(subscribe, [wish])
        for act in acts:
            is_possible = model.step(act)
            with nullcontext() if is_possible else pytest.raises(OpsError):
                ACTS[act](id_)
            found = subscription(id_)
            assert (found.status, found.is_billing_blocked) == (
                model.headline,
                bool(model.causes),
            ), acts

    orders()


def test_a_pause_ends_on_its_day_and_the_periods_within_it_are_not_charged(gateway):
    subscription_id = make_subscription(interval="week")
    renew()
    with pytest.raises(Invalid), transaction():
        pause(subscription_id, until=date(2026, 3, 10), by=BY)
    do(pause, subscription_id, until=date(2026, 4, 1))
    pass_time(timedelta(days=21))
    assert do_end() == 0
    pass_time(timedelta(days=1))
    assert do_end() == 1
    assert do_end() == 0
    found = subscription(subscription_id)
    assert (found.status, found.is_billing_blocked) == ("active", False)
    assert found.next_due_at == datetime(2026, 4, 6, 15, tzinfo=UTC)
    with transaction():
        kinds = list(db.session.scalars(select(Notice.kind).order_by(Notice.id)))
        skipped = select(BillingPeriod).where(BillingPeriod.payment_id.is_(None))
        assert len(db.session.scalars(skipped).all()) == 3
    assert [k for k in kinds if k.startswith("subscription_")] == [
        "subscription_paused",
        "subscription_resumed",
    ]


def test_standing_still_on_each_day_of_payment_gives_nobody_service_for_nothing(gateway):
    customer = Actor("customer", "1")
    id_ = make_subscription()
    renew()
    for month in (4, 5):
        go_to(datetime(2026, month, 9, 14, 30, tzinfo=UTC))  # half an hour before the day
        with transaction():
            pausing.pause(id_, by=customer)
        pass_time(timedelta(hours=25))
        with transaction():
            pausing.resume(id_, by=customer)
        renew()
    with transaction():
        periods = db.session.execute(
            select(BillingPeriod.period_index, BillingPeriod.payment_id).order_by(
                BillingPeriod.period_index
            )
        ).all()
    assert [index for index, payment_id in periods if payment_id] == [0, 1, 2]
    go_to(datetime(2026, 6, 9, 14, 30, tzinfo=UTC))
    with transaction():
        pausing.pause(id_, by=customer)
    go_to(datetime(2026, 8, 1, 3, tzinfo=UTC))
    with transaction():
        pausing.resume(id_, by=customer)
    assert subscription(id_).next_period_index == 4, "a period that passed whole is not paid for"


def test_what_passed_while_only_billing_was_held_is_owed_and_what_had_no_service_is_not(gateway):
    served = make_subscription(interval="week")
    unserved = make_subscription(interval="week")
    renew()
    do(hold, served, service=False, because="a chargeback is looked into")
    do(hold, unserved, because="a stolen card")
    pass_time(timedelta(days=15))
    for subscription_id in (served, unserved):
        do(release, subscription_id, because="cleared")
    assert subscription(served).next_period_index == 1
    assert subscription(unserved).next_period_index == 3


def do_end():
    with transaction():
        return ending.end_due()


def test_a_fixed_term_ends_after_its_last_period_and_is_charged_no_more(gateway):
    subscription_id = make_subscription(term_periods=2)
    renew()
    assert subscription(subscription_id).ends_on == date(2026, 5, 10)
    pass_time(timedelta(days=31))
    renew()
    pass_time(timedelta(days=30))
    assert renew() == 0
    assert do_end() == 1
    assert subscription(subscription_id).status == "expired"
    with transaction():
        assert set(db.session.scalars(select(Payment.status))) == {"cancelled"}
    with pytest.raises(OpsError), transaction():
        renewing.charge_now(subscription_id, by=BY)


def test_leaving_at_the_end_of_a_period_can_be_taken_back_until_it_is_over(gateway):
    subscription_id = make_subscription()
    renew()
    assert do(cancelling.cancel_at_period_end, subscription_id) == date(2026, 4, 10)
    assert do(cancelling.cancel_at_period_end, subscription_id) == date(2026, 4, 10)
    do(cancelling.keep, subscription_id)
    found = subscription(subscription_id)
    assert (found.status, found.ends_on, found.cancel_asked_on) == ("active", None, None)
    do(cancelling.cancel_at_period_end, subscription_id)
    pass_time(timedelta(days=31))
    assert renew() == 0
    assert do_end() == 1
    found = subscription(subscription_id)
    assert (found.status, found.cancelled_on) == ("cancelled", date(2026, 4, 10))
    with pytest.raises(OpsError), transaction():
        cancelling.keep(subscription_id, by=BY)


def test_a_trial_is_free_until_its_day(gateway):
    subscription_id = make_subscription(trial_days=14, quantity=3)
    found = subscription(subscription_id)
    assert (found.status, found.amount_minor, found.anchor_on) == (
        "trialing",
        29_700,
        date(2026, 3, 24),
    )
    assert renew() == 0
    do(pause, subscription_id)
    do(resume, subscription_id)
    assert subscription(subscription_id).status == "trialing"
    assert do(cancelling.cancel_at_period_end, subscription_id) == date(2026, 3, 24)
    pass_time(timedelta(days=14))
    assert renew() == 0
    do_end()
    assert subscription(subscription_id).status == "cancelled"
    with transaction():
        assert db.session.scalars(select(Attempt.id)).all() == []


def test_an_end_waits_for_the_answer_about_the_last_period(gateway, owner):
    subscription_id = make_subscription()
    renew()
    owner.execute("UPDATE attempts SET status = 'unknown', first_sent_at = now()")
    do(cancelling.cancel_at_period_end, subscription_id)
    pass_time(timedelta(days=31))
    assert do_end() == 0
    owner.execute("UPDATE attempts SET status = 'declined'")
    owner.execute("UPDATE payments SET status = 'failed'")
    assert do_end() == 1
    assert blocking.list_over(date(2027, 1, 1), limit=5) == []


def test_a_suspension_and_a_pause_are_lifted_one_by_one(gateway):
    subscription_id = make_subscription()
    do(suspending.suspend_many, [Suspension(subscription_id, "third failure")])
    do(pause, subscription_id)
    for expected in ("paused", "active"):
        do(pausing.resume, subscription_id)
        assert subscription(subscription_id).status == expected
