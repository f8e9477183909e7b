import threading

import psycopg
import pytest
from sqlalchemy import func, select

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer
from opsapp.payments import charging, refunding
from opsapp.payments.comparing import compare_with_gateway
from opsapp.payments.errors import (
    NotRefundable,
    RefundableChanged,
    RefundTooLarge,
    RefundUnderWay,
)
from opsapp.payments.models import Payment, Refund
from opsapp.tickets.models import Ticket
from tests.factories import payments as make
from tests.waiting import join

BY = Actor("staff", "7")
WORKER = Actor("worker", "test")


def wish(amount, *, seen=9900, request_id="", reason="고객 요청"):
    return refunding.RefundWish(request_id or new_ref("form"), Money(amount, "KRW"), seen, reason)


@pytest.fixture
def paid(app, gateway):
    [payment_id] = make.make_payments()
    charging.execute_attempts(make.attempt_ids([payment_id]), by=WORKER)
    return payment_id


def refund(payment_id, wished):
    with transaction():
        return refunding.request_refund(payment_id, wished, by=BY)


def carry_out(*refund_ids):
    refunding.execute_refunds(list(refund_ids), by=WORKER)


def balance(account):
    with transaction():
        debited = db.session.scalar(
            select(func.coalesce(func.sum(LedgerTransfer.amount_minor), 0)).where(
                LedgerTransfer.debit_account == account
            )
        )
        credited = db.session.scalar(
            select(func.coalesce(func.sum(LedgerTransfer.amount_minor), 0)).where(
                LedgerTransfer.credit_account == account
            )
        )
    return int(debited - credited)


def test_a_part_and_then_the_rest_can_be_refunded(paid):
    carry_out(refund(paid, wish(3000)))
    part = make.payment(paid)
    assert (part.status, part.refunded_minor, part.refundable.minor) == (
        "partly_refunded",
        3000,
        6900,
    )
    carry_out(refund(paid, wish(6900, seen=6900)))
    whole = make.payment(paid)
    assert (whole.status, whole.refunded_minor) == ("refunded", 9900)
    assert compare_with_gateway().refunds == []
    assert balance("refunds_in_transit") == 0
    assert balance("gateway_clearing:toss") == 0


def test_the_amount_is_reserved_from_the_request_on(paid):
    refund(paid, wish(3000))
    payment = make.payment(paid)
    assert (payment.refund_pending_minor, payment.refundable.minor) == (3000, 6900)
    assert balance("refunds_in_transit") == -3000


def test_the_same_form_refunds_once_however_often_it_is_sent(paid):
    first = refund(paid, wish(3000, request_id="form_12345678"))
    assert refund(paid, wish(3000, request_id="form_12345678")) == first
    assert make.payment(paid).refund_pending_minor == 3000


@pytest.mark.parametrize(
    ("wished", "refusal"),
    [
        (wish(9901), RefundTooLarge),
        (wish(100, seen=5000), RefundableChanged),
        (wish(0), Invalid),
        (wish(-5), Invalid),
        (wish(100, reason="  "), Invalid),
        (wish(100, reason="가" * 201), Invalid),
        (wish(100, request_id="short"), Invalid),
    ],
)
def test_a_refund_that_cannot_be_is_refused_and_changes_nothing(paid, wished, refusal):
    with pytest.raises(refusal):
        refund(paid, wished)
    payment = make.payment(paid)
    assert (payment.refund_pending_minor, make.statuses(Refund)) == (0, [])


def test_an_unpaid_payment_cannot_be_refunded(app, gateway):
    [payment_id] = make.make_payments()
    with pytest.raises(NotRefundable, match="pending"):
        refund(payment_id, wish(100))


def test_a_second_refund_waits_for_the_first_to_end(paid):
    refund(paid, wish(3000))
    with pytest.raises(RefundUnderWay, match="staff:7"):
        refund(paid, wish(100, seen=6900))


def test_two_agents_at_once_never_refund_more_than_was_paid(app, gateway):
    payment_ids = make.make_payments(10)
    charging.execute_attempts(make.attempt_ids(payment_ids), by=WORKER)
    outcomes = []

    def agent():
        with app.app_context():
            for payment_id in payment_ids:
                try:
                    outcomes.append(refund(payment_id, wish(6000)))
                except OpsError as refused:
                    outcomes.append(refused)
            db.session.remove()

    agents = [threading.Thread(daemon=True, target=agent) for _ in range(2)]
    for each in agents:
        each.start()
    join(*agents)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 10
    with transaction():
        pending = db.session.scalars(select(Payment.refund_pending_minor)).all()
    assert pending == [6000] * 10


def test_the_database_refuses_an_over_refund_too(paid, owner):
    with pytest.raises(psycopg.errors.CheckViolation, match="refunds_within_capture"):
        owner.execute("UPDATE payments SET refunded_minor = 9901")


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "resets", "errors_500"])
def test_an_uncertain_refund_stays_reserved_and_is_given_back_once(paid, gateway, fault):
    refund_id = refund(paid, wish(3000))
    gateway.faults(**{fault: 1.0})
    carry_out(refund_id)
    assert make.statuses(Refund) == ["unknown"]
    assert make.payment(paid).refund_pending_minor == 3000
    gateway.clear()
    make.make_everything_due()
    carry_out(refund_id)
    assert make.statuses(Refund) == ["succeeded"]
    assert compare_with_gateway().refunds == []
    [at_gateway] = gateway.payments(*make.order_ids([paid]))
    assert [cancel["cancelAmount"] for cancel in at_gateway["cancels"]] == [3000]


def test_a_refund_that_the_gateway_refuses_releases_the_reservation_and_opens_a_ticket(paid, owner):
    refund_id = refund(paid, wish(3000))
    # The gateway holds another balance than we believe: its optimistic lock refuses.
    owner.execute("UPDATE refunds SET refundable_before_minor = 5000")
    carry_out(refund_id)
    assert make.statuses(Refund) == ["unknown"], "a contradiction alone decides nothing"
    make.make_everything_due()
    carry_out(refund_id)
    assert make.statuses(Refund) == ["refused"]
    assert make.payment(paid).refundable.minor == 9900
    assert balance("refunds_in_transit") == 0
    with transaction():
        assert db.session.scalars(select(Ticket.reason)).all() == ["refund_refused"]


def test_a_refund_made_behind_our_back_is_found_by_comparing(paid, gateway, owner):
    refund_id = refund(paid, wish(3000))
    carry_out(refund_id)
    owner.execute("ALTER TABLE refunds DISABLE TRIGGER ALL")
    owner.execute("DELETE FROM refunds")
    [difference] = compare_with_gateway().refunds
    assert "3000 given back there, 0 here" in difference


def test_one_form_sent_to_many_payments_at_once_refunds_one_of_them(app, gateway):
    payment_ids = make.make_payments(8)
    charging.execute_attempts(make.attempt_ids(payment_ids), by=WORKER)
    outcomes = []

    def send(payment_id):
        with app.app_context():
            try:
                outcomes.append(refund(payment_id, wish(100, request_id="form_of_many")))
            except Invalid as refused:
                outcomes.append(refused)
            db.session.remove()

    hands = [
        threading.Thread(daemon=True, target=send, args=[payment_id]) for payment_id in payment_ids
    ]
    for hand in hands:
        hand.start()
    join(*hands)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert len(outcomes) == 8
