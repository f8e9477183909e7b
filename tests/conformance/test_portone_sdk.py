"""The vendor's own client (portone-server-sdk) on our double, and our adapter beside it."""

import secrets

import pytest
from portone_server_sdk import common, errors, payment as models

from opsapp.gateways.values import BillingKeyRequest, Flow, Inquiry, Outcome
from tests.conformance.portone import (
    CUSTOMER,
    beside as beside,
    desk,
    portone_url as portone_url,
    vendor as vendor,
)


def new_id():
    return f"op_{secrets.token_hex(12)}"


def amount(total=9900):
    return common.PaymentAmountInput(total=total)


def pay(vendor, payment_id, billing_key, total=9900):
    return vendor.pay_with_billing_key(
        payment_id=payment_id,
        billing_key=billing_key,
        order_name="구독 1회차",
        amount=amount(total),
        currency="KRW",
    )


def ours(beside, payment_id):
    return beside.wait(beside.gateway.inquire(Inquiry(payment_id, None, Flow.BILLING)))


def test_what_the_vendors_client_charges_our_adapter_finds_approved(vendor, beside):
    payment_id = new_id()
    done = pay(vendor, payment_id, beside.controls.billing_key(CUSTOMER))
    assert done.payment.pg_tx_id
    found = ours(beside, payment_id)
    assert (found.outcome, found.amount.minor, found.refunded.minor) == (
        Outcome.APPROVED,
        9900,
        0,
    )


def test_what_our_adapter_charges_the_vendors_client_reads_as_paid(vendor, beside):
    request = beside.paid()
    found = vendor.get_payment(payment_id=request.gateway_order_id)
    assert isinstance(found, models.PaidPayment)
    assert (found.amount.total, found.amount.paid, found.currency) == (9900, 9900, "KRW")
    assert (found.customer.id, found.order_name) == (CUSTOMER, "구독 1회차")


def test_a_decline_is_the_typed_error_of_the_gateway_behind(vendor, beside):
    payment_id = new_id()
    with pytest.raises(models.PayWithBillingKeyError) as caught:
        pay(vendor, payment_id, beside.controls.billing_key(CUSTOMER, "CC10"))
    assert isinstance(caught.value, errors.PgProviderError)
    assert caught.value.pg_code == "CC10"
    assert isinstance(vendor.get_payment(payment_id=payment_id), models.FailedPayment)


def test_a_decline_seen_by_both_is_the_same_decline(vendor, beside):
    request = beside.request(billing_key=beside.controls.billing_key(CUSTOMER, "CC54"))
    declined = beside.charge(request)
    found = vendor.get_payment(payment_id=request.gateway_order_id)
    assert (declined.outcome, declined.code) == (Outcome.DECLINED, found.failure.pg_code)


def test_a_second_charge_of_one_payment_is_already_paid_for_both(vendor, beside):
    request = beside.paid()
    with pytest.raises(models.PayWithBillingKeyError) as caught:
        pay(vendor, request.gateway_order_id, request.billing_key)
    assert isinstance(caught.value, errors.AlreadyPaidError)


def test_a_partial_cancel_of_the_vendors_client_is_refunded_for_our_adapter(vendor, beside):
    request = beside.paid()
    done = vendor.cancel_payment(
        payment_id=request.gateway_order_id,
        amount=3000,
        reason="고객 요청",
        current_cancellable_amount=9900,
    )
    assert isinstance(done.cancellation, models.SucceededPaymentCancellation)
    assert ours(beside, request.gateway_order_id).refunded.minor == 3000


def test_a_refund_of_our_adapter_is_a_succeeded_cancellation_for_the_vendors_client(vendor, beside):
    request = beside.paid()
    refund = beside.refund(request, 4000)
    found = vendor.get_payment(payment_id=request.gateway_order_id)
    assert isinstance(found, models.PartialCancelledPayment)
    assert [each.id for each in found.cancellations] == [refund.transaction_key]
    assert found.amount.cancelled == refund.amount.minor == 4000


def test_a_payment_cancelled_whole_is_cancelled_for_the_vendors_client(vendor, beside):
    request = beside.paid()
    beside.refund(request, 9900)
    found = vendor.get_payment(payment_id=request.gateway_order_id)
    assert isinstance(found, models.CancelledPayment)


def test_a_wrong_cancellable_amount_is_the_vendors_typed_error(vendor, beside):
    request = beside.paid()
    with pytest.raises(models.CancelPaymentError) as caught:
        vendor.cancel_payment(
            payment_id=request.gateway_order_id, reason="x", current_cancellable_amount=1
        )
    assert isinstance(caught.value, errors.CancellableAmountConsistencyBrokenError)
    assert beside.refund(request, 100, before=1).outcome is Outcome.CONFLICT


def test_an_account_of_our_adapter_is_one_for_the_vendors_client(vendor, beside):
    request = beside.account()
    found = vendor.get_payment(payment_id=request.gateway_order_id)
    assert isinstance(found, models.VirtualAccountIssuedPayment)
    answer = beside.inquire(request)
    assert (found.method.account_number, found.method.bank) == (answer.account.number, "WOORI")


def test_an_account_of_the_vendors_client_is_one_for_our_adapter(vendor, beside):
    payment_id = new_id()
    vendor.pay_instantly(
        payment_id=payment_id,
        channel_key="channel-account",
        method=models.InstantPaymentMethodInput(
            virtual_account=models.InstantPaymentMethodInputVirtualAccount(
                bank="SHINHAN",
                expiry=models.InstantPaymentMethodInputVirtualAccountExpiry(valid_hours=24),
                option=models.InstantPaymentMethodInputVirtualAccountOption(type="NORMAL"),
            )
        ),
        order_name="주문",
        amount=amount(),
        currency="KRW",
    )
    found = ours(beside, payment_id)
    assert (found.outcome, found.account.bank) == (Outcome.PENDING, "88")


def test_an_account_closed_by_the_vendors_client_is_declined_for_ours(vendor, beside):
    request = beside.account()
    vendor.close_virtual_account(payment_id=request.gateway_order_id)
    assert beside.inquire(request).code == "DEPOSIT_CANCELLED"


def test_a_payment_that_nobody_made_is_not_found_for_both(vendor, beside):
    with pytest.raises(models.GetPaymentError) as caught:
        vendor.get_payment(payment_id="nobody")
    assert isinstance(caught.value, errors.PaymentNotFoundError)
    assert ours(beside, "nobody").outcome is Outcome.NOT_FOUND


def test_a_billing_key_reads_alike_and_is_gone_for_both(vendor, beside):
    key = beside.controls.billing_key(CUSTOMER)
    info = vendor.billing_key.get_billing_key_info(billing_key=key)
    issue = BillingKeyRequest(CUSTOMER, key, f"key:{secrets.token_hex(12)}")
    issued = beside.wait(beside.gateway.issue_billing_key(issue)).billing_key
    assert (issued.billing_key, issued.first6) == (info.billing_key, info.methods[0].card.bin)
    vendor.billing_key.delete_billing_key(billing_key=key)
    gone = beside.wait(beside.gateway.issue_billing_key(issue))
    assert (gone.outcome, gone.failure_class) == (Outcome.DECLINED, "expired_or_suspended")


def test_the_books_of_the_vendors_client_hold_the_rows_that_ours_holds(vendor, beside):
    request = beside.paid()
    beside.refund(request, 1000)
    rows = vendor.get_all_payment_events_by_cursor(size=1000).items
    theirs = [
        row.payment_event.event_amount
        for row in rows
        if row.payment_event.payment_id == request.gateway_order_id
    ]
    assert theirs == [9900, -1000]


def test_a_cash_receipt_of_the_vendors_client_is_found_by_ours(vendor, beside):
    payment_id = new_id()
    issued = vendor.cash_receipt.issue_cash_receipt(
        payment_id=payment_id,
        channel_key="channel-account",
        type="PERSONAL",
        order_name="주문",
        currency="KRW",
        amount=amount(),
        customer=models.cash_receipt.IssueCashReceiptCustomerInput(identity_number="01012345678"),
    )
    found = beside.wait(beside.gateway.find_cash_receipt(payment_id, requested_on=None))
    assert found.cash_receipt.issue_number == issued.cash_receipt.issue_number


def test_an_idempotency_key_set_on_the_vendors_client_charges_once(vendor, beside):
    payment_id, key = new_id(), beside.controls.billing_key(CUSTOMER)

    def named(request):
        request.headers["Idempotency-Key"] = f'"{payment_id}"'

    vendor._sync_client.event_hooks = {"request": [named]}
    try:
        assert pay(vendor, payment_id, key) == pay(vendor, payment_id, key)
    finally:
        vendor._sync_client.event_hooks = {"request": []}
    assert ours(beside, payment_id).amount.minor == 9900


def test_without_a_secret_neither_client_is_told_anything(portone_url):
    with desk(portone_url, "") as unnamed:
        answer = unnamed.wait(unnamed.gateway.inquire(Inquiry("anything", None, Flow.BILLING)))
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNAUTHORIZED")
