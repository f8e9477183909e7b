"""A customer at the gateway's window: who comes back, who does not, and who comes back changed."""

import base64
import json
import urllib.request
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from opsapp.gateways import registry
from opsapp.gateways.base import Gateway
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import Answer, FailureClass, Outcome
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.money import Money
from opsapp.payments import charging, presenting, rules
from opsapp.payments.errors import AmountDiffers, NotRetryable, NoWindow, WindowOpen
from opsapp.payments.models import Attempt
from opsapp.payments.requesting import PaymentOrder, request_payments, withdraw
from tests.factories import payments as make

BY = Actor("customer", "test")
WON = Money(30_000, "KRW")
ADDRESSES = {
    "success_url": "http://127.0.0.1/ok",
    "fail_url": "http://127.0.0.1/no",
    "locale": "ko",
}


def want(kind="card", amount=WON):
    customer_id = make.make_customer()
    order = PaymentOrder(
        "order", customer_id * 1000, customer_id, None, "햇사과 5kg", amount, method_kind=kind
    )
    with transaction():
        [payment_id] = request_payments([order], by=BY, hurry=True).values()
    return payment_id


def attempts(payment_id):
    with transaction():
        rows = db.session.scalars(
            select(Attempt).where(Attempt.payment_id == payment_id).order_by(Attempt.number)
        ).all()
        db.session.expunge_all()
        return rows


def agree(settings, sandbox_url, attempt, **wish):
    """What the customer does at the gateway's page; returns the payment key."""
    body = {"orderId": attempt.gateway_order_id, "amount": WON.minor, "method": "카드"} | wish
    key = base64.b64encode(f"{settings.toss_secret_key.get_secret_value()}:".encode()).decode()
    request = urllib.request.Request(
        f"{sandbox_url}/_sandbox/authentications",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Basic {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())["paymentKey"]


def take_a_turn(payment_id):
    charging.execute_attempts(make.attempt_ids([payment_id]), by=BY)


def let_the_window_run_out(payment_id):
    with transaction():
        then = clock.now() - rules.WINDOW_LIFE
        mine = update(Attempt).where(Attempt.payment_id == payment_id)
        db.session.execute(mine.values(created_at=then, due_at=then))


@pytest.fixture
def moves_in_the_window(monkeypatch):
    """Toss as if money moved inside its window, as at PortOne and Stripe."""
    changed = replace(TossGateway.capabilities, confirms_on_return=False)
    monkeypatch.setattr(TossGateway, "capabilities", changed)


def test_a_customer_who_agrees_and_comes_back_has_paid(app, gateway, settings, sandbox_url):
    payment_id = want()
    window = presenting.open_window(payment_id, **ADDRESSES)
    assert window.redirect_url or window.fields["amount"] == WON.minor
    [attempt] = attempts(payment_id)
    assert (attempt.status, attempt.flow) == ("at_window", "window")
    key = agree(settings, sandbox_url, attempt)
    presenting.come_back(attempt.gateway_order_id, gateway_key=key, amount=WON, by=BY)
    take_a_turn(payment_id)
    [attempt] = attempts(payment_id)
    assert (attempt.status, attempt.gateway_key) == ("succeeded", key)
    assert make.payment(payment_id).status == "paid"


def test_coming_back_twice_confirms_once(app, gateway, settings, sandbox_url):
    payment_id = want()
    [attempt] = attempts(payment_id)
    key = agree(settings, sandbox_url, attempt)
    for _ in range(3):
        presenting.come_back(attempt.gateway_order_id, gateway_key=key, amount=WON, by=BY)
        take_a_turn(payment_id)
    [held] = gateway.payments(attempt.gateway_order_id)
    assert held["status"] == "DONE"
    assert make.payment(payment_id).captured_minor == WON.minor


def test_a_changed_amount_is_refused_noted_and_nothing_is_confirmed(
    app, gateway, settings, sandbox_url
):
    payment_id = want()
    [attempt] = attempts(payment_id)
    key = agree(settings, sandbox_url, attempt, amount=100)
    with pytest.raises(AmountDiffers):
        presenting.come_back(
            attempt.gateway_order_id, gateway_key=key, amount=Money(100, "KRW"), by=BY
        )
    [attempt] = attempts(payment_id)
    assert (attempt.status, attempt.gateway_key) == ("at_window", None)
    with transaction():
        noted = select(AuditEntry).where(AuditEntry.action == "attempt.amount_tampered")
        assert db.session.scalars(noted).one().succeeded is False


def test_a_true_amount_with_a_window_of_another_amount_is_refused_by_the_gateway(
    app, gateway, settings, sandbox_url
):
    payment_id = want()
    [attempt] = attempts(payment_id)
    key = agree(settings, sandbox_url, attempt, amount=100)
    presenting.come_back(attempt.gateway_order_id, gateway_key=key, amount=WON, by=BY)
    for _ in range(3):
        make.make_everything_due()
        take_a_turn(payment_id)
    assert make.payment(payment_id).captured_minor == 0


def test_a_window_that_nobody_comes_back_from_is_swept_up(app, gateway):
    payment_id = want()
    take_a_turn(payment_id)
    assert attempts(payment_id)[0].status == "at_window"
    let_the_window_run_out(payment_id)
    take_a_turn(payment_id)
    [attempt] = attempts(payment_id)
    assert (attempt.status, attempt.failure_code) == ("declined", "WINDOW_CLOSED")
    assert attempt.failure_class == FailureClass.CUSTOMER_CANCELLED
    assert make.payment(payment_id).status == "failed"


def test_a_window_that_is_over_takes_nobody_back(app, gateway, settings, sandbox_url):
    payment_id = want()
    [attempt] = attempts(payment_id)
    key = agree(settings, sandbox_url, attempt)
    let_the_window_run_out(payment_id)
    take_a_turn(payment_id)
    with pytest.raises(NoWindow):
        presenting.come_back(attempt.gateway_order_id, gateway_key=key, amount=WON, by=BY)
    assert make.payment(payment_id).captured_minor == 0


def test_agreed_but_never_returned_is_no_charge_where_we_confirm(
    app, gateway, settings, sandbox_url
):
    payment_id = want()
    agree(settings, sandbox_url, attempts(payment_id)[0])
    let_the_window_run_out(payment_id)
    take_a_turn(payment_id)
    assert attempts(payment_id)[0].status == "declined"


def test_giving_up_ends_nothing_by_itself_but_asks_the_gateway_now(app, gateway):
    payment_id = want()
    [attempt] = attempts(payment_id)
    with transaction():
        presenting.give_up(attempt.gateway_order_id, by=BY)
    [attempt] = attempts(payment_id)
    assert attempt.status == "at_window"
    assert attempt.due_at <= clock.now()


def test_another_way_to_pay_takes_the_place_of_a_window_that_was_left(app, gateway):
    payment_id = want()
    with transaction():
        presenting.choose_again(payment_id, method_kind="transfer", by=BY)
    assert [(a.status, a.method_kind) for a in attempts(payment_id)] == [
        ("withdrawn", "card"),
        ("at_window", "transfer"),
    ]
    assert make.payment(payment_id).method_kind == "transfer"


def test_after_a_closed_window_the_same_payment_is_tried_again(app, gateway):
    payment_id = want()
    let_the_window_run_out(payment_id)
    take_a_turn(payment_id)
    with transaction():
        presenting.choose_again(payment_id, method_kind="mobile", by=BY)
    assert [a.status for a in attempts(payment_id)] == ["declined", "at_window"]
    assert make.payment(payment_id).status == "pending"


def test_a_paid_payment_offers_no_other_way(app, gateway, settings, sandbox_url):
    payment_id = want()
    [attempt] = attempts(payment_id)
    key = agree(settings, sandbox_url, attempt)
    presenting.come_back(attempt.gateway_order_id, gateway_key=key, amount=WON, by=BY)
    take_a_turn(payment_id)
    with transaction(), pytest.raises(NotRetryable):
        presenting.choose_again(payment_id, method_kind="card", by=BY)


def test_nobody_wants_it_any_more_so_the_window_is_withdrawn(app, gateway):
    payment_id = want()
    with transaction():
        assert withdraw([payment_id], because="the order was cancelled", by=BY) == 1
    assert make.payment(payment_id).status == "cancelled"
    assert attempts(payment_id)[0].status == "withdrawn"


def test_where_money_moves_in_the_window_only_the_gateway_ends_it(
    app, gateway, settings, sandbox_url, moves_in_the_window
):
    payment_id = want()
    gateway.faults(inquiry_failures=1.0)
    let_the_window_run_out(payment_id)
    take_a_turn(payment_id)
    assert attempts(payment_id)[0].status == "at_window"
    gateway.clear()
    let_the_window_run_out(payment_id)
    take_a_turn(payment_id)
    assert attempts(payment_id)[0].status == "declined"


def test_where_money_moves_in_the_window_no_other_window_is_opened_beside_it(
    app, gateway, moves_in_the_window, monkeypatch
):
    payment_id = want()
    with transaction():
        presenting.choose_again(payment_id, method_kind="transfer", by=BY)
    [attempt] = attempts(payment_id)
    assert attempt.method_kind == "transfer"
    less = replace(TossGateway.capabilities, window_methods=frozenset({"transfer"}))
    monkeypatch.setattr(TossGateway, "capabilities", less)
    with transaction(), pytest.raises(WindowOpen):
        presenting.choose_again(payment_id, method_kind="card", by=BY)


def test_a_virtual_account_without_a_registered_method_is_issued(app, gateway):
    payment_id = want("virtual_account")
    take_a_turn(payment_id)
    [attempt] = attempts(payment_id)
    assert (attempt.status, attempt.flow) == ("waiting", "account")
    assert make.payment(payment_id).status == "awaiting_deposit"


class SecondGateway(TossGateway):
    """Speaks to the same sandbox under another name."""

    name = "second"


@pytest.fixture
def two_gateways(app, settings):
    first = registry.gateway_named("toss")
    [second] = [SecondGateway.__new__(SecondGateway)]
    second.__dict__.update(first.__dict__)
    registry.connect([first, second])
    return first, second


def answering(gateway: Gateway, answer: Answer, monkeypatch):
    async def fixed(_request):
        return answer

    monkeypatch.setattr(gateway, "_charge", fixed)


def test_a_gateway_that_failed_by_its_own_fault_is_replaced_by_another(
    app, gateway, two_gateways, monkeypatch
):
    closed = Answer(
        Outcome.DECLINED,
        "service hours",
        code="NOT_AVAILABLE_BANK",
        failure_class=FailureClass.GATEWAY,
        retry_mode="later",
    )
    answering(two_gateways[0], closed, monkeypatch)
    payment_id = want("virtual_account")
    take_a_turn(payment_id)
    take_a_turn(payment_id)
    assert [(a.gateway_name, a.status) for a in attempts(payment_id)] == [
        ("toss", "declined"),
        ("second", "waiting"),
    ]
    assert make.payment(payment_id).gateway_name == "second"


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (Answer(Outcome.UNKNOWN, "no readable answer"), "unknown"),
        (
            Answer(Outcome.DECLINED, "no", code="X", failure_class="authentication_failure"),
            "declined",
        ),
    ],
)
def test_no_other_gateway_is_asked_while_money_may_have_moved_or_the_customer_was_declined(
    two_gateways, monkeypatch, first, status
):
    answering(two_gateways[0], first, monkeypatch)
    payment_id = want("virtual_account")
    take_a_turn(payment_id)
    assert [(a.gateway_name, a.status) for a in attempts(payment_id)] == [("toss", status)]


def test_a_charge_in_two_steps_keeps_the_name_of_the_first_for_the_second(
    app, gateway, monkeypatch
):
    toss, asked = registry.gateway_named("toss"), []
    original = toss._charge

    async def in_two_steps(request):
        asked.append(request.gateway_key)
        if request.gateway_key is None:
            return Answer(Outcome.PREPARED, "prepared", gateway_key="intent-1")
        return await original(replace(request, gateway_key=None))

    monkeypatch.setattr(toss, "_charge", in_two_steps)
    [payment_id] = make.make_payments()
    take_a_turn(payment_id)
    [attempt] = attempts(payment_id)
    assert (attempt.status, attempt.gateway_key, attempt.turns) == ("ready", "intent-1", 0)
    assert attempt.first_sent_at is None
    take_a_turn(payment_id)
    assert asked == [None, "intent-1"]
    assert attempts(payment_id)[0].status == "succeeded"
    assert make.payment(payment_id).status == "paid"
