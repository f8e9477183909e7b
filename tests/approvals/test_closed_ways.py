"""Ways in which money could go back twice, without a second person, or after it was gone."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from opsapp.approvals import deciding, queries as approvals
from opsapp.approvals.errors import ApprovalDecided, NotAnApprover
from opsapp.bulk import ordering, running
from opsapp.bulk.models import BulkJob
from opsapp.bulk.ordering import BulkWish
from opsapp.insights.probing import run_probes
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import (
    applying,
    charging,
    finding_refunds,
    refunding,
    reversing,
    withdrawing_refunds,
)
from opsapp.payments.comparing import compare_with_gateway
from opsapp.payments.errors import NotRefundable, RefundSent
from opsapp.payments.models import Attempt, GatewayEvent, Refund
from opsapp.payments.refunding import RefundWish
from opsapp.recovery import queries as recoveries
from opsapp.settings import current
from opsapp.staff import inviting
from opsapp.staff.rules import Role
from opsapp.subscriptions import collecting
from opsapp.tickets.models import Ticket
from tests.factories import payments as make
from tests.factories.money import set_money_policy
from tests.factories.staff import make_account
from tests.factories.subscriptions import go_to, make_subscription, pass_time, renew, subscription
from tests.gateway_controls import GatewayControls

WORKER = Actor("worker", "test")


@pytest.fixture
def gateway(sandbox_url):
    controls = GatewayControls(sandbox_url)
    controls.clear()
    return controls


@pytest.fixture
def paid(app, gateway):
    [payment_id] = make.make_payments(amount=9_900)
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    return payment_id


@pytest.fixture
def deposited(app, gateway):
    [payment_id] = make.make_payments(kind="virtual_account")
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    gateway.deposit(orderId=make.order_ids([payment_id])[0])
    make.make_everything_due()
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    return payment_id


@pytest.fixture
def agent(app):
    return Actor("staff", str(make_account(Role.CS)))


@pytest.fixture
def finance(app):
    return Actor("staff", str(make_account(Role.FINANCE)))


def ask(payment_id, amount, by, *, seen=9_900):
    wish = RefundWish(new_ref("form"), Money(amount, "KRW"), seen, "고객 요청", is_by_hand=True)
    with transaction():
        return refunding.request_refund(payment_id, wish, by=by)


def status(refund_id):
    with transaction():
        return db.session.get_one(Refund, refund_id, populate_existing=True).status


def approval_of(refund_id):
    with transaction():
        return approvals.find_open("refund", refund_id).id


def agree(refund_id, by):
    approval_id = approval_of(refund_id)
    with transaction():
        deciding.approve(approval_id, by=by)


def carry_out(*refund_ids):
    refunding.execute_refunds(refund_ids, by=WORKER)


def window_over():
    with transaction():
        clock.advance(timedelta(minutes=3))


def tickets():
    with transaction():
        return list(db.session.scalars(select(Ticket.reason)))


def violations():
    return [row.id for row in run_probes() if row.violations]


def at_once(app, *acts):
    """Each in a thread of its own; what it raised, or None."""

    def run(act):
        with app.app_context():
            try:
                act()
            except OpsError as refusal:
                return type(refusal)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_a_large_refund_in_small_parts_needs_the_second_person_too(paid, agent, finance):
    set_money_policy(limits={"cs": 5_000, "finance": 9_900, "admin": 9_900}, refund_undo_minutes=0)
    first = ask(paid, 3_000, agent)
    carry_out(first)
    second = ask(paid, 3_000, agent, seen=6_900)
    assert (status(first), status(second)) == ("succeeded", "awaiting_approval")
    agree(second, finance)
    carry_out(second)
    third = ask(paid, 2_000, agent, seen=3_900)
    assert status(third) == "requested", "what a second person agreed to does not count"
    carry_out(third)
    assert make.payment(paid).refunded_minor == 8_000
    assert status(ask(paid, 1_900, finance, seen=1_900)) == "requested", "another person's is not"


def test_a_large_job_in_small_ones_needs_the_second_person_too(app, agent, gateway):
    set_money_policy(bulk_sum=10_000)
    ids = make.make_payments(4, amount=5_000)
    charging.execute_attempts(make.attempt_ids(ids), by=WORKER)

    def order(some):
        wish = BulkWish(new_ref("requested"), "refund", "행사 취소", "selected", len(some),
                        is_by_hand=True)  # fmt: skip
        with transaction():
            amounts = finding_refunds.list_refundable(some)
            job_id = ordering.order(wish, some, by=agent, amounts=amounts)
        with transaction():
            return db.session.get_one(BulkJob, job_id).status

    assert [order(ids[:2]), order(ids[2:3])] == ["queued", "awaiting_approval"]
    with transaction():
        clock.advance(timedelta(days=1))
    assert order(ids[3:]) == "queued", "another day"


def test_who_was_disabled_or_demoted_meanwhile_decides_nothing(paid, agent, finance):
    set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1})
    refund_id = ask(paid, 9_900, agent)
    admin = Actor("staff", str(make_account(Role.ADMIN)))
    with transaction():
        inviting.disable(int(finance.name), because="퇴사", by=admin)
    with pytest.raises(NotAnApprover):
        agree(refund_id, finance)
    assert status(refund_id) == "awaiting_approval"


def test_two_approvers_and_the_end_of_time_at_one_moment_send_one_refund(app, paid, agent, finance):
    set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1}, refund_undo_minutes=0)
    refund_id = ask(paid, 9_900, agent)
    approval_id = approval_of(refund_id)
    admin = Actor("staff", str(make_account(Role.ADMIN)))

    def approve(by):
        with transaction():
            deciding.approve(approval_id, by=by)

    def withdraw():
        with transaction():
            withdrawing_refunds.withdraw_refund(refund_id, reason="잘못", by=agent)

    told = at_once(app, lambda: approve(finance), lambda: approve(admin), withdraw)
    assert sum(each is None for each in told) == 1, told
    assert {each for each in told if each} <= {ApprovalDecided, RefundSent}
    carry_out(refund_id)
    refunded = 0 if told[2] is None else 9_900
    assert make.payment(paid).refunded_minor == refunded
    assert (compare_with_gateway().refunds, violations()) == ([], [])


@pytest.mark.parametrize("_try", range(2))
def test_taken_back_or_sent_but_never_both(app, paid, agent, _try):
    refund_id = ask(paid, 9_900, agent)
    window_over()

    def withdraw():
        with transaction():
            withdrawing_refunds.withdraw_refund(refund_id, reason="잘못", by=agent)

    def hurry():
        with transaction():
            withdrawing_refunds.send_now(refund_id, by=agent)

    told = at_once(app, lambda: carry_out(refund_id), withdraw, hurry)
    with transaction():
        db.session.execute(update(Refund).values(due_at=clock.now()))
    carry_out(refund_id)
    is_back = told[1] is None
    assert status(refund_id) == ("withdrawn" if is_back else "succeeded")
    assert make.payment(paid).refunded_minor == (0 if is_back else 9_900)
    assert (compare_with_gateway().refunds, violations()) == ([], [])


def left_there(payment_id):
    """The gateway's own figure."""
    controls = GatewayControls(current().toss_url)
    [payment] = controls.payments(*make.order_ids([payment_id]))
    return payment["balanceAmount"]


@pytest.fixture
def there(app, gateway, settings):
    """Somebody gives money back in the gateway's own console, which tells us."""

    def cancel(payment_id, minor):
        [payment] = gateway.payments(*make.order_ids([payment_id]))
        gateway._call(
            "POST",
            f"/v1/payments/{payment['paymentKey']}/cancel",
            {"cancelReason": "콘솔에서 취소", "cancelAmount": minor},
            secret_key=settings.toss_secret_key.get_secret_value(),
        )
        app.test_client().post(
            "/webhooks/toss",
            data=json.dumps({"eventType": "PAYMENT_STATUS_CHANGED", "data": payment}),
            headers={"tosspayments-webhook-transmission-id": new_ref("delivery")},
        )
        with transaction():
            ids = list(db.session.scalars(select(GatewayEvent.id)))
        applying.read_events(ids, by=WORKER)

    return cancel


@pytest.mark.parametrize(
    "case",
    [("held", 3_000, "succeeded"), ("awaiting_approval", 4_000, "needs_human")],
)
def test_what_was_refunded_at_the_gateway_meanwhile_is_not_refunded_again(
    there, agent, finance, case, paid
):
    waits, minor, end = case
    if waits == "awaiting_approval":
        set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1}, refund_undo_minutes=0)
    refund_id = ask(paid, 3_000, agent)
    there(paid, minor)
    if waits == "awaiting_approval":
        agree(refund_id, finance)
    window_over()
    for _ in range(2):
        make.make_everything_due()
        carry_out(refund_id)
    assert (status(refund_id), left_there(paid)) == (end, 9_900 - minor)
    assert "gateway_disagrees" in tickets(), "a person looks at it"


def test_a_deposit_that_the_bank_took_back_is_not_refunded(deposited, agent, finance):
    set_money_policy(limits={"cs": 1, "finance": 1, "admin": 1}, refund_undo_minutes=0)
    refund_id = ask(deposited, 3_000, agent)
    [attempt_id] = make.attempt_ids([deposited])
    with transaction():
        reversing.reverse_deposit(attempt_id, deposit_key=None, by=WORKER)
    with pytest.raises(NotRefundable):
        agree(refund_id, finance)


def test_tried_again_by_two_jobs_the_customer_and_the_plan_at_once_it_is_charged_once(
    app, gateway, agent
):
    go_to(datetime(2026, 3, 10, 3, tzinfo=UTC))
    set_money_policy()
    subscription_id = make_subscription()
    gateway.faults(declines={"REJECT_CARD_PAYMENT": 1.0})
    renew()
    [attempt_id] = run_ready()
    gateway.clear()
    with transaction():
        payment_id = db.session.get_one(Attempt, attempt_id).payment_id
        recovery = recoveries.find_of_payment(payment_id)
        recovery_id, customer_id = recovery.id, recovery.customer_id
    jobs = [order_retry(payment_id, agent) for _ in range(2)]
    pass_time(timedelta(days=1, minutes=1))

    def collect():
        with transaction():
            collecting.collect_now(recovery_id, by=Actor("customer", str(customer_id)))

    at_once(
        app,
        lambda: running.run_jobs(jobs[:1], by=WORKER),
        lambda: running.run_jobs(jobs[1:], by=WORKER),
        collect,
        run_ready,
    )
    run_ready()
    assert make.payment(payment_id).captured_minor == make.payment(payment_id).amount_minor
    with transaction():
        order_ids = select(Attempt.gateway_order_id).where(Attempt.payment_id == payment_id)
        names = list(db.session.scalars(order_ids))
    charged = [each for each in gateway.payments(*names) if each["status"] == "DONE"]
    assert len(charged) == 1
    assert compare_with_gateway().doubled == []
    assert set(violations()) <= {"I3"}, "only messages that nobody sends here"
    assert subscription(subscription_id).status == "active"


def order_retry(payment_id, by):
    wish = BulkWish(new_ref("requested"), "retry", "다시 결제", "selected", 1, is_by_hand=True)
    with transaction():
        return ordering.order(wish, [payment_id], by=by)


def run_ready():
    """What the workers would do now."""
    with transaction():
        due = select(Attempt.id).where(Attempt.status == "ready", Attempt.due_at <= clock.now())
        ids = list(db.session.scalars(due))
    charging.execute_attempts(ids, by=WORKER)
    return ids
