"""Changes of plan, quantity and billing day: previewed, paid or refunded to the won, applied."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from opsapp.catalog.versioning import add_version
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.notifications.models import Notice
from opsapp.payments import charging, refunding
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.subscriptions import blocking, cancelling, changing, pausing
from opsapp.subscriptions.errors import (
    ChangeBlocked,
    ChangeIsOver,
    ChangeUnderWay,
    FiguresChanged,
    MoveRefused,
    NothingChanges,
)
from opsapp.subscriptions.models import SubscriptionChange
from opsapp.subscriptions.previewing_changes import ChangePreview, ChangeWish
from opsapp.tickets.models import Ticket
from tests.factories.accounts import violations
from tests.factories.payments import BY
from tests.factories.subscriptions import (
    go_to,
    make_plan,
    make_subscription,
    pass_time,
    renew,
    subscription,
)

WORKER = Actor("worker", "test")


@pytest.fixture(autouse=True)
def noon(app, gateway):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))


def work() -> None:
    """What the workers would do now."""
    with transaction():
        due = select(Attempt.id).where(Attempt.status == "ready", Attempt.due_at <= clock.now())
        attempts = list(db.session.scalars(due))
        refunds = list(db.session.scalars(select(Refund.id).where(Refund.status == "requested")))
    charging.execute_attempts(attempts, by=WORKER)
    refunding.execute_refunds(refunds, by=WORKER)


def paid_subscription(**terms) -> int:
    """9,900 won from 10 March, paid."""
    subscription_id = make_subscription(**terms)
    renew()
    work()
    return subscription_id


def look(subscription_id: int, **wish) -> ChangePreview:
    with transaction():
        return changing.preview_change(subscription_id, ChangeWish(**wish))


def change(subscription_id: int, **wish) -> ChangePreview:
    shown = look(subscription_id, **wish)
    with transaction():
        changing.change(subscription_id, ChangeWish(**wish), seen=shown.fingerprint, by=BY)
    return shown


def column(model: type, name: str) -> list:
    with transaction():
        return list(db.session.scalars(select(getattr(model, name)).order_by(model.id)))


def changes() -> list[str]:
    return column(SubscriptionChange, "status")


def test_more_now_is_paid_for_before_it_applies(gateway):
    id_ = paid_subscription()
    plus = make_plan("plus", amount=19_800)
    pass_time(timedelta(days=10))
    shown = look(id_, plan_id=plus)
    assert (shown.unused_days, shown.period_days) == (21, 31)
    assert (shown.proration.credit.minor, shown.proration.price.minor) == (6_706, 13_412)
    assert (shown.to_pay.minor, shown.to_refund.minor) == (6_706, 0)
    assert (shown.next_charge_on, shown.after.amount.minor) == (date(2026, 4, 10), 19_800)
    change(id_, plan_id=plus)
    assert (changes(), subscription(id_).amount_minor) == (["awaiting_payment"], 9_900)
    with pytest.raises(ChangeUnderWay), transaction():
        changing.preview_change(id_, ChangeWish(quantity=2))
    work()
    assert (changes(), subscription(id_).amount_minor) == (["applied"], 19_800)
    assert column(Payment, "captured_minor") == [9_900, 6_706]
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    work()
    assert column(Payment, "captured_minor") == [9_900, 6_706, 19_800]
    assert "plan_changed" in column(Notice, "kind")
    assert violations() == {}


def test_less_now_applies_at_once_and_gives_the_difference_back(gateway):
    id_ = paid_subscription()
    basic = make_plan("lite", amount=3_300)
    pass_time(timedelta(days=10))
    shown = change(id_, plan_id=basic)
    assert (shown.to_pay.minor, shown.to_refund.minor) == (0, 6_706 - 2_235)
    assert (changes(), subscription(id_).amount_minor) == (["applied"], 3_300)
    work()
    assert column(Payment, "refunded_minor") == [4_471]


def test_what_cannot_be_given_back_waits_for_the_end_of_the_period(gateway):
    id_ = paid_subscription()
    lite = make_plan("lite", amount=100)
    [payment_id] = column(Payment, "id")
    with transaction():
        wish = refunding.RefundWish("goodwill-1", Money(9_000, "KRW"), 9_900, "사과")
        refunding.request_refund(payment_id, wish, by=BY)
    work()
    shown = change(id_, plan_id=lite)
    assert (shown.when, shown.waits_because) == ("period_end", "not_refundable")
    assert (shown.to_refund.minor, shown.effective_on) == (0, date(2026, 4, 10))
    assert (changes(), subscription(id_).amount_minor) == (["planned"], 9_900)
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    assert (changes(), subscription(id_).amount_minor) == (["applied"], 100)
    assert column(Payment, "amount_minor") == [9_900, 100]


def test_a_difference_that_is_declined_changes_nothing_and_a_person_is_told(gateway):
    id_ = paid_subscription()
    plus = make_plan("plus", amount=19_800)
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    change(id_, plan_id=plus)
    work()
    gateway.clear()
    found = subscription(id_)
    assert (changes(), found.amount_minor, found.status) == (["withdrawn"], 9_900, "active")
    assert column(Payment, "status") == ["paid", "cancelled"]
    assert column(Ticket, "reason") == ["change_unpaid"]
    assert "plan_change_unpaid" in column(Notice, "kind")


@pytest.mark.parametrize("ended", [True, False])
def test_money_that_comes_for_a_change_nobody_wants_any_more_goes_back(gateway, ended):
    id_ = paid_subscription()
    plus = make_plan("plus", amount=19_800)
    change(id_, plan_id=plus)
    [change_id] = column(SubscriptionChange, "id")
    gateway.faults(lost_after=1.0)
    work()  # charged at the gateway, and the answer is lost
    gateway.clear()
    with transaction():
        if ended:
            cancelling.cancel(id_, by=BY)
        else:
            changing.withdraw_change(change_id, because="the customer changed his mind", by=BY)
    assert changes() == ["withdrawn"]
    pass_time(timedelta(minutes=1))
    with transaction():
        left = list(db.session.scalars(select(Attempt.id).where(Attempt.status == "unknown")))
    charging.execute_attempts(left, by=WORKER)
    work()
    assert subscription(id_).amount_minor == 9_900
    assert column(Payment, "refunded_minor") == [0, column(Payment, "captured_minor")[1]]
    assert column(Payment, "captured_minor")[1] > 0
    assert violations() == {}


def test_a_planned_change_applies_with_its_period_and_a_newer_one_takes_its_place(gateway):
    id_ = paid_subscription()
    plus = make_plan("plus", amount=19_800)
    change(id_, quantity=3, when="period_end")
    shown = change(id_, plan_id=plus, when="period_end")
    assert shown.replaces_change_id is not None
    with pytest.raises(FiguresChanged), transaction():
        again = ChangeWish(plan_id=plus, when="period_end")
        changing.change(id_, again, seen=shown.fingerprint, by=BY)
    assert changes() == ["withdrawn", "planned"]
    assert column(Notice, "status").count("revoked") == 1
    with pytest.raises(NothingChanges):
        look(id_, quantity=1)
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    assert column(Payment, "amount_minor") == [9_900, 19_800]
    [_, change_id] = column(SubscriptionChange, "id")
    with pytest.raises(ChangeIsOver), transaction():
        changing.withdraw_change(change_id, because="too late", by=BY)


def test_a_screen_that_is_not_true_any_more_is_refused(gateway):
    id_ = paid_subscription()
    shown = look(id_, quantity=2)
    pass_time(timedelta(days=1))
    with pytest.raises(FiguresChanged), transaction():
        changing.change(id_, ChangeWish(quantity=2), seen=shown.fingerprint, by=BY)
    assert changes() == []


def test_two_people_who_confirm_at_once_make_one_change(gateway, app):
    id_ = paid_subscription()
    wish, ready = ChangeWish(quantity=2), Barrier(2, timeout=60)
    seen = look(id_, quantity=2).fingerprint

    def confirm(_person: int) -> bool:
        with app.app_context():
            ready.wait()
            try:
                with transaction():
                    changing.change(id_, wish, seen=seen, by=BY)
            except (FiguresChanged, ChangeUnderWay):
                return False
            return True

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(confirm, range(2))) == [False, True]
    assert changes() == ["awaiting_payment"]
    assert len(column(Payment, "id")) == 2


def test_another_rhythm_now_begins_today_and_its_periods_keep_their_numbers(gateway):
    id_ = paid_subscription()
    go_to(datetime(2026, 4, 10, 3, tzinfo=UTC))
    renew()
    work()
    yearly = make_plan("yearly", amount=99_000, interval="month", interval_count=12)
    go_to(datetime(2026, 4, 25, 3, tzinfo=UTC))
    shown = change(id_, plan_id=yearly)
    assert (shown.proration.credit.minor, shown.to_pay.minor) == (4_950, 94_050)
    assert shown.next_charge_on == date(2027, 4, 25)
    work()
    found = subscription(id_)
    assert (found.next_period_index, found.anchor_day, found.interval_count) == (2, 25, 12)
    for year in (2027, 2028):
        go_to(datetime(year, 4, 25, 3, tzinfo=UTC))
        renew()
        work()
    assert column(Payment, "amount_minor") == [9_900, 9_900, 94_050, 99_000, 99_000]
    assert subscription(id_).next_due_at.astimezone(clock.SEOUL).date() == date(2029, 4, 25)
    assert violations() == {}


def test_another_rhythm_with_the_next_period_keeps_its_day(gateway):
    id_ = paid_subscription()
    weekly = make_plan("weekly", amount=2_500, interval="week")
    shown = change(id_, plan_id=weekly, when="period_end")
    assert (shown.effective_on, shown.to_pay.minor) == (date(2026, 4, 10), 0)
    for day in (10, 17, 24):
        go_to(datetime(2026, 4, day, 3, tzinfo=UTC))
        renew()
        work()
    assert column(Payment, "amount_minor") == [9_900, 2_500, 2_500, 2_500]


def test_another_billing_day_is_bridged_and_whole_periods_begin_on_it(gateway):
    go_to(datetime(2026, 1, 31, 3, tzinfo=UTC))
    id_ = paid_subscription(anchor_day=31)
    shown = change(id_, anchor_day=15)
    assert (shown.unused_days, shown.period_days) == (15, 28)
    assert (shown.to_pay.minor, shown.next_charge_on) == (5_303, date(2026, 3, 15))
    work()
    for month in (3, 4):
        go_to(datetime(2026, month, 15, 3, tzinfo=UTC))
        renew()
        work()
    found = subscription(id_)
    assert (found.anchor_day, found.next_period_index) == (15, 3)
    assert column(Payment, "amount_minor") == [9_900, 5_303, 9_900, 9_900]
    assert violations() == {}


def test_what_is_too_little_for_a_card_is_let_go(gateway):
    id_ = paid_subscription()
    shown = change(id_, plan_id=make_plan("a-little-more", amount=9_950))
    assert (shown.to_pay.minor, shown.proration.let_go.minor) == (0, 50)
    assert (changes(), subscription(id_).amount_minor) == (["applied"], 9_950)


def test_before_the_first_charge_a_change_costs_nothing_and_applies_at_once():
    id_ = make_subscription(trial_days=14)
    shown = change(id_, quantity=4)
    assert (shown.when, shown.to_pay.minor, shown.next_charge_on) == ("now", 0, date(2026, 3, 24))
    found = subscription(id_)
    assert (found.quantity, found.amount_minor, found.status) == (4, 39_600, "trialing")


def test_an_imported_contract_changes_with_its_next_period():
    id_ = make_subscription(starts_on=date(2025, 5, 20), import_ref="C-1|basic")
    shown = look(id_, quantity=2)
    assert (shown.when, shown.waits_because) == ("period_end", "not_paid_here")
    assert shown.effective_on == date(2026, 3, 20)


def test_the_price_of_the_day_on_which_it_begins_is_the_one_that_is_agreed(gateway):
    id_ = paid_subscription()
    plus = make_plan("plus", amount=19_800)
    with transaction():
        add_version(plus, amount=Money(25_000, "KRW"), effective_on=date(2026, 4, 1), by=BY)
    assert look(id_, plan_id=plus).after.amount.minor == 19_800
    later = look(id_, plan_id=plus, when="period_end").after
    assert (later.amount.minor, later.plan_version) == (25_000, 2)


def test_blocks_ends_and_pauses_stand_in_the_way(gateway):
    id_ = paid_subscription()
    with transaction():
        pausing.pause(id_, by=BY)
    assert look(id_, quantity=2).waits_because == "standing_still"
    with transaction():
        blocking.place(id_, cause="hold", change=True, because="fraud", by=BY)
    with pytest.raises(ChangeBlocked):
        look(id_, quantity=2)
    with transaction():
        cancelling.cancel(id_, by=BY)
    with pytest.raises(MoveRefused):
        look(id_, quantity=2)
