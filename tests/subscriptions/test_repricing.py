"""A new price for those who are there already, and the gate that wants their consent."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, select

from opsapp.catalog.models import Plan
from opsapp.consents.agreeing import NewConsent, record_consents
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.notifications.models import Notice
from opsapp.payments.models import Payment
from opsapp.subscriptions import (
    applying_changes,
    changing,
    gating,
    renewing,
    repricing,
    selecting,
)
from opsapp.subscriptions.errors import ConsentMissing
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.previewing_changes import ChangeWish
from opsapp.subscriptions.repricing import NewVersion
from opsapp.tickets.models import Ticket
from tests.factories.accounts import violations
from tests.factories.payments import BY
from tests.factories.subscriptions import go_to, make_subscription, pass_time, renew, subscription
from tests.subscriptions.test_changing import column, look, paid_subscription, work


@pytest.fixture(autouse=True)
def noon(app, gateway):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))


def reprice(amount: int, effective_on: date, **more) -> int:
    [plan_id] = column(Plan, "id")
    wish = NewVersion(Money(amount, "KRW"), effective_on, applies_to_existing=True, **more)
    with transaction():
        _version, planned = repricing.reprice(plan_id, wish, by=BY)
    return planned


def tell() -> int:
    with transaction():
        return repricing.tell_slice(limit=500)[1]


def agree(subscription_id: int, kind: str, *, subject: tuple[str, int] | None = None) -> None:
    customer_id = subscription(subscription_id).customer_id
    subject_type, subject_id = subject or ("subscription", subscription_id)
    facts = {
        "plan": "기본", "old_minor": 9_900, "new_minor": 12_000, "amount_minor": 9_900,
        "currency": "KRW", "from_on": "2026-05-01", "first_on": "2026-05-01",
        "interval": "month", "interval_count": 1, "method": "card",
    }  # fmt: skip
    with transaction():
        wish = NewConsent(
            kind, customer_id, subscription_id, facts, "link",
            subject_type=subject_type, subject_id=subject_id,
        )  # fmt: skip
        record_consents([wish], by=BY)


def days_later(days: int) -> None:
    pass_time(timedelta(days=days))


def test_a_rise_is_told_thirty_days_before_and_charged_once_agreed_to(gateway):
    id_ = paid_subscription()
    assert reprice(12_000, date(2026, 5, 1)) == 1
    assert tell() == 0, "a consent given now would be too old"
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    work()
    assert column(Payment, "amount_minor") == [9_900, 9_900], "this period is before the rise"
    assert tell() == 1
    assert tell() == 0
    assert column(Notice, "kind").count("price_change") == 1
    [change_id] = column(SubscriptionChange, "id")
    assert column(SubscriptionChange, "effective_on") == [date(2026, 5, 10)]
    agree(id_, "price_change", subject=("subscription_change", change_id))
    go_to(datetime(2026, 5, 10, 3, tzinfo=UTC))  # day 30
    renew()
    work()
    assert column(Payment, "amount_minor") == [9_900, 9_900, 12_000]
    found = subscription(id_)
    assert (found.plan_version, found.amount_minor) == (2, 12_000)


def test_who_agrees_a_year_late_is_asked_for_one_period_and_not_for_twelve(gateway):
    id_ = paid_subscription()
    reprice(12_000, date(2026, 3, 11))
    [change_id] = column(SubscriptionChange, "id")
    for month in range(4, 13):
        go_to(datetime(2026, month, 12, 3, tzinfo=UTC))
        renew()
    reprice(13_000, date(2027, 6, 1))  # a later version frees nothing of what was refused
    agree(id_, "price_change", subject=("subscription_change", change_id))
    for _day in range(5):
        days_later(1)
        renew()
        work()
    assert column(Payment, "amount_minor") == [9_900, 12_000]
    assert violations() == {}


def test_on_day_31_it_is_refused_with_a_reason_and_a_ticket_and_looked_at_each_day(gateway):
    id_ = paid_subscription()
    reprice(12_000, date(2026, 3, 11))
    [change_id] = column(SubscriptionChange, "id")
    agree(id_, "price_change", subject=("subscription_change", change_id))
    days_later(1)
    agree(id_, "price_change", subject=("subscription_change", 999))  # to another rise
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))  # day 31
    for _day in range(2):
        renew()
        days_later(1)
    assert column(Payment, "amount_minor") == [9_900]
    assert column(Ticket, "reason") == ["consent_missing"]
    with pytest.raises(ConsentMissing), transaction():
        renewing.charge_now(id_, by=BY)
    agree(id_, "price_change", subject=("subscription_change", change_id))
    assert column(Ticket, "status") == ["resolved"]
    renew()
    work()
    assert column(Payment, "captured_minor") == [9_900, 12_000]
    assert violations() == {}


def test_the_first_charge_after_a_trial_needs_a_consent_of_the_last_thirty_days():
    in_time = make_subscription(trial_days=30)  # subscribing is the consent
    too_old = make_subscription(trial_days=31)
    days_later(30)
    renew()
    assert column(Payment, "subject_id") == [in_time]
    days_later(1)
    renew()
    assert column(Payment, "subject_id") == [in_time]
    assert column(Ticket, "subject_id") == [too_old]
    assert column(Ticket, "reason") == ["consent_missing"]


def test_a_consent_to_pay_after_the_trial_lets_its_charge_pass(gateway):
    id_ = make_subscription(trial_days=60)
    days_later(40)
    agree(id_, "trial_to_paid")
    days_later(20)
    renew()
    work()
    found = subscription(id_)
    assert (found.status, column(Payment, "status")) == ("active", ["paid"])
    days_later(31)
    renew()
    assert len(column(Payment, "id")) == 2, "later periods need no consent of their own"


def test_a_lower_price_needs_nobody_and_is_told(gateway):
    id_ = paid_subscription()
    assert reprice(7_000, date(2026, 4, 1)) == 1
    days_later(1)
    assert tell() == 1
    assert "plan_changed" in column(Notice, "kind")
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    assert column(Payment, "amount_minor") == [9_900, 7_000]
    assert subscription(id_).amount_minor == 7_000


def test_a_price_waits_for_another_change_and_reaches_everybody_once(gateway):
    first, second = paid_subscription(), paid_subscription()
    assert subscription(first).plan_id == subscription(second).plan_id
    shown = look(first, quantity=2, when="period_end")
    with transaction():
        wish = ChangeWish(quantity=2, when="period_end")
        changing.change(first, wish, seen=shown.fingerprint, by=BY)
    assert reprice(12_000, date(2026, 6, 1)) == 1, "the other one has a change open"
    with transaction():
        assert repricing.plan_missing() == 0
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    with transaction():
        assert repricing.plan_missing() == 1
    with transaction():
        assert repricing.plan_missing() == 0
    prices = {(row.subscription_id, row.kind): row.to_amount_minor for row in all_changes()}
    assert prices == {
        (first, "quantity"): 19_800, (first, "price"): 24_000, (second, "price"): 12_000
    }  # fmt: skip


def test_a_later_version_overtakes_one_that_nobody_would_pay(gateway):
    paid_subscription()
    reprice(12_000, date(2026, 3, 20))
    assert reprice(15_000, date(2026, 4, 1)) == 1
    assert [(row.status, row.to_amount_minor) for row in all_changes()] == [
        ("withdrawn", 12_000), ("planned", 15_000)
    ]  # fmt: skip


def test_where_nothing_is_to_change_a_whole_slice_costs_one_question(gateway):
    for _ in range(3):
        paid_subscription()
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    with transaction():
        ids = list(db.session.scalars(select(Subscription.id)))
        rows = selecting.list_renewed(ids)
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            assert applying_changes.apply_to(rows, by=BY) == rows
            assert gating.list_refused(rows, clock.now()) == {}
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
    changes = [statement for statement in sent if "subscription_changes" in statement]
    assert (len(rows), len(changes)) == (3, 2), "one when applying, one at the gate"
    assert len(sent) <= 3, "and the clock"


def all_changes() -> list[SubscriptionChange]:
    with transaction():
        found = list(db.session.scalars(select(SubscriptionChange).order_by(SubscriptionChange.id)))
        db.session.expunge_all()
    return found
