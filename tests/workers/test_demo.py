from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.subscriptions.models import Subscription
from tests.factories.subscriptions import make_subscription
from workers import demo, merchant


def begin() -> datetime | None:
    with transaction():
        return demo._begin()


def live(day: int, comers: list[merchant.Subscriber]) -> list[int]:
    with transaction():
        return demo._live_day(day, comers)


def test_an_empty_installation_begins_a_year_ago(app):
    first_moment = begin()
    with transaction():
        assert abs((clock.now() - first_moment).total_seconds()) < 5
    assert 364 <= (datetime.now(UTC) - first_moment).days <= 365


def test_a_restart_goes_on_and_an_arrived_merchant_is_left_alone(app):
    first_moment = begin()
    assert begin() == first_moment
    with transaction():
        demo._note("demo.arrived")
    assert begin() is None


def test_where_somebody_has_worked_nothing_is_invented(app):
    make_subscription()
    assert begin() is None
    with transaction():
        noted = select(func.count()).where(AuditEntry.subject_type == "demo")
        assert db.session.scalars(noted).one() == 0


def test_the_same_subscribers_come_every_time():
    everybody = [each for day in merchant.first_days().values() for each in day]
    assert len(everybody) == merchant.SUBSCRIBERS
    assert len({each.customer.customer_ref for each in everybody}) == merchant.SUBSCRIBERS
    kinds, intervals = (
        Counter(each.kind for each in everybody),
        Counter(each.plan.interval for each in everybody),
    )
    assert set(kinds) == {"card", "transfer", "easy_pay", "virtual_account"}
    assert set(intervals) == {"day", "week", "month"}
    assert merchant.first_days() == merchant.first_days()


@pytest.mark.parametrize("day", [0, 40])
def test_a_day_is_lived_through_the_products_own_verbs(app, day):
    begin()
    comers = merchant.first_days()[0][:5]
    methods = live(day, comers)
    assert len(methods) == 5
    with transaction():
        assert list(db.session.scalars(select(Subscription.status))) == ["active"] * 5
    assert live(day + 1, []) == []


def test_only_a_demo_installation_on_loopback_is_filled(environment, monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    told = []
    monkeypatch.setattr(demo, "_tell_sandbox", lambda *what: told.append(what))
    demo.run()  # the test's mode is "test"
    assert told == []
