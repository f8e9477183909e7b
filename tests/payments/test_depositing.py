"""Whatever a bank does and however it is told: deposits are the payment's or a case, to the won."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from sqlalchemy import select

from opsapp.gateways.values import Account, Answer, FailureClass, Outcome
from opsapp.insights import probing, probing_books, probing_deposits
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer
from opsapp.payments import accepting, charging, closing, depositing, recording, reversing
from opsapp.payments.depositing import DepositSeen
from opsapp.payments.errors import NotAcceptable
from opsapp.payments.models import Attempt
from tests.factories import accounts, payments as make
from tests.factories.accounts import IssuedAccount
from tests.factories.payments import BY

WON = 1_000
OPEN = ("waiting", "unknown")


def issue_quietly(owner, *, count=1):
    """Accounts as if they had been issued, without asking the gateway."""
    payment_ids = make.make_payments(count, kind="virtual_account", amount=WON)
    owner.execute(
        "UPDATE attempts SET status = 'waiting', gateway_key = 'pk_' || id, "
        "first_sent_at = clock_timestamp(), last_sent_at = clock_timestamp()"
        " WHERE payment_id = ANY(%s)",
        [payment_ids],
    )
    owner.execute(
        "UPDATE payments SET status = 'awaiting_deposit' WHERE id = ANY(%s)", [payment_ids]
    )
    return [
        IssuedAccount(payment_id, attempt_id, order_id)
        for payment_id, attempt_id, order_id in zip(
            payment_ids, make.attempt_ids(payment_ids), make.order_ids(payment_ids), strict=True
        )
    ]


def told(account, total, *, key=None):
    """The gateway's answer when this much has arrived in all."""
    is_paid = total >= WON
    return Answer(
        Outcome.APPROVED if is_paid else Outcome.PENDING,
        "as the gateway says",
        gateway_key=f"pk_{account.attempt_id}",
        amount=Money(WON, "KRW"),
        deposited=Money(total, "KRW"),
        deposit_key=key or f"key.{account.attempt_id}.{total}",
        depositor="홍길동",
        account=Account("20", "X123", clock.now() + timedelta(days=7), "secret", False),
    )


RAN_OUT = Answer(
    Outcome.DECLINED,
    "no deposit before the deadline",
    code="DEPOSIT_EXPIRED",
    failure_class=FailureClass.AUTHENTICATION,
    retry_mode="later",
)


def answer(account, what):
    """One turn of the attempt, with this answer instead of the gateway's."""
    make.make_everything_due()
    with transaction():
        [claim] = charging._claim([account.attempt_id], by=BY)
    with transaction():
        recording.record_answers([(claim, what)], by=BY)


def seen(account, total, *, reason, matched=0):
    return DepositSeen(
        attempt_id=account.attempt_id,
        payment_id=account.payment_id,
        customer_id=make.payment(account.payment_id).customer_id,
        gateway_name="toss",
        gateway_key=f"pk_{account.attempt_id}",
        currency="KRW",
        deposited_minor=total,
        matched_minor=matched,
        deposit_key=f"key.{account.attempt_id}.{total}",
        depositor=None,
        reason=reason,
    )


def record(*what):
    with transaction():
        depositing.record_deposits(what, by=BY)


def broken():
    with transaction():
        found = probing._ask({"I5": probing_books.books(), "I7": probing_deposits.deposits()})
    return [example for _count, examples in found.values() for example in examples]


def unmatched_balance(account):
    """What stands on the account of unmatched money for the payment."""
    with transaction():
        rows = db.session.execute(
            select(
                LedgerTransfer.debit_account,
                LedgerTransfer.credit_account,
                LedgerTransfer.amount_minor,
            ).where(LedgerTransfer.payment_id == account.payment_id)
        ).all()
    credit = sum(r.amount_minor for r in rows if r.credit_account == "unmatched_money")
    return credit - sum(r.amount_minor for r in rows if r.debit_account == "unmatched_money")


def assert_equation(account):
    captured = accounts.stands(account)[2]
    assert sum(accounts.arrived(account)) == captured + unmatched_balance(account)
    assert broken() == []


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next: a running total is told, time runs out, staff act, ..."""

    what: str
    total: int = 0


steps = st.one_of(
    st.builds(Step, st.just("told"), st.sampled_from([0, 300, 999, 1_000, 1_300, 2_000])),
    st.builds(Step, st.sampled_from(["reversed", "run out", "given up", "accepted"])),
)


@given(story=st.lists(steps, min_size=1, max_size=9))
@hypothesis_settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_deposits_are_matched_or_unmatched_at_every_step_of_any_story(app, gateway, owner, story):
    [account] = issue_quietly(owner)
    for step in story:
        take(account, step)
        assert_equation(account)


def take(account, step):
    status, _, captured = accounts.stands(account)
    known = sum(accounts.arrived(account))
    if step.what == "given up":
        with transaction():
            closing.close_accounts([account.payment_id], because="given up", by=BY)
    elif step.what == "accepted":
        accept_what_can_be(account)
    elif step.what == "reversed":
        with transaction():
            reversing.reverse_deposit(account.attempt_id, deposit_key=None, by=BY)
    elif step.what == "run out" and status in OPEN:
        answer(account, RAN_OUT)
    elif step.what == "told" and status in OPEN:
        answer(account, told(account, step.total))
    elif step.what == "told" and step.total > known:
        reason = "over" if status == "succeeded" else "late"
        record(seen(account, step.total, reason=reason, matched=captured))


def accept_what_can_be(account):
    with transaction():
        ids = list(
            db.session.scalars(
                select(accepting.UnmatchedMoney.id).where(
                    accepting.UnmatchedMoney.payment_id == account.payment_id
                )
            )
        )
    for case_id in ids:
        try:
            with transaction():
                accepting.accept_unmatched(case_id, by=BY)
        except NotAcceptable:
            pass


def test_the_same_answer_twice_and_an_older_one_after_it_change_nothing(app, gateway, owner):
    [account] = issue_quietly(owner)
    answer(account, told(account, 1_300))
    for total in (1_300, 1_000, 0, None):
        record(seen(account, total, reason="over", matched=WON))
    assert accounts.arrived(account) == [1_300]
    assert accounts.cases(account) == [("over", 300, "open")]
    assert_equation(account)


def test_two_payments_of_one_batch_keep_their_deposits_apart(app, gateway, owner):
    one, other = issue_quietly(owner, count=2)
    record(seen(one, 400, reason=None), seen(other, 1_000, reason="late"))
    assert (accounts.arrived(one), accounts.arrived(other)) == ([400], [1_000])
    assert (accounts.cases(one), accounts.cases(other)) == ([], [("late", 1_000, "open")])


def test_a_name_that_a_gateway_uses_again_is_told_apart(app, gateway, owner):
    one, other = issue_quietly(owner, count=2)
    for account in (one, other):
        answer(account, told(account, WON, key="the-same"))
    names = [row[0] for row in owner.execute("SELECT deposit_key FROM deposits ORDER BY id")]
    assert names == ["the-same", f"the-same#{other.attempt_id}.1"]
    assert_equation(one)


def test_part_that_the_bank_takes_back_before_the_rest_has_come_is_gone(app, gateway, owner):
    [account] = issue_quietly(owner)
    answer(account, told(account, 300))
    answer(account, told(account, 0))
    assert accounts.arrived(account) == [300, -300]
    assert_equation(account)


def test_part_that_came_before_the_deadline_becomes_one_case(app, gateway, owner):
    [account] = issue_quietly(owner)
    for total in (300, 500):
        answer(account, told(account, total))
    answer(account, RAN_OUT)
    assert accounts.cases(account) == [("short", 500, "open")]
    assert_equation(account)


def test_a_currency_that_was_not_asked_for_is_left_to_a_person(app, gateway, owner):
    [account] = issue_quietly(owner)
    strange = told(account, WON)
    answer(account, Answer(Outcome.APPROVED, deposited=Money(WON, "USD"), account=strange.account))
    assert accounts.stands(account)[0] == "needs_human"
    assert accounts.arrived(account) == []


def test_a_late_approval_is_held_once_and_can_be_accepted(app, gateway):
    [payment_id] = make.make_payments(amount=WON)
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    charging.execute_attempts(ids := make.attempt_ids([payment_id]), by=BY)
    account = IssuedAccount(payment_id, ids[0], make.order_ids([payment_id])[0])
    for _ in range(2):
        with transaction():
            depositing.hold_late_approval(ids[0], Money(WON, "KRW"), by=BY, gateway_key="pk_late")
    assert accounts.cases(account) == [("late_approval", WON, "open")]
    assert unmatched_balance(account) == WON
    case_id = accounts.case_id(account)
    with transaction():
        accepting.accept_unmatched(case_id, by=BY)
    assert accounts.stands(account) == ("succeeded", "paid", WON)
    assert unmatched_balance(account) == 0
    assert broken() == []


@pytest.mark.parametrize(
    ("total", "why"),
    [(300, "the amount is not that of the payment"), (1_300, "the amount is not that")],
)
def test_money_of_another_sum_is_not_accepted(app, gateway, owner, total, why):
    [account] = issue_quietly(owner)
    answer(account, RAN_OUT)
    record(seen(account, total, reason="late"))
    case_id = accounts.case_id(account)
    with transaction(), pytest.raises(NotAcceptable) as refused:
        accepting.accept_unmatched(case_id, by=BY)
    assert why in str(refused.value.values["reason"])


def test_late_money_is_not_accepted_while_another_attempt_may_pay(app, gateway, owner):
    [account] = issue_quietly(owner)
    answer(account, RAN_OUT)
    record(seen(account, WON, reason="late"))
    method_id = owner.execute("SELECT payment_method_id FROM attempts").fetchone()[0]
    with transaction():
        charging.requesting.request_another_attempt(
            account.payment_id, payment_method_id=method_id, due_at=clock.now(), by=BY
        )
    case_id = accounts.case_id(account)
    with transaction(), pytest.raises(NotAcceptable, match="another attempt"):
        accepting.accept_unmatched(case_id, by=BY)
    assert accounts.cases(account) == [("late", WON, "open")]


def test_what_a_person_had_found_approved_fails_when_the_gateway_shows_otherwise(app, gateway):
    [payment_id] = make.make_payments(amount=WON)
    charging.execute_attempts(ids := make.attempt_ids([payment_id]), by=BY)
    account = IssuedAccount(payment_id, ids[0], make.order_ids([payment_id])[0])
    for _ in range(2):
        with transaction():
            reversing.reverse_approval(ids[0], because="the gateway knows of none", by=BY)
    assert accounts.stands(account) == ("declined", "failed", 0)
    assert accounts.open_tickets() == ["gateway_disagrees"]
    assert broken() == []


def test_closing_an_account_twice_keeps_the_first_reason_and_asks_at_once(app, gateway, owner):
    [account] = issue_quietly(owner)
    owner.execute("UPDATE attempts SET due_at = ops_now() + interval '6 h'")
    counts = []
    for because in ("the order was cancelled", "again"):
        with transaction():
            counts.append(closing.close_accounts([account.payment_id], because=because, by=BY))
    assert counts == [1, 0]
    [(because, is_due)] = owner.execute(
        "SELECT close_because, due_at <= ops_now() FROM attempts"
    ).fetchall()
    assert (because, is_due) == ("the order was cancelled", True)


def test_a_card_payment_is_not_touched_by_the_closing_of_accounts(app, gateway):
    [payment_id] = make.make_payments()
    with transaction():
        assert closing.close_accounts([payment_id], because="no reason", by=BY) == 0


def test_an_account_given_up_while_it_is_asked_about_takes_no_money(app, gateway, owner):
    [account] = issue_quietly(owner)
    with transaction():
        [claim] = charging._claim([account.attempt_id], by=BY)
    with transaction():
        closing.close_accounts([account.payment_id], because="the order was cancelled", by=BY)
    with transaction():
        recording.record_answers([(claim, told(account, WON))], by=BY)
    assert accounts.stands(account) == ("declined", "cancelled", 0)
    assert accounts.cases(account) == [("after_cancel", WON, "open")]
    assert_equation(account)


def test_nobody_is_told_that_a_payment_failed_which_we_gave_up(app, gateway, owner):
    account = accounts.issue()
    with transaction():
        closing.close_accounts([account.payment_id], because="the order was cancelled", by=BY)
    charging.execute_attempts([account.attempt_id], by=BY)
    with transaction():
        attempt = db.session.get_one(Attempt, account.attempt_id)
        assert (attempt.status, attempt.failure_class) == ("declined", "customer_cancelled")
    kinds = owner.execute("SELECT DISTINCT kind FROM notices").fetchall()
    assert kinds == [("deposit_requested",)]
