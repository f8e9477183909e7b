"""Subscriptions made through the real verbs."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from opsapp.catalog.planning import NewPlan, add_plans
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.notifications.events import NoticeFact, NoticesAttempted
from opsapp.subscriptions import announcing, renewing
from opsapp.subscriptions.models import AdvanceNotice, Subscription
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
    **terms: int,
) -> int:
    """Its first period is due today unless `starts_on` or `trial_days` say otherwise."""
    customer_id = make_customer()
    wish = NewSubscription(
        customer_id=customer_id,
        plan_id=make_plan(f"every-{interval}", interval=interval),
        payment_method_id=make_method(customer_id, kind=kind),
        starts_on=starts_on,
        anchor_day=anchor_day,
        import_ref=import_ref,
        **terms,
    )
    with transaction():
        return subscribe([wish], by=BY)[0]


def renew() -> int:
    """As a day goes on which everything was announced in time."""
    announce()
    with transaction():
        return renewing.renew_due(limit=500)


def announce() -> int:
    """What is announced by now, and carried by a channel; returns how many messages."""
    with transaction():
        announcing.hold_back(clock.now(), limit=500)
        while announcing.announce_due(limit=500):
            pass
        unheard = select(AdvanceNotice).where(AdvanceNotice.attempted_at.is_(None))
        told = db.session.scalars(unheard).all()
        facts = [
            NoticeFact(
                0, announcing.UPCOMING, announcing.SUBJECT, notice.id, 0, clock.now(), "sent"
            )
            for notice in told
        ]
        announcing.on_notices_attempted(NoticesAttempted(tuple(facts)))
    return len(facts)


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
