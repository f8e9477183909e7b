import re
from datetime import date

import pytest
from sqlalchemy import select

from opsapp.customers.errors import LinkUnknown
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import BankAccount
from opsapp.insights import probing
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.notifications import delivering
from opsapp.notifications.models import Notice
from opsapp.payments import asking_accounts, charging, refunding
from opsapp.payments.errors import (
    AccountNotAwaited,
    NothingToReturn,
    OnlyWhole,
    RefundableChanged,
    RefundMonthOver,
    RefundUnderWay,
)
from opsapp.payments.limiting import limit_refunds
from opsapp.payments.models import Refund, UnmatchedMoney
from opsapp.tickets.models import Ticket
from tests.factories import payments as make

BY = Actor("staff", "7")
WORKER = Actor("worker", "test")
OWN = {"bank": "04", "number": "123-456-7890", "holder": "김 래원"}


@pytest.fixture
def deposited(app, gateway):
    """A virtual account of 9,900 won, paid in whole."""
    [payment_id] = make.make_payments(kind="virtual_account")
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    [order_id] = make.order_ids([payment_id])
    gateway.deposit(orderId=order_id)
    make.make_everything_due()
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    assert make.payment(payment_id).status == "paid"
    return payment_id


def request(payment_id, amount=9900, *, seen=9900, account=None):
    wish = refunding.RefundWish(
        new_ref("form"), Money(amount, "KRW"), seen, "고객 요청", account=account
    )
    with transaction():
        return refunding.request_refund(payment_id, wish, by=BY)


def account(**changes):
    return asking_accounts.read_account(**(OWN | changes))


def refund(refund_id):
    with transaction():
        found = db.session.get_one(Refund, refund_id, populate_existing=True)
        db.session.expunge(found)
        return found


def mail(monkeypatch):
    """What is written to the customer, caught where it leaves the building."""
    sent = []
    compose = delivering.wording.compose

    def note(**values):
        message = compose(**values)
        sent.append(message.text)
        return message

    monkeypatch.setattr(delivering.wording, "compose", note)
    with transaction():
        ids = list(db.session.scalars(select(Notice.id).where(Notice.status == "queued")))
    delivering.send_notices(ids, by=WORKER)
    return sent


def token_of(texts):
    [token] = re.findall(r"/my/refund-account/([\w-]+)", "\n".join(texts))
    return token


def broken():
    return [(row.id, row.examples) for row in probing.run_probes() if row.violations]


def tickets():
    with transaction():
        rows = db.session.execute(select(Ticket.reason, Ticket.status).order_by(Ticket.id))
        return [tuple(row) for row in rows]


def test_a_deposit_is_refunded_to_the_account_that_the_customer_names(
    deposited, gateway, monkeypatch
):
    refund_id = request(deposited)
    assert refund(refund_id).status == "awaiting_account"
    assert make.payment(deposited).refund_pending_minor == 9900
    refunding.execute_refunds([refund_id], by=WORKER)
    assert refund(refund_id).status == "awaiting_account", "no turn is taken without an account"
    token = token_of(mail(monkeypatch))
    with transaction():
        asking_accounts.give_account(token, account())
    named = refund(refund_id)
    assert named.status == "requested"
    assert named.account["number"] == "******7890"
    assert b"1234567890" not in named.account_sealed
    refunding.execute_refunds([refund_id], by=WORKER)
    done = refund(refund_id)
    assert (done.status, done.account_sealed) == ("succeeded", None)
    [there] = gateway.payments(*make.order_ids([deposited]))
    assert there["virtualAccount"]["refundReceiveAccount"]["accountNumber"] == "1234567890"
    assert make.payment(deposited).status == "refunded"
    assert tickets() == [("refund_account_asked", "resolved")]
    assert broken() == []


def test_a_link_opens_one_account_once(deposited, monkeypatch):
    refund_id = request(deposited)
    token = token_of(mail(monkeypatch))
    with transaction():
        asking_accounts.give_account(token, account())
    with pytest.raises(LinkUnknown), transaction():
        asking_accounts.give_account(token, account(number="999"))
    assert refund(refund_id).account["number"].endswith("7890")


def test_another_name_waits_for_a_person_who_confirms_it(deposited, owner, monkeypatch):
    refund_id = request(deposited)
    token = token_of(mail(monkeypatch))
    with transaction():
        asking_accounts.give_account(token, account(holder="박하늘"))
    assert refund(refund_id).status == "awaiting_account"
    assert refund(refund_id).account["holder"] == "박*늘"
    assert ("refund_holder_differs", "open") in tickets()
    with pytest.raises(Invalid), transaction():
        asking_accounts.confirm_holder(refund_id, reason=" ", by=BY)
    with transaction():
        asking_accounts.confirm_holder(refund_id, reason="통화로 배우자 확인", by=BY)
    assert refund(refund_id).status == "requested"
    assert {status for _, status in tickets()} == {"resolved"}
    logged = owner.execute(
        "SELECT because FROM audit_entries WHERE subject_type = 'refund' AND actor = 'staff:7'"
    ).fetchall()
    assert any("통화로 배우자 확인" in because for (because,) in logged)


def test_asking_again_forgets_the_other_name_and_sends_another_link(deposited, monkeypatch):
    refund_id = request(deposited)
    first = token_of(mail(monkeypatch))
    with transaction():
        asking_accounts.give_account(first, account(holder="박하늘"))
    with transaction():
        asking_accounts.ask_again(refund_id, by=BY)
    second = token_of(mail(monkeypatch))
    assert second != first
    assert refund(refund_id).account is None
    with transaction():
        asking_accounts.give_account(second, account())
    assert refund(refund_id).status == "requested"


def test_an_account_that_the_gateway_refuses_is_asked_for_again_under_a_new_key(
    deposited, monkeypatch
):
    refund_id = request(deposited, account=BankAccount("99", "12345678", "김래원"))
    first_key = refund(refund_id).idempotency_key
    refunding.execute_refunds([refund_id], by=WORKER)
    assert refund(refund_id).status == "unknown", "what was refused is looked at first"
    make.make_everything_due()
    refunding.execute_refunds([refund_id], by=WORKER)
    refused = refund(refund_id)
    assert (refused.status, refused.failure_code, refused.account_sealed) == (
        "awaiting_account",
        "INVALID_BANK",
        None,
    )
    assert make.payment(deposited).refund_pending_minor == 9900
    token = token_of(mail(monkeypatch))
    with transaction():
        asking_accounts.give_account(token, account(number="55556666"))
    assert refund(refund_id).idempotency_key != first_key
    refunding.execute_refunds([refund_id], by=WORKER)
    assert refund(refund_id).status == "succeeded"
    assert make.payment(deposited).refunded_minor == 9900
    assert broken() == []


def test_staff_may_type_in_what_they_were_told(deposited):
    refund_id = request(deposited, amount=4000)
    with transaction():
        asking_accounts.type_account(refund_id, account(), by=BY)
    refunding.execute_refunds([refund_id], by=WORKER)
    assert make.payment(deposited).status == "partly_refunded"


def test_a_refund_that_waits_for_an_account_can_be_withdrawn(deposited, monkeypatch):
    refund_id = request(deposited)
    token = token_of(mail(monkeypatch))
    with pytest.raises(RefundUnderWay):
        request(deposited, amount=100, seen=0)
    with transaction():
        asking_accounts.withdraw(refund_id, reason="고객이 마음을 바꿈", by=BY)
    assert refund(refund_id).status == "withdrawn"
    assert make.payment(deposited).refundable.minor == 9900
    with pytest.raises(LinkUnknown), transaction():
        asking_accounts.give_account(token, account())
    with pytest.raises(AccountNotAwaited), transaction():
        asking_accounts.type_account(refund_id, account(), by=BY)
    assert broken() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"bank": "99"},
        {"bank": ""},
        {"number": ""},
        {"number": "12a4"},
        {"number": "1" * 21},
        {"holder": ""},
        {"holder": "가" * 61},
        {"holder": "가\x00"},
    ],
)
def test_an_account_that_no_bank_could_have_is_refused(changes):
    with pytest.raises(Invalid):
        account(**changes)


@pytest.mark.parametrize("holder", ["김래원", "김 래 원", "김래원 ", "김·래원"])
def test_a_name_is_the_same_however_a_bank_writes_it(app, holder):
    customer_id = make.make_customer()
    with transaction():
        assert not asking_accounts.holder_differs(account(holder=holder), customer_id=customer_id)
        assert asking_accounts.holder_differs(account(holder="김래언"), customer_id=customer_id)


@pytest.fixture
def paid(app, gateway):
    [payment_id] = make.make_payments()
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    return payment_id


def paid_by_mobile(owner, *, months_ago=0):
    owner.execute("UPDATE attempts SET method_kind = 'mobile'")
    owner.execute(
        "UPDATE payments SET method_kind = 'mobile',"
        " paid_at = paid_at - make_interval(months => %s)",
        [months_ago],
    )


def test_a_mobile_payment_is_refunded_whole_or_not_at_all(paid, owner):
    paid_by_mobile(owner)
    with pytest.raises(OnlyWhole):
        request(paid, amount=100)
    assert refund(request(paid)).status == "requested"


def test_a_mobile_payment_of_last_month_is_not_refunded(paid, owner):
    paid_by_mobile(owner, months_ago=1)
    with pytest.raises(RefundMonthOver):
        request(paid)
    assert make.payment(paid).refund_pending_minor == 0


def test_the_month_of_a_mobile_payment_is_over_with_its_last_day():
    mobile = {"method_kind": "mobile", "paid_on": date(2026, 11, 1)}
    toss = TossGateway.capabilities
    assert not limit_refunds(toss, today=date(2026, 11, 30), **mobile).is_month_over
    assert limit_refunds(toss, today=date(2026, 12, 1), **mobile).is_month_over
    assert limit_refunds(toss, today=date(2027, 11, 1), **mobile).is_month_over


def test_an_account_for_a_way_of_paying_that_needs_none_is_refused(paid):
    with pytest.raises(Invalid):
        request(paid, account=account())


@pytest.fixture
def late(deposited, owner):
    """Money beside the payment: 500 won that nobody waited for."""
    [attempt_id] = make.attempt_ids([deposited])
    wish = unmatched_row(owner, attempt_id, deposited)
    return wish, deposited


def unmatched_row(owner, attempt_id, payment_id):
    [(deposit_id,)] = owner.execute(
        "INSERT INTO deposits (gateway_name, deposit_key, attempt_id, payment_id, amount_minor,"
        " currency) VALUES ('toss', 'late_1', %s, %s, 500, 'KRW') RETURNING id",
        [attempt_id, payment_id],
    ).fetchall()
    [(case_id,)] = owner.execute(
        "INSERT INTO unmatched_money (ref, attempt_id, payment_id, customer_id, deposit_id,"
        " gateway_name, gateway_key, reason, amount_minor, currency, status)"
        " SELECT 'un_1', a.id, a.payment_id, p.customer_id, %s, 'toss', a.gateway_key, 'over', 500,"
        " 'KRW', 'open' FROM attempts a JOIN payments p ON p.id = a.payment_id WHERE a.id = %s"
        " RETURNING id",
        [deposit_id, attempt_id],
    ).fetchall()
    return case_id


def give_back(case_id, *, amount=500):
    wish = refunding.RefundWish(new_ref("form"), Money(amount, "KRW"), amount, "초과 입금 반환")
    with transaction():
        return refunding.request_return(case_id, wish, by=BY)


def case_status(case_id):
    with transaction():
        return db.session.scalars(
            select(UnmatchedMoney.status).where(UnmatchedMoney.id == case_id)
        ).one()


def test_money_beside_a_payment_goes_back_without_touching_its_amounts(late):
    case_id, payment_id = late
    refund_id = give_back(case_id)
    assert case_status(case_id) == "returning"
    with pytest.raises(NothingToReturn):
        give_back(case_id)
    with transaction():
        asking_accounts.type_account(refund_id, account(), by=BY)
    # The sandbox takes no sum but the exact one: there the money is the payment's own, and our
    # lock, which counts what lies beside it, is refused.
    refunding.execute_refunds([refund_id], by=WORKER)
    make.make_everything_due()
    refunding.execute_refunds([refund_id], by=WORKER)
    assert refund(refund_id).status == "refused"
    assert case_status(case_id) == "open"
    untouched = make.payment(payment_id)
    assert (untouched.refunded_minor, untouched.refund_pending_minor) == (0, 0)


def test_a_return_that_was_made_closes_the_case_and_the_books_agree(late, owner):
    case_id, payment_id = late
    refund_id = give_back(case_id)
    owner.execute("UPDATE refunds SET refundable_before_minor = 9900")
    with transaction():
        asking_accounts.type_account(refund_id, account(), by=BY)
    refunding.execute_refunds([refund_id], by=WORKER)
    assert refund(refund_id).status == "succeeded"
    assert case_status(case_id) == "returned"
    assert make.payment(payment_id).refunded_minor == 0
    [posted] = owner.execute(
        "SELECT debit_account, credit_account, amount_minor FROM ledger_transfers"
        " WHERE kind = 'return'"
    ).fetchall()
    assert posted == ("unmatched_money", "gateway_clearing:toss", 500)


def test_only_the_whole_of_a_case_is_returned(late):
    with pytest.raises(RefundableChanged):
        give_back(late[0], amount=400)


def test_a_withdrawn_return_leaves_the_case_open(late):
    refund_id = give_back(late[0])
    with transaction():
        asking_accounts.withdraw(refund_id, reason="결제로 인정", by=BY)
    assert case_status(late[0]) == "open"
