"""Stripe through the whole pipeline: two steps, each of which may be lost on the way."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from opsapp.kernel.db import db, transaction
from opsapp.payments import presenting, rules
from opsapp.payments.models import Attempt
from tests.factories import accounts, doubles
from tests.factories.doubles import WON
from tests.factories.payments import BY
from tests.fakes.stripe import Fault, running

PAID = ("succeeded", "paid", WON.minor, 0)
CREATE, CONFIRM = r"POST /v1/payment_intents$", r"POST .*/confirm"


@pytest.fixture(scope="module")
def server():
    with running() as double:
        yield double


@pytest.fixture
def stripe(server):
    server.forget()
    return server


@pytest.fixture
def settings(settings, server):
    return doubles.with_stripe(settings, server.url)


def charges(stripe):
    return [each["amount"] for each in stripe.all("charge") if each["captured"]]


def test_a_charge_is_prepared_and_then_confirmed(app, stripe):
    payment_id = doubles.at_stripe(stripe)
    doubles.take_turns(payment_id)
    prepared = doubles.latest(payment_id)
    assert (prepared.status, charges(stripe)) == ("ready", [])
    assert prepared.gateway_key is not None
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID
    assert charges(stripe) == [WON.minor]
    assert accounts.violations() == {}


@pytest.mark.parametrize("path", [CREATE, CONFIRM])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
def test_an_answer_lost_at_either_step_charges_once(app, stripe, path, kind):
    payment_id = doubles.at_stripe(stripe)
    stripe.faults.append(Fault(path, kind))
    doubles.take_turns(payment_id, 6)
    assert doubles.stands(payment_id) == PAID
    assert charges(stripe) == [WON.minor]
    assert len(stripe.all("payment_intent")) == 1
    assert accounts.violations() == {}


def test_a_decline_of_the_second_step_ends_it(app, stripe):
    payment_id = doubles.at_stripe(
        stripe, error={"code": "card_declined", "decline_code": "insufficient_funds"}
    )
    doubles.take_turns(payment_id, 3)
    assert doubles.stands(payment_id) == ("declined", "failed", 0, 0)
    assert doubles.latest(payment_id).failure_code == "insufficient_funds"
    assert accounts.violations() == {}


@pytest.mark.parametrize("code", ["processing_error", "issuer_not_available"])
def test_a_decline_that_leaves_it_open_is_settled_by_what_the_intent_says(app, stripe, code):
    payment_id = doubles.at_stripe(stripe, error={"code": "card_declined", "decline_code": code})
    doubles.take_turns(payment_id, 4)
    assert doubles.stands(payment_id) == ("declined", "failed", 0, 0)
    assert charges(stripe) == []


def test_a_card_that_asks_for_its_holder_is_declined_and_can_never_be_paid_later(app, stripe):
    payment_id = doubles.at_stripe(stripe, asks="1")
    doubles.take_turns(payment_id, 4)
    assert doubles.stands(payment_id) == ("declined", "failed", 0, 0)
    assert accounts.violations() == {}


def test_being_busy_with_the_first_request_is_no_second_charge(app, stripe):
    payment_id = doubles.at_stripe(stripe)
    doubles.take_turns(payment_id)
    stripe.faults.append(Fault(CONFIRM, "lost_before"))
    doubles.take_turns(payment_id, 2)
    busy = '{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}'
    stripe.faults.append(Fault(CONFIRM, "answer", status=409, body=busy))
    doubles.take_turns(payment_id, 4)
    assert doubles.stands(payment_id) == PAID
    assert charges(stripe) == [WON.minor]


@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
def test_refunds_in_part_and_whole_survive_a_lost_answer(app, stripe, kind):
    payment_id = doubles.at_stripe(stripe)
    doubles.take_turns(payment_id, 2)
    for minor in (10_000, 20_000):
        refund_id = doubles.ask_back(payment_id, minor)
        stripe.faults.append(Fault("POST /v1/refunds", kind))
        doubles.take_refund_turns([refund_id], 4)
        assert doubles.refund(refund_id).status == "succeeded"
    assert doubles.stands(payment_id) == ("succeeded", "refunded", WON.minor, WON.minor)
    assert [each["amount"] for each in stripe.all("refund")] == [10_000, 20_000]
    assert accounts.violations() == {}


def test_money_that_moved_in_the_window_is_found_and_agrees_with_the_books(app, stripe):
    payment_id = doubles.by_kind("stripe")
    doubles.pay_at_stripe(stripe, doubles.open_window(payment_id))
    presenting.come_back(
        doubles.latest(payment_id).gateway_order_id, gateway_key=None, amount=None, by=BY
    )
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID
    doubles.take_turns(doubles.at_stripe(stripe), 2)  # something was sent, too
    assert accounts.violations() == {}


def test_a_window_that_ran_out_is_cancelled_there_before_it_is_declined_here(app, stripe):
    payment_id = doubles.by_kind("stripe")
    window = doubles.open_window(payment_id)
    let_the_window_run_out(stripe, payment_id)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id)[:2] == ("declined", "failed")
    assert [each["status"] for each in stripe.all("payment_intent")] == ["canceled"]
    with pytest.raises(Exception, match="unexpected_state"):
        doubles.pay_at_stripe(stripe, window)
    assert accounts.violations() == {}


def test_a_window_paid_in_its_last_second_is_paid(app, stripe):
    payment_id = doubles.by_kind("stripe")
    doubles.pay_at_stripe(stripe, doubles.open_window(payment_id))
    let_the_window_run_out(stripe, payment_id)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID


def let_the_window_run_out(stripe, payment_id):
    for intent in stripe.all("payment_intent"):
        intent["created"] -= int(rules.WINDOW_LIFE.total_seconds()) + 1
    age_window(payment_id)


def age_window(payment_id, by=rules.WINDOW_LIFE + timedelta(seconds=1)):
    with transaction():
        mine = update(Attempt).where(Attempt.payment_id == payment_id)
        db.session.execute(mine.values(created_at=Attempt.created_at - by))
