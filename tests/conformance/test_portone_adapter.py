"""Our PortOne adapter on the double: every operation, and what goes wrong on the way."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opsapp.gateways.values import (
    AccountClosing,
    BankAccount,
    Inquiry,
    Outcome,
)
from tests.conformance.portone import (
    CUSTOMER,
    WON,
    portone as portone,
    portone_url as portone_url,
)

HOME = BankAccount("88", "110123456789", "김래원")


def closing(request):
    name = request.gateway_order_id
    return AccountClosing(name, name, f"close:{secrets.token_hex(12)}", "기한 만료")


# Charges by billing key


def test_a_charge_tells_what_a_person_may_see_of_it(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    answer = portone.charge(request)
    assert (answer.outcome, answer.amount, answer.refunded.minor) == (Outcome.APPROVED, WON, 0)
    assert (answer.gateway_key, answer.method_kind) == (request.gateway_order_id, "card")
    assert answer.paid_with == {"issuer": "KOOKMIN_CARD", "number": "43301234****1234"}
    assert answer.approval_number
    assert answer.receipt_url.startswith("https://")


def test_the_stored_bytes_of_a_charge_hold_no_billing_key(portone):
    request = portone.request(billing_key="billing-key-very-secret")
    assert b"very-secret" not in request.body
    assert b"billingKey" not in request.body


def test_the_same_charge_under_the_same_key_takes_money_once(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    first, second = portone.charge(request), portone.charge(request)
    assert (first.outcome, second.outcome) == (Outcome.APPROVED, Outcome.APPROVED)
    assert first.approval_number == second.approval_number


def test_another_body_under_the_same_key_is_a_mistake_of_ours(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.charge(request)
    other = replace(request, body=request.body.replace(b"9900", b"9901"))
    assert portone.charge(other).outcome is Outcome.MISCONFIGURED


def test_the_same_payment_under_another_key_is_a_conflict_not_a_second_charge(portone):
    request = portone.paid()
    again = replace(request, idempotency_key=f"pay:{secrets.token_hex(12)}")
    answer = portone.charge(again)
    assert (answer.outcome, answer.code) == (Outcome.CONFLICT, "ALREADY_PAID")


def test_a_key_in_flight_is_uncertain_and_asked_again_identically(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.controls.fault(latency_s=0.3, path="billing-key", times=2)
    answers = portone.together(portone.gateway.charge(request), portone.gateway.charge(request))
    by_outcome = {answer.outcome: answer for answer in answers}
    assert set(by_outcome) == {Outcome.APPROVED, Outcome.UNKNOWN}
    in_flight = by_outcome[Outcome.UNKNOWN]
    assert (in_flight.code, in_flight.retry_mode) == (
        "IDEMPOTENCY_OUTSTANDING_REQUEST",
        "same_request",
    )
    assert portone.charge(request).outcome is Outcome.APPROVED


def test_a_charge_that_was_executed_and_whose_answer_was_lost_is_found_by_its_inquiry(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.controls.fault(does="hang_up", times=1)
    assert portone.charge(request).outcome is Outcome.UNKNOWN
    assert portone.inquire(request).outcome is Outcome.APPROVED
    assert portone.charge(request).amount == WON


def test_a_charge_that_never_arrived_is_not_found_and_may_be_sent_again(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.controls.fault(does="hang_up", is_before=True, times=1)
    assert portone.charge(request).outcome is Outcome.UNKNOWN
    assert portone.inquire(request).outcome is Outcome.NOT_FOUND
    assert portone.charge(request).outcome is Outcome.APPROVED


@pytest.mark.parametrize("is_before", [True, False])
def test_a_server_error_is_uncertain_whether_or_not_it_charged(portone, is_before):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.controls.fault(does="answer", status=500, body="<html>", is_before=is_before, times=1)
    assert portone.charge(request).outcome is Outcome.UNKNOWN
    found = Outcome.NOT_FOUND if is_before else Outcome.APPROVED
    assert portone.inquire(request).outcome is found


def test_a_charge_that_cannot_be_read_afterwards_is_uncertain_and_not_approved(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.controls.fault(does="answer", status=500, path=request.gateway_order_id, times=1)
    assert portone.charge(request).outcome is Outcome.UNKNOWN
    assert portone.inquire(request).outcome is Outcome.APPROVED


def test_a_charge_and_its_reading_share_the_time_of_one_call(portone, monkeypatch):
    waits, ask = {}, portone.gateway._ask

    async def noted(method, path, **more):
        waits[method] = more["timeout_s"]
        return await ask(method, path, **more)

    monkeypatch.setattr(portone.gateway, "_ask", noted)
    portone.controls.fault(latency_s=0.3, path="billing-key", times=1)
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    assert portone.charge(request).outcome is Outcome.APPROVED
    assert waits["GET"] <= portone.gateway.timeout_s - 0.3


def test_too_many_requests_were_turned_away_unread(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    portone.controls.fault(does="answer", status=429, is_before=True, times=1)
    assert portone.charge(request).outcome is Outcome.NOT_SENT


def test_a_failed_payment_is_declined_by_its_inquiry_even_where_the_code_leaves_it_open(portone):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER, "CC72"))
    assert portone.charge(request).outcome is Outcome.UNKNOWN
    found = portone.inquire(request)
    assert (found.outcome, found.failure_class) == (Outcome.DECLINED, "gateway_error")


def test_a_code_of_a_gateway_behind_that_is_in_no_table_is_uncertain_and_named(portone):
    portone.controls.merchant(channels={"channel-card": "NICE_V2"})
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER, "3095"))
    answer = portone.charge(request)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "3095")
    assert answer.unmapped_source == "portone_pg_kcp"  # as the settings say
    found = portone.inquire(request)
    assert (found.outcome, found.unmapped_source) == (Outcome.UNKNOWN, "portone_pg_nice_v2")


def test_a_code_is_explained_by_the_gateway_that_the_payments_channel_leads_to(portone):
    portone.controls.merchant(channels={"channel-card": "TOSSPAYMENTS"})
    request = portone.request(
        billing_key=portone.controls.billing_key(CUSTOMER, "REJECT_CARD_PAYMENT")
    )
    portone.charge(request)
    found = portone.inquire(request)
    assert (found.outcome, found.code) == (Outcome.DECLINED, "REJECT_CARD_PAYMENT")


# Refunds


def test_refunds_in_parts_add_up_and_the_whole_is_a_balance_of_nothing(portone):
    request = portone.paid()
    first = portone.refund(request, 4000)
    assert (first.outcome, first.amount.minor) == (Outcome.APPROVED, 4000)
    assert portone.inquire(request).refunded.minor == 4000
    portone.refund(request, 5900, before=5900)
    found = portone.inquire(request)
    assert (found.outcome, found.amount, found.refunded) == (Outcome.APPROVED, WON, WON)


def test_a_refund_is_refused_when_the_gateway_holds_another_amount(portone):
    request = portone.paid()
    answer = portone.refund(request, 1000, before=5000)
    assert (answer.outcome, answer.code) == (
        Outcome.CONFLICT,
        "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
    )
    assert portone.inquire(request).refunded.minor == 0


def test_the_same_refund_under_the_same_key_gives_back_once(portone):
    request = portone.paid()
    refund = portone.refund_request(request, 4000)
    portone.controls.fault(does="hang_up", times=1)
    assert portone.wait(portone.gateway.refund(refund)).outcome is Outcome.UNKNOWN
    assert portone.wait(portone.gateway.refund(refund)).outcome is Outcome.APPROVED
    assert portone.inquire(request).refunded.minor == 4000


def test_a_cancel_in_progress_is_no_refund_until_it_is_done(portone):
    request = portone.paid()
    portone.controls.merchant(cancels_as="REQUESTED")
    assert portone.refund(request, 4000).outcome is Outcome.UNKNOWN
    assert portone.inquire(request).refunded.minor == 0
    portone.controls.finish_cancel(request.gateway_order_id, "SUCCEEDED")
    assert portone.inquire(request).refunded.minor == 4000


def test_a_cancel_that_failed_gave_nothing_back(portone):
    request = portone.paid()
    portone.controls.merchant(cancels_as="FAILED")
    answer = portone.refund(request, 4000)
    assert (answer.outcome, answer.failure_class) == (Outcome.DECLINED, "gateway_error")
    assert portone.inquire(request).refunded.minor == 0


# Virtual accounts


def test_an_account_is_issued_and_waits_with_nothing_on_it(portone):
    request = portone.account()
    answer = portone.inquire(request)
    assert (answer.outcome, answer.deposited.minor) == (Outcome.PENDING, 0)
    assert (answer.account.bank, answer.deposit_key) == ("20", None)
    life = answer.account.due_at - datetime.now(UTC)
    assert timedelta(hours=167) < life <= timedelta(hours=168)


@pytest.mark.parametrize(
    ("deposits", "outcome", "deposited"),
    [
        ([9900], Outcome.APPROVED, 9900),
        ([4000], Outcome.PENDING, 4000),
        ([1000, 2000], Outcome.PENDING, 3000),
        ([4000, 5900], Outcome.APPROVED, 9900),
        ([12000], Outcome.APPROVED, 12000),
        ([9900, 100], Outcome.APPROVED, 10000),
    ],
    ids=["exact", "short", "short twice", "in two parts", "over", "over afterwards"],
)
def test_what_arrives_on_an_account_is_told_beside_what_was_asked(
    portone, deposits, outcome, deposited
):
    request = portone.account()
    keys = []
    for amount in deposits:
        portone.controls.deposit(request.gateway_order_id, amount, name="홍길동")
        keys.append(portone.inquire(request).deposit_key)
    answer = portone.inquire(request)
    assert (answer.outcome, answer.deposited.minor) == (outcome, deposited)
    assert answer.depositor == "홍길동"
    assert answer.deposit_key == keys[-1]
    assert len(set(keys)) == len(deposits)
    if outcome is Outcome.APPROVED:
        assert (answer.amount, answer.method_kind) == (WON, "virtual_account")


def test_a_deposit_taken_back_by_the_bank_leaves_the_account_waiting_with_nothing(portone):
    request = portone.account()
    portone.controls.deposit(request.gateway_order_id, 9900)
    portone.controls.deposit(request.gateway_order_id, reverse=True)
    answer = portone.inquire(request)
    assert (answer.outcome, answer.deposited.minor) == (Outcome.PENDING, 0)


def test_a_closed_account_ends_without_money_and_closing_twice_is_a_conflict(portone):
    request = portone.account()
    assert portone.wait(portone.gateway.close_account(closing(request))).outcome is Outcome.APPROVED
    answer = portone.inquire(request)
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "DEPOSIT_CANCELLED")
    assert portone.wait(portone.gateway.close_account(closing(request))).outcome is Outcome.CONFLICT


def test_a_deposit_after_the_account_was_closed_is_found_by_the_next_inquiry(portone):
    request = portone.account()
    portone.wait(portone.gateway.close_account(closing(request)))
    portone.controls.deposit(request.gateway_order_id, 9900, is_late=True)
    answer = portone.inquire(request)
    assert (answer.outcome, answer.deposited) == (Outcome.APPROVED, WON)


def test_a_deposit_is_given_back_to_a_bank_account_and_not_without_one(portone):
    request = portone.account()
    portone.controls.deposit(request.gateway_order_id, 9900)
    assert portone.refund(request, 9900).outcome is Outcome.MISCONFIGURED
    assert portone.refund(request, 9900, account=HOME).outcome is Outcome.APPROVED
    assert portone.inquire(request).refunded == WON


def test_a_bank_that_the_gateway_has_no_word_for_is_refused_before_anything_is_sent(portone):
    request = portone.account()
    portone.controls.deposit(request.gateway_order_id, 9900)
    requests = portone.controls.counts()["requests"]
    answer = portone.refund(request, 9900, account=replace(HOME, bank="S8"))
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "REFUND_BANK_UNKNOWN")
    assert portone.controls.counts()["requests"] == requests


# Between gateway and us


def test_an_answer_about_another_payment_is_no_answer(portone):
    paid, other = portone.paid(), portone.paid()
    found = portone.wait(portone.gateway._ask("GET", f"/payments/{other.gateway_order_id}")).body
    portone.controls.fault(does="answer", status=200, body=found, times=1)
    assert portone.inquire(paid).outcome is Outcome.UNKNOWN


def test_an_inquiry_refused_for_our_key_says_nothing_about_the_charge(portone):
    request = portone.paid()
    body = {"type": "UNAUTHORIZED", "message": ""}
    portone.controls.fault(does="answer", status=401, body=body, times=1)
    answer = portone.wait(
        portone.gateway.inquire(Inquiry(request.gateway_order_id, None, request.flow))
    )
    assert answer.outcome is Outcome.UNKNOWN


def test_a_gateway_that_refuses_the_connection_was_sent_nothing(portone):
    request = portone.request(billing_key="any")
    portone.gateway._url = "http://127.0.0.1:9"
    assert portone.charge(request).outcome is Outcome.NOT_SENT
    assert portone.inquire(request).outcome is Outcome.NOT_SENT
