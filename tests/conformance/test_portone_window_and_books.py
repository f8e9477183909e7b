"""The window, the billing keys, the books and the receipts of our PortOne adapter on the double."""

import secrets
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from opsapp.gateways.base import GatewayAway, NotOffered
from opsapp.gateways.values import (
    BillingKeyDeletion,
    BillingKeyRequest,
    CashReceiptCancel,
    CashReceiptRequest,
    Flow,
    Outcome,
)
from opsapp.kernel.money import Money
from tests.conformance.portone import (
    CUSTOMER,
    WON,
    portone as portone,
    portone_url as portone_url,
)

TODAY = date(2026, 1, 2)


def issue(key, customer=CUSTOMER):
    return BillingKeyRequest(customer, key, f"key:{secrets.token_hex(12)}")


def receipt(amount=WON):
    return CashReceiptRequest(
        gateway_order_id=f"op_{secrets.token_hex(12)}",
        title="주문",
        kind="income_deduction",
        registration="01012345678",
        amount=amount,
        tax_free=Money(0, "KRW"),
        idempotency_key=f"receipt:{secrets.token_hex(12)}",
    )


# The window


def press(window_url, decision, pg_code=""):
    """What a browser does at the double's page; where it is sent back to."""
    with urllib.request.urlopen(window_url, timeout=5) as page:
        assert "결제 승인" in page.read().decode()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(window_url).query))
    said = {name: asked[name] for name in ("paymentId", "successUrl", "failUrl")}
    form = urllib.parse.urlencode(said | {"decision": decision, "pgCode": pg_code}).encode()

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    try:
        urllib.request.build_opener(Stay).open(window_url.partition("?")[0], form, 5).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.headers["Location"]
    raise AssertionError("the window sends nobody back")


def opened(portone, **changed):
    portone.gateway._window_url = f"{portone.controls.url}/_double/window"
    wish = portone.window()
    answer = portone.wait(portone.gateway.open_window(wish))
    assert (answer.outcome, answer.gateway_key) == (Outcome.PREPARED, wish.gateway_order_id)
    url = answer.window.redirect_url
    for old, new in changed.items():
        url = url.replace(old, new)
    request = replace(portone.request(Flow.WINDOW), gateway_order_id=wish.gateway_order_id)
    return url, request


def test_money_moves_inside_the_window_and_the_return_is_only_asked_about(portone):
    assert portone.gateway.capabilities.confirms_on_return is False
    url, request = opened(portone)
    assert portone.charge(request).outcome is Outcome.NOT_FOUND
    back = press(url, "approve")
    assert back.startswith("http://127.0.0.1:1/ok?paymentId=")
    answer = portone.charge(request)
    assert (answer.outcome, answer.amount) == (Outcome.APPROVED, WON)


def test_a_decline_in_the_window_is_declined_by_the_code_of_the_gateway_behind(portone):
    url, request = opened(portone)
    assert "pgCode=CC10" in press(url, "decline", "CC10")
    answer = portone.charge(request)
    assert (answer.outcome, answer.code, answer.retry_mode) == (Outcome.DECLINED, "CC10", "later")


def test_a_window_left_open_is_known_there_and_not_decided(portone):
    url, request = opened(portone)
    assert "USER_CANCEL" in press(url, "cancel")
    answer = portone.charge(request)
    assert (answer.outcome, answer.code) == (Outcome.IN_PROGRESS, "READY")


def test_an_amount_changed_in_the_browser_is_not_approved(portone):
    url, request = opened(portone, **{"totalAmount=9900": "totalAmount=100"})
    press(url, "approve")
    assert portone.charge(request).outcome is not Outcome.APPROVED


def test_a_payment_that_failed_without_any_code_is_declined_and_may_come_later(portone):
    url, request = opened(portone)
    press(url, "cancel")
    portone.controls.finish(request.gateway_order_id, "FAILED")
    answer = portone.charge(request)
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "PAYMENT_FAILED")


@pytest.mark.parametrize("status", ["PENDING", "PAY_PENDING", "A_NEW_ONE"])
def test_a_state_in_between_or_a_new_one_is_uncertain(portone, status):
    request = portone.paid()
    portone.controls.finish(request.gateway_order_id, status)
    assert portone.inquire(request).outcome is Outcome.UNKNOWN


def test_the_vendors_script_is_given_all_that_it_asks_for(portone):
    answer = portone.wait(portone.gateway.open_window(portone.window("mobile")))
    window = answer.window
    assert (window.vendor, window.redirect_url) == ("portone", None)
    assert window.script_url == "https://cdn.portone.io/v2/browser-sdk.js"
    assert window.fields["channelKey"] == "channel-mobile"
    assert (window.fields["payMethod"], window.fields["totalAmount"]) == ("MOBILE", 9900)


def test_a_method_without_a_channel_is_neither_offered_nor_opened(portone):
    assert portone.gateway.capabilities.window_methods == {"card", "virtual_account", "mobile"}
    answer = portone.wait(portone.gateway.open_window(portone.window("easy_pay")))
    assert (answer.outcome, answer.code) == (Outcome.MISCONFIGURED, "CHANNEL_NOT_FOUND")


# Billing keys


def test_a_billing_key_of_the_browser_is_accepted_for_its_own_customer(portone):
    key = portone.controls.billing_key(CUSTOMER)
    answer = portone.wait(portone.gateway.issue_billing_key(issue(key)))
    assert answer.outcome is Outcome.APPROVED
    issued = answer.billing_key
    assert (issued.billing_key, issued.label) == (key, "KOOKMIN_CARD")
    assert (issued.first6, issued.last4, issued.expires_on) == ("433012", "1234", None)


def test_a_billing_key_of_somebody_else_is_refused(portone):
    key = portone.controls.billing_key("another-customer")
    answer = portone.wait(portone.gateway.issue_billing_key(issue(key)))
    assert (answer.outcome, answer.billing_key) == (Outcome.DECLINED, None)


def test_a_deleted_billing_key_charges_nothing_and_is_gone_the_second_time(portone):
    key = portone.controls.billing_key(CUSTOMER)

    def delete():
        deletion = BillingKeyDeletion(key, f"del:{secrets.token_hex(12)}")
        return portone.wait(portone.gateway.delete_billing_key(deletion)).outcome

    assert [delete(), delete()] == [Outcome.APPROVED, Outcome.NOT_FOUND]
    answer = portone.charge(portone.request(billing_key=key))
    assert (answer.outcome, answer.retry_mode) == (Outcome.DECLINED, "none")


# Books, receipts


def test_the_books_of_a_day_hold_every_approval_and_every_cancel(portone):
    request = portone.paid()
    refund = portone.refund(request, 4000)
    now = datetime.now(UTC)
    day = timedelta(days=1)
    rows = portone.wait(portone.gateway.list_transactions(now - day, now + day))
    assert [row.amount.minor for row in rows] == [9900, -4000]
    assert {row.gateway_order_id for row in rows} == {request.gateway_order_id}
    assert rows[1].transaction_key == refund.transaction_key
    assert portone.wait(portone.gateway.list_transactions(now - 2 * day, now - day)) == []


def test_the_books_are_read_page_by_page(portone, monkeypatch):
    monkeypatch.setattr("opsapp.gateways.portone.ROWS_PER_PAGE", 2)
    requests = [portone.paid() for _ in range(5)]
    now, day = datetime.now(UTC), timedelta(days=1)
    rows = portone.wait(portone.gateway.list_transactions(now - day, now + day))
    assert [row.gateway_order_id for row in rows] == [r.gateway_order_id for r in requests]


@pytest.mark.parametrize("body", ["<html>", "{}", '{"items": [{}]}', '{"items": [1]}', "[]"])
def test_books_that_cannot_be_read_whole_are_not_read_at_all(portone, body):
    portone.controls.fault(does="answer", status=200, body=body)
    now = datetime.now(UTC)
    with pytest.raises(GatewayAway):
        portone.wait(portone.gateway.list_transactions(now, now))


def test_settlements_are_not_offered(portone):
    with pytest.raises(NotOffered):
        portone.wait(portone.gateway.list_settlements(TODAY))


def test_a_cash_receipt_is_issued_found_and_cancelled_under_the_payments_name(portone):
    wish = receipt()
    issued = portone.wait(portone.gateway.issue_cash_receipt(wish))
    assert (issued.outcome, issued.cash_receipt.status) == (Outcome.APPROVED, "issued")
    key = issued.cash_receipt.receipt_key
    assert key == wish.gateway_order_id
    cancel = CashReceiptCancel(key, WON, f"receipt:{secrets.token_hex(12)}")
    done = portone.wait(portone.gateway.cancel_cash_receipt(cancel))
    assert (done.outcome, done.cash_receipt.status) == (Outcome.APPROVED, "cancelled")
    found = portone.wait(portone.gateway.find_cash_receipt(key, requested_on=TODAY))
    assert found.cash_receipt == done.cash_receipt


def test_a_part_of_a_cash_receipt_cannot_be_cancelled_and_nothing_is_sent(portone):
    issued = portone.wait(portone.gateway.issue_cash_receipt(receipt()))
    key = issued.cash_receipt.receipt_key
    part = CashReceiptCancel(key, Money(100, "KRW"), f"receipt:{secrets.token_hex(12)}")
    answer = portone.wait(portone.gateway.cancel_cash_receipt(part))
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "CASH_RECEIPT_WHOLE_ONLY")
    found = portone.wait(portone.gateway.find_cash_receipt(key, requested_on=TODAY))
    assert found.cash_receipt.status == "issued"


def test_a_second_cash_receipt_for_one_payment_is_a_conflict(portone):
    wish = receipt()
    portone.wait(portone.gateway.issue_cash_receipt(wish))
    again = replace(wish, idempotency_key=f"receipt:{secrets.token_hex(12)}")
    answer = portone.wait(portone.gateway.issue_cash_receipt(again))
    assert (answer.outcome, answer.code) == (Outcome.CONFLICT, "CASH_RECEIPT_ALREADY_ISSUED")


def test_a_cash_receipt_that_nobody_issued_is_not_found(portone):
    answer = portone.wait(portone.gateway.find_cash_receipt("nobody", requested_on=TODAY))
    assert answer.outcome is Outcome.NOT_FOUND
