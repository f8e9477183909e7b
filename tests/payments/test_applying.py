import json
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings as tune, strategies as st
from sqlalchemy import select, update

from opsapp.customers.queries import get_charge_keys
from opsapp.gateways.values import Answer, Outcome
from opsapp.insights.probing import run_probes
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.payments import applying, charging, refunding, rules
from opsapp.payments.models import Attempt, GatewayEvent, Payment, Refund, UnmatchedMoney
from opsapp.payments.refunding import RefundWish, request_refund
from opsapp.payments.replaying import replay_events
from opsapp.payments.states import ATTEMPT, PAYMENT, AttemptStatus, PaymentStatus
from tests.factories import payments as make

BY = Actor("worker", "test")
NUMBERS = count(1)


@pytest.fixture
def paid(app, gateway):
    [payment_id] = make.make_payments()
    charge(payment_id)
    assert make.payment(payment_id).status == "paid"
    return payment_id


@pytest.fixture
def deposited(app, gateway):
    [payment_id] = make.make_payments(kind="virtual_account")
    charge(payment_id)
    gateway.deposit(orderId=make.order_ids([payment_id])[0])
    make.make_everything_due()
    charge(payment_id)
    assert make.payment(payment_id).status == "paid"
    return payment_id


@pytest.fixture
def there(gateway, settings):
    """What somebody does in the gateway's own console."""

    def cancel(payment_id, minor=None):
        [order_id] = make.order_ids([payment_id])
        [payment] = gateway.payments(order_id)
        wish = {"cancelReason": "고객센터에서 취소"}
        gateway._call(
            "POST",
            f"/v1/payments/{payment['paymentKey']}/cancel",
            wish if minor is None else wish | {"cancelAmount": minor},
            secret_key=settings.toss_secret_key.get_secret_value(),
        )

    return cancel


def charge(payment_id):
    charging.execute_attempts(make.attempt_ids([payment_id]), by=BY)


def knock(app, gateway, payment_id, *, delivery_id=""):
    """The gateway tells that something about the payment has changed."""
    [payment] = gateway.payments(make.order_ids([payment_id])[0])
    answer = app.test_client().post(
        "/webhooks/toss",
        data=json.dumps({"eventType": "PAYMENT_STATUS_CHANGED", "data": payment}),
        headers={
            "tosspayments-webhook-transmission-id": delivery_id or f"delivery-{next(NUMBERS)}"
        },
    )
    assert answer.status_code == 200


def read():
    with transaction():
        ids = list(db.session.scalars(select(GatewayEvent.id).order_by(GatewayEvent.id)))
    applying.read_events(ids, by=BY)


def everything_due():
    make.make_everything_due()
    with transaction():
        db.session.execute(update(GatewayEvent).values(due_at=clock.now(), leased_until=None))


def findings():
    with transaction():
        rows = db.session.execute(
            select(GatewayEvent.status, GatewayEvent.finding).order_by(GatewayEvent.id)
        )
        return [tuple(row) for row in rows]


def tickets(owner):
    return owner.execute("SELECT reason FROM tickets ORDER BY id").fetchall()


def violations():
    return {row.id: row.examples for row in run_probes() if row.violations}


def test_what_we_know_already_changes_nothing(app, paid, gateway, owner):
    before = owner.execute("SELECT p::text FROM payments p").fetchone()
    knock(app, gateway, paid)
    read()
    assert findings() == [("ignored", "same")]
    assert owner.execute("SELECT p::text FROM payments p").fetchone() == before


def test_a_refund_made_at_the_gateway_is_adopted_once(app, paid, gateway, there, owner):
    there(paid, 3_000)
    for _ in range(3):
        knock(app, gateway, paid)
    read()
    payment = make.payment(paid)
    assert (payment.status, payment.refunded_minor) == ("partly_refunded", 3_000)
    assert findings() == [("applied", "refunded_there")] * 3, "one question settled all three"
    assert make.statuses(Refund) == ["succeeded"]
    assert tickets(owner) == [("gateway_disagrees",)]
    there(paid)
    knock(app, gateway, paid)
    read()
    payment = make.payment(paid)
    assert (payment.status, payment.refunded_minor) == ("refunded", 9_900)
    notices = owner.execute("SELECT count(*) FROM notices WHERE kind = 'refund_made'").fetchone()
    assert notices == (2,)
    assert violations() == {}


def test_a_refund_of_ours_under_way_is_not_taken_for_somebody_elses(app, paid, gateway):
    wish = RefundWish("request-0123456789", Money(3_000, "KRW"), 9_900, "고객 변심")
    with transaction():
        refund_id = request_refund(paid, wish, by=BY)
    gateway.faults(lost_after=1.0)
    refunding.execute_refunds([refund_id], by=BY)
    gateway.clear()
    knock(app, gateway, paid)
    read()
    assert findings() == [("stored", "unknown")]
    everything_due()
    refunding.execute_refunds([refund_id], by=BY)
    everything_due()
    read()
    assert findings() == [("ignored", "same")]
    assert make.statuses(Refund) == ["succeeded"]
    assert violations() == {}


def test_a_deposit_that_the_bank_took_back_is_waited_for_again(app, deposited, gateway):
    [order_id] = make.order_ids([deposited])
    gateway.deposit(orderId=order_id, kind="reversed")
    knock(app, gateway, deposited)
    read()
    assert findings() == [("applied", "deposit_reversed")]
    assert make.payment(deposited).status == "awaiting_deposit"
    assert make.statuses() == ["waiting"]
    gateway.deposit(orderId=order_id)
    knock(app, gateway, deposited)
    read()
    charge(deposited)
    assert make.payment(deposited).status == "paid"
    assert violations() == {}


@pytest.fixture
def given_up(app, gateway):
    """Charged at the gateway, while a person here found out that it was not."""
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    charge(payment_id)
    gateway.clear()
    settle_by_hand(payment_id, AttemptStatus.DECLINED, PaymentStatus.FAILED)
    return payment_id


def settle_by_hand(payment_id, status, payment_status=None):
    [attempt_id] = make.attempt_ids([payment_id])
    with transaction():
        stuck = RowMove(attempt_id, "unknown", AttemptStatus.NEEDS_HUMAN, "test")
        ATTEMPT.move_many(Attempt, [stuck], by=BY)
        if status is not AttemptStatus.NEEDS_HUMAN:
            also = {"ended_at": clock.now()}
            move = RowMove(attempt_id, AttemptStatus.NEEDS_HUMAN, status, "test", also=also)
            ATTEMPT.move_many(Attempt, [move], by=BY)
            move = RowMove(payment_id, "pending", payment_status, "test")
            PAYMENT.move_many(Payment, [move], by=BY)


def test_an_approval_after_the_attempt_had_ended_is_held_for_a_person(
    app, given_up, gateway, owner
):
    for _ in range(2):
        knock(app, gateway, given_up)
        read()
    assert findings() == [("applied", "late_approval"), ("ignored", "same")]
    assert make.payment(given_up).status == "failed", "nobody wants the money any more"
    with transaction():
        [case] = db.session.scalars(select(UnmatchedMoney))
        assert (case.reason, case.amount_minor) == ("late_approval", 9_900)
    assert tickets(owner) == [("unmatched_money",)]


def test_a_message_reopens_what_waits_for_a_person(app, gateway):
    [payment_id] = make.make_payments()
    gateway.faults(lost_after=1.0, inquiry_failures=1.0)
    charge(payment_id)
    settle_by_hand(payment_id, AttemptStatus.NEEDS_HUMAN)
    with transaction():
        db.session.execute(update(Attempt).values(turns=rules.TURNS_MAX))
    knock(app, gateway, payment_id)
    read()
    assert findings() == [("stored", "unknown")], "the gateway does not answer yet"
    gateway.clear()
    everything_due()
    read()
    assert findings() == [("applied", "reopened")]
    charge(payment_id)
    assert (make.statuses(), make.payment(payment_id).status) == (["succeeded"], "paid")


def test_while_an_attempt_is_under_way_the_message_waits_for_its_answer(
    app, paid, gateway, there, owner
):
    there(paid)
    knock(app, gateway, paid)
    owner.execute("UPDATE attempts SET status = 'inflight'")
    read()
    assert findings() == [("stored", "")]
    owner.execute("UPDATE attempts SET status = 'succeeded'")
    everything_due()
    read()
    assert findings() == [("applied", "refunded_there")]


def claimed():
    with transaction():
        ids = list(db.session.scalars(select(GatewayEvent.id)))
        return applying._claim(ids, by=BY)


def recorded(claims, answer):
    with transaction():
        applying.record_findings([(claim, answer) for claim in claims], by=BY)


GIVEN_BACK = Answer(
    Outcome.APPROVED, amount=Money(9_900, "KRW"), refunded=Money(9_900, "KRW"), gateway_key="k"
)


def test_an_answer_that_outlived_its_lease_is_not_applied(app, paid, gateway, owner):
    knock(app, gateway, paid)
    claims = claimed()
    owner.execute("UPDATE gateway_events SET leased_until = now() - interval '1 second'")
    recorded(claims, GIVEN_BACK)
    assert make.payment(paid).status == "paid"
    assert findings() == [("reading", "")]


def test_an_answer_that_is_older_than_a_change_of_our_books_is_asked_anew(
    app, paid, gateway, there
):
    there(paid)
    knock(app, gateway, paid)
    claims = claimed()
    wish = RefundWish("request-0123456789", Money(900, "KRW"), 9_900, "고객 변심")
    with transaction():
        request_refund(paid, wish, by=BY)
    recorded(claims, GIVEN_BACK)
    assert findings() == [("stored", "changed")]
    assert make.payment(paid).refunded_minor == 0


def test_two_workers_never_ask_about_one_attempt_at_the_same_time(app, paid, gateway):
    knock(app, gateway, paid)
    first = claimed()
    knock(app, gateway, paid)
    everything = claimed()
    assert (len(first), everything) == (1, [])
    recorded(first, Answer(Outcome.APPROVED, amount=Money(9_900, "KRW")))
    assert findings() == [("ignored", "same"), ("stored", "")]


def test_messages_of_one_attempt_cost_one_question(app, paid, gateway):
    for _ in range(10):
        knock(app, gateway, paid)
    [claim] = claimed()
    assert len(claim.fences) == 10


def test_a_gateway_that_does_not_answer_is_asked_until_a_person_must(app, paid, gateway, owner):
    knock(app, gateway, paid)
    gateway.faults(inquiry_failures=1.0)
    for _ in range(rules.TURNS_MAX):
        everything_due()
        read()
        assert findings() == [("stored", "unknown")]
    everything_due()
    read()
    assert findings() == [("needs_human", "unknown")]
    assert tickets(owner) == [("gateway_disagrees",)]


def test_a_gateway_that_says_no_money_moved_opens_a_ticket_and_takes_nothing_back(
    app, paid, gateway, owner
):
    knock(app, gateway, paid)
    recorded(claimed(), Answer(Outcome.DECLINED, "declined", code="X"))
    assert findings() == [("applied", "not_paid_there")]
    assert make.payment(paid).status == "paid"
    assert tickets(owner) == [("gateway_disagrees",)]


def test_what_a_person_found_approved_is_taken_back_when_the_gateway_shows_otherwise(
    app, paid, gateway, owner
):
    [attempt_id] = make.attempt_ids([paid])
    owner.execute(
        "INSERT INTO decisions (request_id, subject_type, subject_id, outcome, reason, evidence, "
        "seen, decided_by) VALUES ('r', 'attempt', %s, 'approved', 'x', 'x', '{}', 'staff:1')",
        (attempt_id,),
    )
    knock(app, gateway, paid)
    recorded(claimed(), Answer(Outcome.DECLINED, "declined", code="X"))
    assert (make.statuses(), make.payment(paid).status) == (["declined"], "failed")
    assert make.payment(paid).captured_minor == 0


def test_a_key_deleted_at_the_gateway_ends_the_payment_method(app, gateway, settings, owner):
    customer_id = make.make_customer()
    method_id = make.make_method(customer_id)
    with transaction():
        key = make_key(method_id)
    said = [("CUSTOMER_STATUS_CHANGED", key), *[("BILLING_DELETED", key)] * 2]
    for event_type, named in [*said, ("BILLING_DELETED", "bk_of_nobody")]:
        app.test_client().post(
            "/webhooks/toss",
            data=json.dumps({"eventType": event_type, "data": {"billingKey": named}}),
            headers={"tosspayments-webhook-transmission-id": f"delivery-{next(NUMBERS)}"},
        )
        read()
    assert [finding for _, finding in findings()] == [
        "not_ours",
        "method_gone",
        "not_ours",
        "not_ours",
    ]
    assert owner.execute("SELECT status FROM payment_methods").fetchone() == ("deleted",)


def make_key(method_id):
    return get_charge_keys([method_id])[method_id].billing_key


def test_a_message_can_be_played_again_as_often_as_staff_like(app, paid, gateway, there):
    knock(app, gateway, paid)
    read()
    there(paid, 1_000)
    for _ in range(3):
        with transaction():
            ids = list(db.session.scalars(select(GatewayEvent.id)))
            assert replay_events(ids, by=Actor("staff", "1")) == 1
        assert findings() == [("stored", "")]
        read()
    assert findings() == [("ignored", "same")]
    assert make.payment(paid).refunded_minor == 1_000


ACTS = st.lists(st.sampled_from(["deposit", "reverse", "tell", "tell again", "work"]), max_size=8)


@given(ACTS, st.randoms(use_true_random=False))
@tune(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_any_order_and_repetition_of_messages_ends_in_the_same_books(app, gateway, acts, random):
    """Whatever was said, lost, said twice or in another order: the books follow the gateway."""
    [payment_id] = make.make_payments(kind="virtual_account")
    charge(payment_id)
    [order_id] = make.order_ids([payment_id])
    said = [f"first-{payment_id}"]
    for act in acts:
        if act == "deposit":
            gateway.deposit(orderId=order_id)
        elif act == "reverse" and gateway.payments(order_id)[0]["status"] == "DONE":
            gateway.deposit(orderId=order_id, kind="reversed")
        elif act == "work":
            work(payment_id)
        else:
            said.append(f"{act}-{payment_id}-{len(said)}")
            again = act == "tell again"
            delivery_id = random.choice(said) if again else said[-1]
            knock(app, gateway, payment_id, delivery_id=delivery_id)
    knock(app, gateway, payment_id, delivery_id=f"last-{payment_id}")
    work(payment_id)
    wanted = {"DONE": "paid", "WAITING_FOR_DEPOSIT": "awaiting_deposit"}
    payment = make.payment(payment_id)
    assert payment.status == wanted[gateway.payments(order_id)[0]["status"]]
    assert payment.captured_minor == (9_900 if payment.status == "paid" else 0)


def work(payment_id):
    """Everything that is due, and what follows from it."""
    for _ in range(3):
        with transaction():
            db.session.execute(
                update(GatewayEvent)
                .where(GatewayEvent.due_at > clock.now() - timedelta(days=1))
                .values(due_at=clock.now() - timedelta(seconds=1))
            )
        read()
        charge(payment_id)
