"""A refund by hand waits: for its time to be undone, for a second person, for both."""

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, select

from opsapp.approvals import deciding, expiring, queries as approvals
from opsapp.approvals.errors import ApprovalTooOld, NotAnApprover, NotYourApproval, OwnApproval
from opsapp.insights.probing import run_probes
from opsapp.insights.queries import list_left
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.money import Money
from opsapp.kernel.turns import wake
from opsapp.payments import charging, refunding, withdrawing_refunds
from opsapp.payments.comparing import compare_with_gateway
from opsapp.payments.errors import RefundSent
from opsapp.payments.models import Refund
from opsapp.payments.planning_refunds import preview_refund
from opsapp.payments.refunding import RefundWish
from opsapp.payments.waking import REFUNDS
from opsapp.staff.rules import Role
from opsapp.tickets.models import Ticket
from tests.factories import payments as make
from tests.factories.money import set_money_policy
from tests.factories.staff import make_account

WORKER = Actor("worker", "test")
WINDOW = timedelta(minutes=3)


@pytest.fixture
def paid(app, gateway):
    [payment_id] = make.make_payments(amount=9_900)
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    return payment_id


@pytest.fixture
def agent(app):
    return Actor("staff", str(make_account(Role.CS)))


@pytest.fixture
def finance(app):
    return Actor("staff", str(make_account(Role.FINANCE)))


def by_hand(amount=3_000, *, seen=9_900):
    return RefundWish(new_ref("form"), Money(amount, "KRW"), seen, "고객 요청", is_by_hand=True)


def ask(payment_id, by, wish=None):
    with transaction():
        return refunding.request_refund(payment_id, wish or by_hand(), by=by)


def read(refund_id):
    with transaction():
        found = db.session.get_one(Refund, refund_id, populate_existing=True)
        db.session.expunge(found)
    return found


def carry_out(refund_id):
    refunding.execute_refunds([refund_id], by=WORKER)


def violations():
    return [row for row in run_probes() if row.violations]


def test_what_is_shown_before_is_what_happens(paid, agent):
    wish = by_hand()
    with transaction():
        plan = preview_refund(paid, wish, by=agent)
    refund = read(ask(paid, agent, wish))
    shown = (plan.starts_as, plan.amount, plan.held_there_minor, plan.attempt.id, plan.payment_id)
    done = (refund.status, refund.amount, refund.refundable_before_minor, refund.attempt_id,
            refund.payment_id)  # fmt: skip
    assert shown == done
    assert plan.left == make.payment(paid).refundable
    assert abs(refund.due_at - plan.sent_from) < timedelta(seconds=30)
    assert (plan.why_second_person, plan.limits.needs_account) == ("", False)


def test_until_its_time_is_over_nothing_leaves_and_then_it_goes_by_itself(paid, agent):
    refund_id = ask(paid, agent)
    carry_out(refund_id)
    with transaction():
        assert wake(REFUNDS, rows_max=10, lane="toss") == 0, "nobody is woken for it"
        assert "refunds_due" not in list_left(), "the house is idle while it is held"
    assert (read(refund_id).status, make.payment(paid).refund_pending_minor) == ("held", 3_000)
    assert compare_with_gateway().refunds == []
    assert violations() == []
    with transaction():
        clock.advance(WINDOW)
    with transaction():
        assert wake(REFUNDS, rows_max=10, lane="toss") == 1
    carry_out(refund_id)
    assert (read(refund_id).status, make.payment(paid).refunded_minor) == ("succeeded", 3_000)


def test_taken_back_in_time_it_leaves_nothing_anywhere(paid, agent, finance):
    refund_id = ask(paid, agent)
    with transaction():
        withdrawing_refunds.withdraw_refund(refund_id, reason="잘못 눌렀습니다", by=finance)
    with transaction():
        clock.advance(WINDOW)
    carry_out(refund_id)
    refund, payment = read(refund_id), make.payment(paid)
    assert (refund.status, refund.first_sent_at) == ("withdrawn", None)
    assert (payment.refund_pending_minor, payment.refundable.minor) == (0, 9_900)
    assert compare_with_gateway().refunds == []
    assert violations() == []
    assert read(ask(paid, agent, by_hand(9_900))).status == "held", "the way is free again"


def test_sent_at_once_it_can_no_longer_be_taken_back(paid, agent):
    refund_id = ask(paid, agent)
    with transaction():
        withdrawing_refunds.send_now(refund_id, by=agent)
    carry_out(refund_id)
    assert read(refund_id).status == "succeeded"
    with pytest.raises(RefundSent), transaction():
        withdrawing_refunds.withdraw_refund(refund_id, reason="늦었습니다", by=agent)


def test_above_the_limit_a_second_person_agrees_and_nobody_for_themselves(paid, agent, finance):
    set_money_policy(limits={"cs": 1_000, "finance": 1_000, "admin": 1_000})
    other = Actor("staff", str(make_account(Role.CS, email="other@example.com")))
    for asker, refusal in ((finance, OwnApproval), (agent, None)):
        refund_id = ask(paid, asker)
        with transaction():
            approval_id = approvals.find_open("refund", refund_id).id
        assert read(refund_id).status == "awaiting_approval"
        if refusal:
            with pytest.raises(refusal), transaction():
                deciding.approve(approval_id, by=asker)
            with pytest.raises(NotYourApproval), transaction():
                withdrawing_refunds.withdraw_refund(refund_id, reason="남의 요청", by=agent)
            with transaction():
                withdrawing_refunds.withdraw_refund(refund_id, reason="다시 요청", by=asker)
            assert read(refund_id).status == "withdrawn"
    with pytest.raises(NotAnApprover), transaction():
        deciding.approve(approval_id, by=other)
    with transaction():
        assert approvals.count_waiting_for(finance) == 1
        deciding.approve(approval_id, comment="확인했습니다", by=finance)
    assert read(refund_id).status == "held", "the one who agreed can undo it too"
    assert violations() == []


def test_the_database_itself_refuses_one_person_in_both_roles(paid, agent, owner):
    set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1})
    ask(paid, agent)
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute("UPDATE approvals SET status = 'approved', decided_by = requested_by")


def test_what_nobody_decides_in_time_is_free_again(paid, agent, finance):
    set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1})
    refund_id = ask(paid, agent)
    with transaction():
        approval_id = approvals.find_open("refund", refund_id).id
        clock.advance(timedelta(hours=72))
    with pytest.raises(ApprovalTooOld), transaction():
        deciding.approve(approval_id, by=finance)
    with transaction():
        assert expiring.expire() == 1
        assert expiring.expire() == 0
    assert (read(refund_id).status, make.payment(paid).refund_pending_minor) == ("withdrawn", 0)
    assert violations() == []


def test_an_emergency_is_decided_alone_and_seen_by_everybody(paid, agent):
    set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1})
    admin = Actor("staff", str(make_account(Role.ADMIN)))
    refund_id = ask(paid, admin)
    with transaction():
        approval_id = approvals.find_open("refund", refund_id).id
    with pytest.raises(NotAnApprover), transaction():
        deciding.bypass(approval_id, reason="고객이 기다릴 수 없다고 합니다 정말로", by=agent)
    with transaction():
        deciding.bypass(
            approval_id, reason="이중 결제로 고객 계좌가 압류될 상황이라 바로 환불", by=admin
        )
    with transaction():
        reasons = list(db.session.scalars(select(Ticket.reason)))
        logged = select(func.count()).where(AuditEntry.action == "approval.bypassed")
        assert db.session.scalar(logged) == 1
    assert (read(refund_id).status, reasons) == ("held", ["approval_bypassed"])
