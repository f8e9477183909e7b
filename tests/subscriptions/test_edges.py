"""Where two things happen to one subscription: what was agreed last, or first, still holds."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select, update

from opsapp.catalog.models import Plan
from opsapp.catalog.versioning import add_version
from opsapp.insights import probing_notices
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.notifications.models import Notice
from opsapp.payments import charging
from opsapp.payments.models import Attempt, Payment
from opsapp.recovery import activating, drafting, queries as recoveries
from opsapp.recovery.drafting import Draft
from opsapp.recovery.models import Recovery
from opsapp.subscriptions import (
    asking_consent,
    cancelling,
    catching_up,
    dating,
    ending,
    pausing,
    recovering,
    repricing,
    rules,
)
from opsapp.subscriptions.errors import CannotRecover, LastPeriodCharged, NothingToCatchUp
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.repricing import NewVersion
from opsapp.subscriptions.switching import switch_method
from tests.factories.accounts import violations
from tests.factories.payments import BY, make_method
from tests.factories.subscriptions import (
    go_to,
    make_plan,
    make_subscription,
    pass_time,
    renew,
    subscription,
)
from tests.subscriptions.test_changing import change, changes, column, look, paid_subscription, work
from tests.subscriptions.test_dunning import finish

NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}
STAFF = Actor("staff", "7")


def noon_of(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(app, gateway):
    go_to(noon_of(3, 10))


def put(model: type, **values) -> None:
    with transaction():
        db.session.execute(update(model).values(**values))


def test_a_change_that_is_paid_after_a_cancellation_ends_with_it(gateway):
    id_ = paid_subscription()
    plus = make_plan("plus", amount=19_800)
    change(id_, plan_id=plus)
    with transaction():
        cancelling.cancel_at_period_end(id_, by=BY)
    work()
    found = subscription(id_)
    assert (changes(), found.amount_minor, found.status) == (["applied"], 19_800, "cancelling")
    assert found.ends_on == date(2026, 4, 10)


def test_a_cancellation_taken_back_leaves_the_term_of_another_plan(gateway):
    id_ = paid_subscription()
    plan_id = make_plan("fixed")
    terms = {"trial_days": 0, "term_periods": 12, "applies_to_existing": False}
    with transaction():
        add_version(
            plan_id, amount=Money(9_900, "KRW"), effective_on=date(2026, 3, 11), by=BY, **terms
        )
    go_to(noon_of(4, 10))
    renew()
    work()
    change(id_, plan_id=plan_id)
    assert subscription(id_).ends_on == date(2027, 5, 10)  # twelve periods from its next charge
    with transaction():
        cancelling.cancel_at_period_end(id_, by=BY)
    with transaction():
        cancelling.keep(id_, by=BY)
    assert subscription(id_).ends_on == date(2027, 5, 10)


def test_a_missed_period_costs_what_was_agreed_for_its_own_day(gateway):
    id_ = paid_subscription()
    change(id_, quantity=2, when="period_end")
    put(SubscriptionChange, effective_on=date(2026, 5, 10))
    go_to(noon_of(5, 12))  # nothing ran in April; looked at late
    put(Subscription, next_due_at=clock.now())
    for day in (12, 13):
        go_to(noon_of(5, day))
        renew()
        work()
    assert column(Payment, "amount_minor") == [9_900, 9_900, 19_800]


def test_the_last_period_of_a_term_is_charged_however_late_it_is(gateway):
    id_ = make_subscription(term_periods=2)
    renew()
    work()
    go_to(noon_of(5, 12))  # nothing ran since March; the term was over on 10 May
    with transaction():
        ending.end_due()
    renew()
    work()
    assert column(Payment, "status") == ["paid", "paid"]
    with transaction():
        ending.end_due()
    assert subscription(id_).status == "expired"


def test_who_stood_still_over_the_end_of_a_trial_can_still_agree_to_pay(gateway):
    id_ = make_subscription(trial_days=14)
    with transaction():
        pausing.pause(id_, by=BY)
    go_to(noon_of(5, 12))
    with transaction():
        pausing.resume(id_, by=BY)
    go_to(subscription(id_).next_due_at)
    renew()
    assert column(Payment, "id") == []
    with transaction():
        question = asking_consent.find_question(id_, locale="ko")
    assert question is not None
    assert question.kind == "trial_to_paid"


def test_a_pause_that_keeps_retries_does_not_call_back_the_question_about_a_price(gateway):
    id_ = paid_subscription()
    [plan_id] = column(Plan, "id")
    go_to(noon_of(3, 12))
    wish = NewVersion(Money(12_000, "KRW"), date(2026, 4, 1), applies_to_existing=True)
    with transaction():
        repricing.reprice(plan_id, wish, by=BY)
        repricing.tell_slice(limit=10)
    with transaction():
        pausing.pause(id_, open_retries="keep", by=BY)
    with transaction():
        asked = db.session.scalars(select(Notice.status).where(Notice.kind == "price_change")).all()
    assert (asked, changes()) == (["queued"], ["planned"])


def test_what_is_held_or_paused_is_not_tried_from_behind_a_suspension(gateway):
    id_ = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    for days in (1, 3, 1):
        work()
        pass_time(timedelta(days=days, minutes=1))
    [recovery_id] = column(Recovery, "id")
    with transaction():
        pausing.hold(id_, because="a suspected fraud", by=STAFF)
    with pytest.raises(CannotRecover, match="held"), transaction():
        recovering.retry_now(recovery_id, by=STAFF)
    assert subscription(id_).status == "suspended"


def test_whoever_is_suspended_once_more_is_told_once_more(gateway):
    id_ = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    told = []
    for method in (None, make_method(subscription(id_).customer_id)):
        if method:
            with transaction():
                switch_method(id_, payment_method_id=method, by=BY)
        for days in (1, 3, 1):
            work()
            pass_time(timedelta(days=days, minutes=1))
        suspended = Notice.kind == "subscription_suspended"
        with transaction():
            told += db.session.scalars(select(Notice.status).where(suspended)).all()
            sent = update(Notice).where(suspended).values(status="sent")
            db.session.execute(sent)
    assert (told, subscription(id_).status) == (["queued", "queued"], "suspended")


def test_what_staff_suspend_stays_owed_and_a_new_method_pays_it(gateway):
    id_ = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    work()
    gateway.clear()
    [recovery_id] = column(Recovery, "id")
    with transaction():
        recovering.suspend(recovery_id, because="by staff", by=STAFF)
    assert column(Payment, "status") == ["failed"]
    method_id = make_method(subscription(id_).customer_id)
    with transaction():
        switch_method(id_, payment_method_id=method_id, by=BY)
    work()
    assert (column(Payment, "status"), column(Recovery, "status")) == (["paid"], ["recovered"])
    assert violations() == {}


@pytest.mark.parametrize("stop", [cancelling.cancel, pausing.pause])
def test_a_charge_that_fails_after_the_stop_asks_nobody_for_another_card(gateway, stop):
    id_ = make_subscription()
    gateway.faults(**NO_FUNDS)
    renew()
    attempts = column(Attempt, "id")
    with transaction():
        [claim] = charging._claim(attempts, by=STAFF)
    with transaction():
        stop(id_, by=BY)
    finish(claim)
    with transaction():
        told = select(Notice.status).where(Notice.kind == "payment_failed")
        assert list(db.session.scalars(told)) == ["revoked"]


def test_nothing_is_promised_for_a_period_after_the_last_one(gateway):
    id_ = paid_subscription(term_periods=1)
    plus = make_plan("plus", amount=19_800)
    with pytest.raises(LastPeriodCharged, match="2026-04-10"):
        look(id_, plan_id=plus, when="period_end")
    assert look(id_, plan_id=plus).to_pay.minor == 9_900


def test_approving_what_is_missing_charges_nothing_that_is_still_to_come(gateway):
    paid_subscription()
    put(Subscription, is_behind=True)  # as another billing day leaves it
    with pytest.raises(NothingToCatchUp), transaction():
        catching_up.approve_catch_up(because="after the outage", by=STAFF)


def test_a_stricter_policy_does_not_accuse_the_charges_before_it(gateway):
    id_ = paid_subscription()
    go_to(noon_of(4, 10))
    renew()
    assert len(column(Payment, "id")) == 2
    with transaction():
        [old] = recoveries.list_in_force()
        terms = replace(old.policy, notice_days=3, notice_lead_hours=48)
        draft = drafting.save_draft(Draft("stricter", "A", 100, terms, "as the law says"), by=STAFF)
        activating.activate(draft, seen_version=old.version, because="as the law says", by=STAFF)
    put(Subscription, created_at=noon_of(3, 6))
    with transaction():
        [statement] = probing_notices.unannounced_charges()
        assert list(db.session.scalars(statement)) == [], id_


def test_a_statement_and_the_calendar_name_the_same_day(gateway):
    make_subscription()
    luck = Random(4)
    for unit in ("day", "week", "month") * 15:
        start, anchor_day = date(2024, 1, 1) + timedelta(luck.randrange(3000)), luck.randint(1, 31)
        with transaction():
            found = db.session.scalars(select(Subscription)).one()
            found.anchor_on = (
                rules.first_anchor_day(start, anchor_day) if unit == "month" else start
            )
            found.anchor_day, found.interval = anchor_day, unit
            found.interval_count, found.next_period_index = luck.randint(1, 13), luck.randrange(120)
            db.session.flush()
            day = db.session.scalars(select(dating.next_day())).one()
            assert day == rules.due_on(found, found.next_period_index)
