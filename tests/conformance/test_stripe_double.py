"""What no foreign server shows: keys, refused refunds, lost answers. The SDK speaks to the same
double, so that the double is not only our own idea of the vendor."""

import asyncio
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
import stripe

from opsapp.gateways.base import GatewayAway, NotOffered
from opsapp.gateways.stripe_objects import WINDOW_LIFE
from opsapp.gateways.values import (
    AccountClosing,
    BillingKeyDeletion,
    BillingKeyRequest,
    Flow,
    Outcome,
    RefundRequest,
)
from opsapp.kernel.money import Money
from opsapp.payments import rules
from opsapp.payments.rules import Ask, Question
from opsapp.payments.states import AttemptStatus
from tests.conformance.stripe_cases import WON, charge_of, stripe_at, talking, window_of
from tests.fakes.stripe import Fault, running

CONFIRM = r"/confirm"


@pytest.fixture(scope="module")
def server():
    with running() as double:
        yield double


@pytest.fixture(scope="module")
def connection(server):
    with talking(stripe_at(server.url)) as talk:
        yield talk


@pytest.fixture
def double(server):
    server.forget()
    return server


@pytest.fixture
def talk(connection, double):
    return connection


@pytest.fixture
def sdk(double):
    client = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": double.url}, max_network_retries=0
    )
    return client.v1


@pytest.fixture
def card(talk, double):
    return talk.register(double.add_method()).billing_key.billing_key


def prepared(talk, order, card, **more):
    request = charge_of(talk.gateway, order, card, **more)
    made = talk(talk.gateway.charge(request))
    assert made.outcome is Outcome.PREPARED
    return replace(request, gateway_key=made.gateway_key)


def succeeded(double):
    return [each for each in double.all("charge") if each["status"] == "succeeded"]


def test_the_two_steps_of_a_charge_carry_keys_of_their_own(talk, double, card):
    answer, request = talk.charge("op_1", card)
    assert answer.outcome is Outcome.APPROVED
    steps = double.sent("POST /v1/payment_intents")
    assert [each["key"] for each in steps] == ["pay:op_1:create", "pay:op_1:confirm"]
    assert "off_session" not in steps[0]["form"]
    assert steps[1]["form"]["off_session"] == "true"
    assert b"pm_" not in request.body
    assert (answer.approval_number, answer.trace_id) == ("123456", "req_double")
    assert answer.paid_with == {"issuer": "visa", "number": "****4242"}


def test_a_charge_sent_ten_times_takes_money_once(talk, double, card):
    answers = [talk.charge("op_2", card)[0] for _ in range(10)]
    assert {each.outcome for each in answers} == {Outcome.APPROVED}
    assert len({each.gateway_key for each in answers}) == 1
    assert (len(succeeded(double)), len(double.all("payment_intent"))) == (1, 1)


def test_the_sdk_gets_the_same_answer_under_the_same_key(sdk, double):
    params = {"amount": 12900, "currency": "krw"}
    made = [
        sdk.payment_intents.create(params=params, options={"idempotency_key": "k"}).id
        for _ in range(3)
    ]
    assert len(set(made)) == 1
    with pytest.raises(stripe.IdempotencyError):
        sdk.payment_intents.create(params=params | {"amount": 1}, options={"idempotency_key": "k"})


def test_another_amount_under_the_same_key_is_our_mistake_and_takes_nothing(talk, double, card):
    prepared(talk, "op_3", card)
    other = charge_of(talk.gateway, "op_3", card, amount=Money(99000, "KRW"))
    answer = talk(talk.gateway.charge(other))
    assert (answer.outcome, answer.code) == (Outcome.MISCONFIGURED, "IdempotencyError")
    assert succeeded(double) == []


def test_a_request_in_flight_is_uncertain_and_to_be_repeated_as_it_is(talk, double, card):
    request = prepared(talk, "op_4", card)
    double.faults.append(Fault(CONFIRM, "slow", seconds=0.3))

    async def both():
        charge = talk.gateway.charge
        return await asyncio.gather(charge(request), charge(request))

    first, second = sorted(talk(both()), key=lambda each: each.outcome)
    assert first.outcome is Outcome.APPROVED
    assert (second.outcome, second.code) == (Outcome.UNKNOWN, "idempotency_key_in_use")
    assert second.retry_mode == "same_request"
    assert len(succeeded(double)) == 1


@pytest.mark.parametrize("step", ["/v1/payment_intents$", CONFIRM])
def test_a_lost_answer_is_uncertain_and_its_repeat_takes_money_once(talk, double, card, step):
    double.faults.append(Fault(step, "lost_after"))
    lost, _ = talk.charge("op_5", card)
    assert (lost.outcome, lost.code) == (Outcome.UNKNOWN, None)
    answer, _ = talk.charge("op_5", card)
    assert answer.outcome is Outcome.APPROVED
    assert (len(succeeded(double)), len(double.all("payment_intent"))) == (1, 1)


def test_a_confirmation_that_never_arrived_may_be_sent_again(talk, double, card):
    request = prepared(talk, "op_6", card)
    double.faults.append(Fault(CONFIRM, "lost_before"))
    assert talk(talk.gateway.charge(request)).outcome is Outcome.UNKNOWN
    assert talk.inquire("op_6", request.gateway_key).outcome is Outcome.NOT_FOUND
    double.kept.clear()
    assert talk(talk.gateway.charge(request)).outcome is Outcome.APPROVED


def test_a_lost_confirmation_is_found_by_the_name_of_the_intent(talk, double, card):
    request = prepared(talk, "op_7", card)
    double.faults.append(Fault(CONFIRM, "lost_after"))
    assert talk(talk.gateway.charge(request)).outcome is Outcome.UNKNOWN
    answer = talk.inquire("op_7", request.gateway_key)
    assert (answer.outcome, answer.amount) == (Outcome.APPROVED, WON)


def test_an_error_of_status_500_is_kept_under_the_key_and_stays_uncertain(talk, double, card):
    request = prepared(talk, "op_8", card)
    error = '{"error": {"type": "api_error"}}'
    double.faults.append(Fault(CONFIRM, "answer", status=500, body=error))
    for _ in range(3):
        answer = talk(talk.gateway.charge(request))
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "APIError")
    assert talk.inquire("op_8", request.gateway_key).outcome is Outcome.NOT_FOUND


def test_nothing_was_ever_confirmed_without_a_name_and_nothing_is_asked(talk, double):
    assert talk.inquire("op_9", None).outcome is Outcome.NOT_FOUND
    assert double.requests == []


def test_an_intent_that_the_gateway_does_not_know_is_not_found(talk):
    assert talk.inquire("op_10", "pi_of_another_account").outcome is Outcome.NOT_FOUND


def test_a_refused_inquiry_says_nothing_about_the_charge(talk, double, card):
    _, request = talk.charge("op_11", card)
    for status, code in ((401, "api_key_expired"), (402, "card_declined"), (400, "rate_limit")):
        body = f'{{"error": {{"type": "invalid_request_error", "code": "{code}"}}}}'
        double.faults.append(Fault("GET", "answer", status=status, body=body))
        answer = talk.inquire("op_11", request.gateway_key)
        assert answer.outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)


def test_a_temporary_fault_of_the_issuer_is_settled_by_the_state_of_the_intent(talk, double):
    error = {"code": "card_declined", "decline_code": "processing_error"}
    card = registered(talk, double, error=error)
    answer, request = talk.charge("op_12", card)
    assert answer.outcome is Outcome.UNKNOWN
    found = talk.inquire("op_12", request.gateway_key)
    assert (found.outcome, found.failure_class) == (Outcome.DECLINED, "gateway_error")


def test_a_code_that_nobody_knows_is_never_a_decline(talk, double):
    card = registered(talk, double, error={"code": "brand_new_code"})
    answer, request = talk.charge("op_13", card)
    found = talk.inquire("op_13", request.gateway_key)
    for each in (answer, found):
        assert (each.outcome, each.code) == (Outcome.UNKNOWN, "brand_new_code")
        assert each.unmapped_source == "stripe_error"


def test_an_unknown_reason_of_the_issuer_leaves_the_known_code_to_decide(talk, double):
    error = {"code": "card_declined", "decline_code": "brand_new_reason"}
    answer, _ = talk.charge("op_14", registered(talk, double, error=error))
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "card_declined")


def test_a_charge_that_demands_its_holder_is_declined_at_once_when_nobody_is_there(talk, double):
    answer, request = talk.charge("op_15", registered(talk, double, asks="yes"))
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "authentication_required")
    assert talk.inquire("op_15", request.gateway_key).code == "authentication_required"


def test_a_cancel_that_does_not_get_through_declines_nothing(talk, double, card):
    request = prepared(talk, "op_16", card)
    double.objects[request.gateway_key]["status"] = "requires_action"
    for kind in ("lost_before", "answer"):
        double.faults.append(Fault("/cancel", kind))
        assert talk.inquire("op_16", request.gateway_key).outcome is Outcome.UNKNOWN
    double.faults.append(Fault("/cancel", "lost_after"))
    assert talk.inquire("op_16", request.gateway_key).outcome is Outcome.UNKNOWN
    assert talk.inquire("op_16", request.gateway_key).outcome is Outcome.DECLINED


def test_a_customer_in_an_open_window_is_never_cut_off_by_an_inquiry(talk, double):
    opened = talk(talk.gateway.open_window(window_of("op_17")))
    intent = double.objects[opened.gateway_key]
    error = {"type": "card_error", "code": "card_declined"}
    for status in ("requires_payment_method", "requires_confirmation", "requires_action"):
        intent |= {"status": status, "last_payment_error": error}
        answer = talk.inquire("op_17", opened.gateway_key, Flow.WINDOW)
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, status)
    assert double.sent("/cancel") == []


def test_a_window_that_was_left_is_closed_by_the_look_at_it_and_only_then_declined(talk, double):
    opened = talk(talk.gateway.open_window(window_of("op_42")))
    intent = double.objects[opened.gateway_key]
    life = int(WINDOW_LIFE.total_seconds())
    intent["created"] -= life - 60
    assert talk.inquire("op_42", opened.gateway_key, Flow.WINDOW).outcome is Outcome.UNKNOWN
    assert intent["status"] == "requires_payment_method"
    intent["created"] -= 61
    left = talk.inquire("op_42", opened.gateway_key, Flow.WINDOW)
    assert (left.outcome, left.code) == (Outcome.DECLINED, "payment_intent_payment_attempt_expired")
    assert intent["status"] == "canceled"


def test_a_window_paid_at_the_last_moment_is_not_cut_off(talk, double):
    opened = talk(talk.gateway.open_window(window_of("op_43")))
    intent = double.objects[opened.gateway_key]
    intent["created"] -= 86_400
    stale = json.dumps(intent)
    intent |= {"status": "succeeded", "amount_received": 12900}
    double.faults.append(Fault("GET", "answer", status=200, body=stale))
    assert talk.inquire("op_43", opened.gateway_key, Flow.WINDOW).outcome is Outcome.UNKNOWN
    assert talk.inquire("op_43", opened.gateway_key, Flow.WINDOW).outcome is Outcome.APPROVED


def test_a_window_is_opened_once_under_its_key_and_tells_the_browser_no_secret_of_ours(
    talk, double
):
    opened, again = [talk(talk.gateway.open_window(window_of("op_18"))) for _ in range(2)]
    assert opened.gateway_key == again.gateway_key
    window = opened.window
    assert (window.vendor, window.script_url) == ("stripe", "https://js.stripe.com/v3/")
    assert window.fields["publishableKey"] == "pk_test_1"
    assert window.fields["returnUrl"] == "https://shop.example/return"
    assert "sk_test" not in str(window)


def test_a_paid_window_is_not_closed(talk, double):
    opened = talk(talk.gateway.open_window(window_of("op_19")))
    double.objects[opened.gateway_key] |= {"status": "succeeded", "amount_received": 12900}
    closing = AccountClosing(opened.gateway_key, "op_19", "close:op_19", "abandoned")
    answer = talk(talk.gateway.close_account(closing))
    assert answer.outcome in (Outcome.CONFLICT, Outcome.UNKNOWN)
    assert talk.inquire("op_19", opened.gateway_key, Flow.WINDOW).outcome is Outcome.APPROVED


def test_a_refund_sent_ten_times_gives_back_once(talk, double, card):
    _, request = talk.charge("op_20", card)
    double.faults.append(Fault("POST /v1/refunds", "lost_after"))
    assert talk.refund(request.gateway_key, 900, 12900, "refund:1").outcome is Outcome.UNKNOWN
    for _ in range(9):
        answer = talk.refund(request.gateway_key, 900, 12900, "refund:1")
        assert answer.outcome is Outcome.CONFLICT
    assert [each["amount"] for each in double.all("refund")] == [900]
    assert talk.inquire("op_20", request.gateway_key).refunded == Money(900, "KRW")


def test_a_refund_sends_one_request_that_changes_something(talk, double, card):
    _, request = talk.charge("op_21", card)
    double.requests.clear()
    assert talk.refund(request.gateway_key, 900, 12900, "refund:2").outcome is Outcome.APPROVED
    lines = [each["line"].partition(" ")[0] for each in double.requests]
    assert lines == ["GET", "POST"]


def test_a_refund_is_not_sent_when_the_look_took_longer_than_the_lease(talk, double, card):
    _, request = talk.charge("op_22", card)
    double.faults.append(Fault("GET", "slow", seconds=0.2))
    late = RefundRequest(
        request.gateway_key, "refund:3", WON, WON, "고객 변심", call_before=monotonic() + 0.1
    )
    assert talk(talk.gateway.refund(late)).outcome is Outcome.NOT_SENT
    assert double.all("refund") == []


def test_more_than_is_left_is_refused_by_the_gateway_for_us_and_for_the_sdk(
    talk, double, card, sdk
):
    _, request = talk.charge("op_23", card)
    too_much = talk.refund(request.gateway_key, 99000, 12900, "refund:4")
    assert too_much.outcome is Outcome.MISCONFIGURED
    assert talk.refund(request.gateway_key, 12900, 12900, "refund:5").outcome is Outcome.APPROVED
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.refunds.create(params={"payment_intent": request.gateway_key, "amount": 1})
    assert refused.value.code == "charge_already_refunded"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("pending", Outcome.UNKNOWN),
        ("requires_action", Outcome.UNKNOWN),
        ("failed", Outcome.CONFLICT),
        ("canceled", Outcome.CONFLICT),
        ("new_status", Outcome.UNKNOWN),
    ],
)
def test_only_a_finished_refund_is_a_refund(talk, double, card, status, outcome):
    _, request = talk.charge("op_24", card)
    body = (
        f'{{"id": "re_1", "status": "{status}", "amount": 900, "currency": "krw",'
        f' "payment_intent": "{request.gateway_key}"}}'
    )
    double.faults.append(Fault("POST /v1/refunds", "answer", status=200, body=body))
    assert talk.refund(request.gateway_key, 900, 12900, "refund:6").outcome is outcome


def test_a_registration_that_lost_its_answer_issues_one_key(talk, double):
    method = double.add_method()
    for step in ("POST /v1/customers", "/attach"):
        double.faults.append(Fault(step, "lost_after"))
        assert talk.register(method).outcome is Outcome.UNKNOWN
    answer = talk.register(method)
    assert answer.outcome is Outcome.APPROVED
    assert len(double.all("customer")) == 1
    assert answer.billing_key.billing_key == f"{double.all('customer')[0]['id']}|{method}"


def test_a_one_time_key_that_the_gateway_does_not_know_is_refused(talk):
    for key in ("pm_unknown", "seti_unknown", "what is this/../x"):
        request = BillingKeyRequest("customer-1", key, "method:1")
        answer = talk(talk.gateway.issue_billing_key(request))
        assert (answer.outcome, answer.billing_key) == (Outcome.DECLINED, None)


def test_a_key_that_is_gone_is_not_found_a_second_time(talk, double, card):
    outcomes = [
        talk(talk.gateway.delete_billing_key(BillingKeyDeletion(card, f"delete:{n}"))).outcome
        for n in range(2)
    ]
    assert outcomes == [Outcome.APPROVED, Outcome.NOT_FOUND]
    unknown = BillingKeyDeletion("cus_1|pm_unknown", "delete:9")
    assert talk(talk.gateway.delete_billing_key(unknown)).outcome is Outcome.NOT_FOUND


def test_a_card_that_is_gone_at_the_gateway_is_the_method_that_is_gone(talk, double):
    for billing_key in ("cus_unknown|pm_unknown", "no_bar", "|", "cus_1|"):
        answer, _ = talk.charge(f"op_25{len(billing_key)}", billing_key)
        assert (answer.outcome, answer.code) == (Outcome.DECLINED, "METHOD_GONE")
        assert answer.failure_class == "expired_or_suspended"


def test_the_books_of_a_day_are_read_page_by_page_and_are_what_the_sdk_reads(
    talk, double, sdk, card, monkeypatch
):
    monkeypatch.setattr("opsapp.gateways.stripe.ROWS_PER_PAGE", 3)
    for number in range(7):
        _, request = talk.charge(f"op_3{number}", card)
    talk.refund(request.gateway_key, 900, 12900, "refund:7")
    talk.charge("op_39", registered(talk, double, error={"code": "card_declined"}))
    now = datetime.now(UTC)
    day = timedelta(days=1)
    rows = talk(talk.gateway.list_transactions(now - day, now + day))
    orders = sorted(row.gateway_order_id for row in rows if row.amount.minor > 0)
    assert orders == [f"op_3{number}" for number in range(7)]
    assert [(r.gateway_order_id, r.amount.minor) for r in rows if r.amount.minor < 0] == [
        ("op_36", -900)
    ]
    theirs = sum(each.amount for each in sdk.charges.list().data if each.paid)
    theirs -= sum(each.amount for each in sdk.refunds.list().data)
    assert sum(row.amount.minor for row in rows) == theirs
    assert talk(talk.gateway.list_transactions(now - 3 * day, now - 2 * day)) == []


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"data": [], "has_more": true}',
        '{"data": [{"id": "ch_1"}], "has_more": false}',
        '{"data": 1, "has_more": false}',
        "no json",
    ],
)
def test_books_that_cannot_be_read_whole_are_not_read_at_all(talk, double, body):
    double.faults.append(Fault("GET /v1/charges", "answer", status=200, body=body))
    now = datetime.now(UTC)
    with pytest.raises(GatewayAway):
        talk(talk.gateway.list_transactions(now, now))


def test_what_stripe_does_not_offer_is_a_mistake_to_ask_for(talk):
    with pytest.raises(NotOffered):
        talk(talk.gateway.list_settlements(datetime.now(UTC).date()))


@pytest.mark.parametrize("status", ["processing", "requires_capture", "succeeded"])
def test_a_refusal_about_a_payment_that_may_be_made_is_no_decline(talk, double, card, status):
    request = prepared(talk, "op_40", card)
    body = (
        '{"error": {"type": "invalid_request_error", "payment_intent": '
        f'{{"id": "pi_1", "status": "{status}"}}}}}}'
    )
    double.faults.append(Fault(CONFIRM, "answer", status=400, body=body))
    answer = talk(talk.gateway.charge(request))
    assert answer.outcome is Outcome.UNKNOWN
    question = Question(Ask.SEND, AttemptStatus.READY, False, True, WON, 1)
    assert rules.judge(answer, question).status is AttemptStatus.UNKNOWN


def test_nothing_is_sent_after_the_lease(talk, double, card):
    request = prepared(talk, "op_41", card)
    late = replace(request, call_before=-math.inf)
    assert talk(talk.gateway.charge(late)).outcome is Outcome.NOT_SENT
    assert succeeded(double) == []


def registered(talk, double, **metadata):
    """A billing key whose charges meet what its metadata says."""
    return talk.register(double.add_method(metadata=metadata)).billing_key.billing_key
