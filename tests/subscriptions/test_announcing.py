"""Who is charged has been told before, whatever happens to the message or the charge."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from opsapp.customers.models import Customer
from opsapp.insights import probing_notices
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.notifications.delivering import send_notices
from opsapp.notifications.models import Notice
from opsapp.payments.models import Payment
from opsapp.subscriptions import announcing, renewing
from opsapp.subscriptions.models import AdvanceNotice, BillingPeriod, Subscription
from opsapp.subscriptions.pausing import pause, resume
from opsapp.subscriptions.selecting import Lead
from tests.factories.payments import BY
from tests.factories.subscriptions import go_to, make_subscription, pass_time, renew, subscription

NOON = datetime(2026, 3, 10, 3, tzinfo=UTC)  # 12:00 in Seoul
MIDNIGHT = datetime(2026, 4, 9, 15, tzinfo=UTC)  # 00:00 of the 10th in Seoul


@pytest.fixture
def with_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in production: a day between the message and the charge."""
    lead = Lead(timedelta(hours=24), timedelta(days=7))
    monkeypatch.setattr(announcing, "find_lead", lambda: lead)


def announce() -> int:
    with transaction():
        return announcing.announce_due(limit=100)


def charge() -> int:
    with transaction():
        return renewing.renew_due(limit=100)


def told() -> list[tuple[int, date, int]]:
    with transaction():
        rows = db.session.scalars(select(AdvanceNotice).order_by(AdvanceNotice.id)).all()
        return [
            (row.period_index, row.due_at.astimezone(announcing.SEOUL).date(), row.amount_minor)
            for row in rows
        ]


def notices() -> list[Notice]:
    with transaction():
        found = list(db.session.scalars(select(Notice).order_by(Notice.id)).all())
        db.session.expunge_all()
        return [notice for notice in found if notice.kind in announcing.NOTICE_KINDS]


def carry() -> None:
    send_notices([notice.id for notice in notices() if notice.status == "queued"], by=BY)


def change_amount(subscription_id: int, won: int) -> None:
    with transaction():
        mine = update(Subscription).where(Subscription.id == subscription_id)
        db.session.execute(mine.values(amount_minor=won, is_announced=False))


def violations() -> list[str]:
    with transaction():
        [statement] = probing_notices.unannounced_charges()
        return list(db.session.scalars(statement))


def charged_on() -> list[datetime]:
    with transaction():
        return list(db.session.scalars(select(Payment.requested_at).order_by(Payment.id)))


def test_a_charge_is_announced_once_a_week_before_with_day_sum_and_method(app):
    go_to(NOON)
    subscription_id = make_subscription()
    assert charge() == 1  # of the first day, the agreement told
    announce()
    assert told() == []
    go_to(MIDNIGHT - timedelta(days=7, hours=-1))
    assert [announce(), announce()] == [1, 0]
    assert told() == [(1, date(2026, 4, 10), 9_900)]
    [notice] = notices()
    assert notice.values["charge_on"] == "2026-04-10"
    assert notice.values["amount_minor"] == 9_900
    assert notice.values["method_label"]
    assert notice.values["link_subject"] == {"type": "subscription", "id": subscription_id}


def test_nothing_is_charged_before_a_channel_was_asked_to_carry_the_message(app):
    go_to(NOON)
    make_subscription()
    charge()
    go_to(MIDNIGHT)
    assert charge() == 1  # refused: announced now
    assert [charge(), len(charged_on())] == [0, 1]
    carry()
    assert [charge(), len(charged_on())] == [1, 2]
    assert violations() == []


def test_a_message_that_reaches_nobody_counts_as_attempted(app):
    go_to(NOON)
    subscription_id = make_subscription()
    customer = subscription(subscription_id).customer_id
    with transaction():
        mine = update(Customer).where(Customer.id == customer)
        db.session.execute(mine.values(email="", phone=""))
    charge()
    go_to(MIDNIGHT)
    charge()
    carry()
    assert [notice.status for notice in notices()] == ["failed"]
    assert charge() == 1


def test_with_a_lead_an_unannounced_charge_waits_a_day_after_its_message(app, with_lead):
    go_to(NOON)
    subscription_id = make_subscription()
    charge()
    go_to(MIDNIGHT + timedelta(hours=12))
    assert [charge(), charge()] == [1, 0]
    carry()
    waits = subscription(subscription_id).next_due_at - (MIDNIGHT + timedelta(hours=12))
    assert timedelta(hours=24) <= waits <= timedelta(hours=26)
    pass_time(timedelta(hours=23))
    assert [charge(), len(charged_on())] == [0, 1]
    pass_time(timedelta(hours=3))
    charge()
    assert len(charged_on()) == 2
    assert violations() == []
    with transaction():
        held = select(AuditEntry).where(AuditEntry.action == "subscription.charge_held_back")
        assert len(db.session.scalars(held).all()) >= 1
        assert db.session.scalars(select(AdvanceNotice.is_late)).all() == [True]


def test_a_message_late_at_night_waits_for_the_morning_if_the_charge_can_wait(app, with_lead):
    go_to(NOON)
    make_subscription()
    charge()
    go_to(MIDNIGHT - timedelta(days=6, hours=23))  # 01:00 in Seoul
    announce()
    [notice] = notices()
    assert notice.due_at.astimezone(announcing.SEOUL).hour == announcing.SENT_FROM.hour


def test_a_daily_plan_is_announced_each_day_and_charged_each_day(app, with_lead):
    go_to(NOON)
    subscription_id = make_subscription(interval="day")
    for _ in range(12):
        renewed = charge()
        announce()
        pass_time(timedelta(hours=10))  # by daylight
        carry()
        pass_time(timedelta(hours=14))
        assert renewed == 1
    assert subscription(subscription_id).next_period_index == 12
    assert violations() == []


def test_another_sum_is_announced_anew_and_the_old_message_called_back(app):
    go_to(NOON)
    subscription_id = make_subscription()
    charge()
    go_to(MIDNIGHT - timedelta(days=5))
    announce()
    change_amount(subscription_id, 12_000)
    announce()
    assert [row[2] for row in told()] == [12_000]
    assert [notice.status for notice in notices()] == ["revoked", "queued"]


def test_the_sum_that_was_told_is_no_announcement_of_another_one(app):
    go_to(NOON)
    subscription_id = make_subscription()
    charge()
    go_to(MIDNIGHT - timedelta(days=5))
    announce()
    carry()
    change_amount(subscription_id, 12_000)
    go_to(MIDNIGHT)
    assert [charge(), charge(), len(charged_on())] == [1, 0, 1]
    carry()
    assert [charge(), len(charged_on())] == [1, 2]


def test_what_a_pause_called_back_is_announced_again_after_it(app):
    go_to(NOON)
    subscription_id = make_subscription()
    charge()
    go_to(MIDNIGHT - timedelta(days=5))
    announce()
    with transaction():
        pause(subscription_id, by=BY)
    assert [notice.status for notice in notices()] == ["revoked"]
    with transaction():
        resume(subscription_id, by=BY)
    announce()
    carry()
    assert "sent" in [notice.status for notice in notices()]
    go_to(MIDNIGHT)
    assert [charge(), len(charged_on())] == [1, 2]


def test_a_charge_that_nobody_announced_is_found_by_the_probe(app):
    go_to(NOON)
    make_subscription()
    renew()
    go_to(MIDNIGHT)
    renew()
    with transaction():
        db.session.execute(update(AdvanceNotice).values(attempted_at=None))
    assert len(violations()) == 1


def test_a_term_that_is_over_is_neither_announced_nor_charged(app):
    go_to(NOON)
    subscription_id = make_subscription()
    charge()
    with transaction():
        mine = update(Subscription).where(Subscription.id == subscription_id)
        db.session.execute(mine.values(ends_on=date(2026, 4, 10)))
    go_to(MIDNIGHT + timedelta(hours=1))
    assert [announce(), charge()] == [0, 0]
    with transaction():
        assert len(db.session.scalars(select(BillingPeriod)).all()) == 1
