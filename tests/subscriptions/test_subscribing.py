from datetime import UTC, date, datetime

import pytest

from opsapp.customers.deleting import delete
from opsapp.customers.errors import MethodNotUsable, MethodOfAnother
from opsapp.kernel import clock
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.subscriptions.subscribing import NewSubscription, subscribe
from tests.factories.payments import BY, make_customer, make_method
from tests.factories.subscriptions import go_to, make_plan, make_subscription, renew, subscription


def one(wish: NewSubscription) -> int:
    with transaction():
        return subscribe([wish], by=BY)[0]


def test_it_starts_today_and_keeps_the_price_of_its_plan(app):
    go_to(datetime(2026, 5, 30, 16, tzinfo=UTC))  # the 31st in Seoul
    found = subscription(make_subscription())
    assert (found.anchor_on, found.anchor_day) == (date(2026, 5, 31), 31)
    assert (found.amount_minor, found.currency, found.interval) == (9900, "KRW", "month")
    assert found.consented_on == date(2026, 5, 31)


def test_an_imported_contract_is_billed_from_today_on(app):
    go_to(datetime(2026, 11, 22, 3, tzinfo=UTC))
    old = make_subscription(starts_on=date(2020, 1, 31), anchor_day=31, import_ref="a|b")
    found = subscription(old)
    assert clock.seoul_date(found.next_due_at) == date(2026, 11, 30)
    assert renew() == 0


def test_a_contract_that_is_due_today_is_billed_today(app):
    go_to(datetime(2026, 11, 22, 3, tzinfo=UTC))
    make_subscription(starts_on=date(2020, 1, 22), import_ref="a|b")
    assert renew() == 1


def test_a_contract_that_ended_elsewhere_is_never_billed(app):
    customer_id = make_customer()
    wish = NewSubscription(
        customer_id, make_plan(), make_method(customer_id),
        starts_on=date(2026, 1, 1), import_ref="a|b", cancelled_on=date(2026, 2, 1),
    )  # fmt: skip
    found = subscription(one(wish))
    assert (found.status, found.cancelled_on) == ("cancelled", date(2026, 2, 1))
    assert renew() == 0


def test_the_method_must_be_the_customers_own_and_alive(app):
    plan_id, mine, other = make_plan(), make_customer(), make_customer()
    method_id = make_method(other)
    with pytest.raises(MethodOfAnother):
        one(NewSubscription(mine, plan_id, method_id))
    with transaction():
        delete(method_id, by=BY)
    with pytest.raises(MethodNotUsable, match="deleting"):
        one(NewSubscription(other, plan_id, method_id))
    with pytest.raises(NotFound, match="payment method"):
        one(NewSubscription(mine, plan_id, 404))
    with pytest.raises(NotFound, match="plan"):
        one(NewSubscription(mine, 404, make_method(mine)))


@pytest.mark.parametrize("anchor_day", [0, 32])
def test_a_day_that_no_month_has_is_refused(anchor_day):
    with pytest.raises(Invalid, match="anchor_day"):
        NewSubscription(1, 1, 1, anchor_day=anchor_day)


def test_a_first_day_that_is_not_the_agreed_day_is_refused(app):
    with pytest.raises(Invalid, match="does not fit the first day"):
        make_subscription(starts_on=date(2026, 3, 5), anchor_day=31)
