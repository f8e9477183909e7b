"""Subscriptions made through the real verbs."""

from datetime import date, datetime, timedelta

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.subscriptions import renewing
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from tests.factories.payments import BY, make_customer, make_method


def make_plan(
    code: str = "basic", *, amount: int = 9900, interval: str = "month", interval_count: int = 1
) -> int:
    wish = NewPlan(code, "기본 요금제", Money(amount, "KRW"), interval, interval_count)
    with transaction():
        return add_plans([wish], by=BY)[code]


def make_subscription(
    *,
    interval: str = "month",
    kind: str = "card",
    starts_on: date | None = None,
    anchor_day: int | None = None,
    import_ref: str | None = None,
) -> int:
    """Its first period is due today unless `starts_on` says otherwise."""
    customer_id = make_customer()
    wish = NewSubscription(
        customer_id=customer_id,
        plan_id=make_plan(f"every-{interval}", interval=interval),
        payment_method_id=make_method(customer_id, kind=kind),
        starts_on=starts_on,
        anchor_day=anchor_day,
        import_ref=import_ref,
    )
    with transaction():
        return subscribe([wish], by=BY)[0]


def renew() -> int:
    with transaction():
        return renewing.renew_due(limit=500)


def subscription(subscription_id: int) -> Subscription:
    with transaction():
        found = db.session.get_one(Subscription, subscription_id, populate_existing=True)
        db.session.expunge(found)
        return found


def go_to(moment: datetime) -> None:
    with transaction():
        clock.set_to(moment)


def pass_time(step: timedelta) -> None:
    with transaction():
        clock.advance(step)
