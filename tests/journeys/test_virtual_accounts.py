"""Every way a deposit can go, end to end: what we then hold to be true, and that the books agree.

The gateway is the sandbox, and the PortOne double where a bank lets in another sum than the
amount; the vendor whose rules the sandbox keeps refuses those.
"""

import secrets
from datetime import timedelta

import pytest

from opsapp.gateways.values import BankAccount
from opsapp.kernel.db import transaction
from opsapp.kernel.money import Money
from opsapp.payments import accepting, charging, refunding, reversing
from opsapp.payments.errors import NotAcceptable
from opsapp.payments.refunding import RefundWish
from opsapp.subscriptions import cancelling
from tests.factories import accounts, payments as make
from tests.factories.accounts import AMOUNT
from tests.factories.payments import BY
from tests.factories.subscriptions import make_subscription, pass_time, renew, subscription
from tests.payments.conftest import gateway as gateway

PAID = ("succeeded", "paid", AMOUNT)
WAITS = ("waiting", "awaiting_deposit", 0)
LIFE = timedelta(hours=168)
KAKAO = BankAccount("90", "3333011234567", "김래원")


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def run_out(gateway):
    """Accounts issued now have ten minutes left; then their time is over, here and there."""
    gateway.clock((timedelta(minutes=10) - LIFE).total_seconds())

    def later() -> None:
        pass_time(step := timedelta(minutes=11, seconds=30))
        gateway.clock(step.total_seconds())

    yield later
    gateway.clock(0)


def tell(client, gateway, account, **changes):
    answer = accounts.callback(gateway, account, **changes).send(client)
    accounts.read_events()
    return answer.status_code


def expire(account):
    charging.execute_attempts([account.attempt_id], by=BY)


def test_the_exact_sum_pays_the_payment(app, client, gateway):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id)
    assert tell(client, gateway, account) == 200
    assert accounts.stands(account) == PAID
    assert (accounts.arrived(account), accounts.cases(account)) == ([AMOUNT], [])
    assert accounts.violations() == {}


def test_a_deposit_whose_message_was_lost_is_found_by_the_look(app, gateway):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id)
    pass_time(timedelta(hours=6, minutes=1))
    charging.execute_attempts([account.attempt_id], by=BY)
    assert accounts.stands(account) == PAID
    assert accounts.violations() == {}


def test_a_message_that_comes_twice_and_out_of_order_pays_once(app, client, gateway):
    account = accounts.issue()
    issued = accounts.callback(gateway, account, delivery="issued")
    gateway.deposit(orderId=account.order_id)
    paid = accounts.callback(gateway, account, delivery="paid")
    for message in (paid, issued, paid, issued):
        assert message.send(client).status_code == 200
        accounts.read_events()
    assert accounts.stands(account) == PAID
    assert accounts.arrived(account) == [AMOUNT]
    assert accounts.violations() == {}


def test_a_short_sum_is_refused_by_the_bank_and_the_exact_one_pays(app, client, gateway):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id, kind="short")
    accounts.look(account)
    assert (accounts.stands(account), accounts.arrived(account)) == (WAITS, [])
    gateway.deposit(orderId=account.order_id)
    assert tell(client, gateway, account) == 200
    assert accounts.stands(account) == PAID
    assert accounts.violations() == {}


def test_a_sum_above_the_amount_is_refused_by_the_bank(app, gateway):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id, kind="over")
    accounts.look(account)
    assert (accounts.stands(account), accounts.arrived(account)) == (WAITS, [])
    assert accounts.violations() == {}


def test_another_depositor_pays_all_the_same_and_is_kept_masked(app, client, gateway, owner):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id, kind="wrong_depositor")
    tell(client, gateway, account)
    assert accounts.stands(account) == PAID
    assert owner.execute("SELECT depositor FROM deposits").fetchall() == [("모***람",)]
    assert accounts.violations() == {}


def test_an_account_that_ran_out_is_closed_without_any_message(app, gateway, run_out):
    account = accounts.issue()
    run_out()
    expire(account)
    assert accounts.stands(account) == ("declined", "failed", 0)
    assert (accounts.arrived(account), accounts.cases(account)) == ([], [])
    assert accounts.violations() == {}


def test_an_account_is_looked_at_right_after_its_deadline(app, owner):
    account = accounts.issue()
    pass_time(LIFE - timedelta(hours=2))
    charging.execute_attempts([account.attempt_id], by=BY)
    [(left,)] = owner.execute("SELECT due_at - deposit_due_at FROM attempts").fetchall()
    assert left == timedelta(minutes=1)


def test_a_deposit_after_the_deadline_becomes_a_case(app, client, gateway, run_out):
    account = accounts.issue()
    run_out()
    expire(account)
    gateway.deposit(orderId=account.order_id, kind="late")
    tell(client, gateway, account)
    assert accounts.stands(account) == ("declined", "failed", 0)
    assert accounts.cases(account) == [("late", AMOUNT, "open")]
    assert accounts.open_tickets() == ["unmatched_money"]
    assert accounts.violations() == {}


def test_a_late_deposit_that_staff_accept_pays_the_payment(app, client, gateway, run_out):
    account = accounts.issue()
    run_out()
    expire(account)
    gateway.deposit(orderId=account.order_id, kind="late")
    tell(client, gateway, account)
    case = accounts.case_id(account)
    for _ in range(2):
        with transaction():
            accepting.accept_unmatched(case, by=BY)
    assert accounts.stands(account) == PAID
    assert accounts.cases(account) == [("late", AMOUNT, "accepted")]
    assert accounts.open_tickets() == []
    assert accounts.violations() == {}


def test_a_cancel_before_the_deposit_closes_the_account_at_the_gateway(app, gateway):
    subscription_id = make_subscription(kind="virtual_account")
    account = issued_renewal()
    with transaction():
        cancelling.cancel(subscription_id, by=BY)
    charging.execute_attempts([account.attempt_id], by=BY)
    assert accounts.stands(account)[:2] == ("declined", "cancelled")
    [held] = gateway.payments(account.order_id)
    assert held["status"] == "CANCELED"
    gateway.deposit(orderId=account.order_id)
    [held] = gateway.payments(account.order_id)
    assert held["status"] == "CANCELED", "the bank refuses what comes now"
    accounts.look(account)
    assert accounts.arrived(account) == []
    assert accounts.violations() == {}


def test_a_deposit_faster_than_the_cancel_is_on_its_way_back_by_itself(app, gateway):
    subscription_id = make_subscription(kind="virtual_account")
    account = issued_renewal()
    with transaction():
        cancelling.cancel(subscription_id, by=BY)
    gateway.deposit(orderId=account.order_id)
    for _ in range(3):
        accounts.look(account)
    assert accounts.stands(account) == ("declined", "cancelled", 0)
    assert accounts.cases(account) == [("after_cancel", 9_900, "returning")]
    case = accounts.case_id(account)
    with transaction(), pytest.raises(NotAcceptable):
        accepting.accept_unmatched(case, by=BY)
    assert accounts.violations() == {}


def test_a_deposit_that_the_bank_takes_back_is_awaited_again(app, client, gateway):
    make_subscription(kind="virtual_account")
    account = issued_renewal()
    gateway.deposit(orderId=account.order_id)
    tell(client, gateway, account, delivery="paid")
    gateway.deposit(orderId=account.order_id, kind="reversed")
    tell(client, gateway, account, delivery="reversed")
    assert accounts.stands(account) == WAITS
    assert accounts.arrived(account) == [9_900, -9_900]
    assert accounts.open_tickets() == ["deposit_reversed"]
    assert subscription(1).status == "past_due", "its period is owed again"
    assert accounts.violations() == {}


def test_a_deposit_taken_back_and_paid_again_pays(app, client, gateway):
    make_subscription(kind="virtual_account")
    account = issued_renewal()
    for kind in ("exact", "reversed", "exact"):
        gateway.deposit(orderId=account.order_id, kind=kind)
        tell(client, gateway, account, delivery=secrets.token_hex(4))
    assert accounts.stands(account) == ("succeeded", "paid", 9_900)
    assert accounts.arrived(account) == [9_900, -9_900, 9_900]
    assert subscription(1).status == "active"
    assert accounts.violations() == {}


def test_a_deposit_taken_back_while_it_is_refunded_is_left_to_a_person(app, client, gateway):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id)
    tell(client, gateway, account, delivery="paid")
    wish = RefundWish(secrets.token_hex(8), make.payment(account.payment_id).amount, AMOUNT, "변심")
    with transaction():
        refunding.request_refund(account.payment_id, wish, by=BY)
    gateway.deposit(orderId=account.order_id, kind="reversed")
    tell(client, gateway, account, delivery="reversed")
    assert accounts.stands(account) == PAID
    assert accounts.arrived(account) == [AMOUNT, -AMOUNT]
    assert "deposit_reversed" in accounts.open_tickets()
    assert accounts.violations() == {}


def test_a_forged_message_changes_nothing(app, client, gateway, owner):
    account = accounts.issue()
    before = owner.execute("SELECT count(*) FROM audit_entries").fetchone()
    message = accounts.callback(gateway, account, secret="ps_guessed", status="DONE")
    assert message.send(client).status_code == 403
    accounts.read_events()
    assert owner.execute("SELECT count(*) FROM audit_entries").fetchone() == before
    assert accounts.stands(account) == WAITS
    assert accounts.violations() == {}


def test_a_reversal_that_is_told_again_takes_nothing_twice(app, client, gateway):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id)
    tell(client, gateway, account, delivery="paid")
    gateway.deposit(orderId=account.order_id, kind="reversed")
    for _ in range(2):
        tell(client, gateway, account, delivery=secrets.token_hex(4))
        with transaction():
            reversing.reverse_deposit(account.attempt_id, deposit_key="again", by=BY)
    assert accounts.arrived(account) == [AMOUNT, -AMOUNT]
    assert accounts.violations() == {}


def test_a_late_deposit_that_the_bank_takes_back_ends_its_case(app, client, gateway, run_out):
    account = accounts.issue()
    run_out()
    expire(account)
    gateway.deposit(orderId=account.order_id, kind="late")
    tell(client, gateway, account, delivery="late")
    with transaction():
        reversing.reverse_deposit(account.attempt_id, deposit_key=None, by=BY)
    gateway.deposit(orderId=account.order_id, kind="reversed")
    assert accounts.cases(account) == [("late", AMOUNT, "returned")]
    assert accounts.open_tickets() == []
    assert accounts.violations() == {}


def test_a_late_deposit_goes_back_to_the_account_that_staff_are_told(app, client, gateway, run_out):
    account = accounts.issue()
    run_out()
    expire(account)
    gateway.deposit(orderId=account.order_id, kind="late")
    tell(client, gateway, account)
    wish = RefundWish(secrets.token_hex(8), Money(AMOUNT, "KRW"), AMOUNT, "기한 후 입금", KAKAO)
    case_id = accounts.case_id(account)
    with transaction():
        refund_id = refunding.request_return(case_id, wish, by=BY)
    refunding.execute_refunds([refund_id], by=BY)
    assert accounts.stands(account) == ("declined", "failed", 0)
    assert accounts.cases(account) == [("late", AMOUNT, "returned")]
    assert "unmatched_money" not in accounts.open_tickets()
    assert accounts.violations() == {}


def test_a_deposit_taken_back_after_part_was_refunded_is_a_debit_to_be_claimed(
    app, client, gateway
):
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id)
    tell(client, gateway, account)
    wish = RefundWish(secrets.token_hex(8), Money(20_000, "KRW"), AMOUNT, "부분 취소", KAKAO)
    with transaction():
        refund_id = refunding.request_refund(account.payment_id, wish, by=BY)
    refunding.execute_refunds([refund_id], by=BY)
    assert accounts.stands(account) == ("succeeded", "partly_refunded", AMOUNT)
    assert accounts.violations() == {}
    with transaction():
        reversing.reverse_deposit(account.attempt_id, deposit_key="reversal", by=BY)
    assert accounts.stands(account) == ("succeeded", "partly_refunded", AMOUNT)
    assert accounts.open_tickets() == ["deposit_reversed"]
    assert accounts.violations().keys() == {"I4"}, "the gateway itself knows of no such reversal"


def issued_renewal():
    renew()
    return accounts.issue_for(1)
