"""What the adapter makes of answers that no sandbox would give, and the bytes it sends."""

import json
import math
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st

from opsapp.gateways import failures, toss_objects, toss_rows
from opsapp.gateways.http import Limits
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import (
    ChargeBody,
    ChargeRequest,
    Flow,
    Outcome,
    WindowRequest,
)
from opsapp.kernel.money import Money
from opsapp.kernel.turns import ask

WON = Money(9900, "KRW")
LIMITS = Limits(timeout_s=2, inquiry_timeout_s=2, abreast_max=4, rate_per_s_max=0)
PAYMENT = {
    "paymentKey": "pay",
    "orderId": "op_order",
    "status": "DONE",
    "method": "카드",
    "currency": "KRW",
    "totalAmount": 9900,
    "balanceAmount": 9900,
    "approvedAt": "2026-01-01T00:00:00+09:00",
    "lastTransactionKey": "T1",
}


class Strange(BaseHTTPRequestHandler):
    answer = (200, b"{}")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the name the library calls

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def strange():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def gateway(strange):
    return TossGateway(url=strange, secret_key="test_sk_x", limits=LIMITS)


def charge(gateway):
    request = ChargeRequest(Flow.BILLING, "op_order", "key", b"{}", "billing", None, math.inf)
    return ask(lambda: gateway.charge(request), connected=gateway.connected)


def body_of(gateway, flow, **more):
    wish = ChargeBody(
        flow=flow,
        method_kind="card",
        gateway_order_id="op_1",
        title="구독 " * 100,
        amount=WON,
        customer_key="customer-key",
        customer_name="김래원",
        **more,
    )
    body = gateway.charge_body(wish)
    assert body == gateway.charge_body(wish)
    return json.loads(body)


def understood(**changes):
    return toss_objects.understand_payment(PAYMENT | changes, trace_id="trace", order_id="op_order")


def cancelled(amount, status="DONE", key="C1"):
    return {"cancelAmount": amount, "cancelStatus": status, "transactionKey": key}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b'{"orderId": "op_order", "status": "NEW_STATUS"}', Outcome.UNKNOWN),
        (502, b'{"code": "UNHEARD_OF"}', Outcome.UNKNOWN),
        (502, b'{"code": ["REJECT_CARD_PAYMENT"]}', Outcome.UNKNOWN),
        (400, b'{"code": "REJECT_CARD_PAYMENT"}', Outcome.DECLINED),
        (500, b'{"code": "REJECT_CARD_PAYMENT"}', Outcome.DECLINED),
        (400, b'{"code": "PROVIDER_ERROR"}', Outcome.UNKNOWN),
        (400, b'{"code": "DUPLICATED_ORDER_ID"}', Outcome.CONFLICT),
        (404, b'{"code": "NOT_FOUND_PAYMENT"}', Outcome.CONFLICT),
        (400, b'{"code": "INVALID_API_KEY"}', Outcome.MISCONFIGURED),
        (409, b'{"code": "IDEMPOTENT_REQUEST_PROCESSING"}', Outcome.UNKNOWN),
        (429, b"", Outcome.NOT_SENT),
    ],
)
def test_codes_decide_not_statuses(gateway, monkeypatch, status, body, outcome):
    monkeypatch.setattr(Strange, "answer", (status, body))
    assert charge(gateway).outcome is outcome


def test_a_slow_answer_is_uncertain(gateway, monkeypatch):
    gateway.timeout_s = 0.2
    waited = threading.Event()
    monkeypatch.setattr(Strange, "do_POST", lambda _: waited.wait(2))
    assert charge(gateway).outcome is Outcome.UNKNOWN
    waited.set()


def test_the_bytes_of_a_charge_hold_no_billing_key(gateway):
    body = body_of(gateway, Flow.BILLING)
    assert body["customerKey"] == "customer-key"
    assert "billing" not in json.dumps(body)
    assert len(body["orderName"]) == 100


def test_a_confirm_says_what_was_shown_at_the_window_and_nothing_more(gateway):
    body = body_of(gateway, Flow.WINDOW, gateway_key="pay")
    assert body == {"paymentKey": "pay", "orderId": "op_1", "amount": 9900}


@pytest.mark.parametrize(("life", "hours"), [(timedelta(minutes=5), 1), (timedelta(days=3), 72)])
def test_an_account_lives_for_whole_hours_and_at_least_one(gateway, life, hours):
    body = body_of(gateway, Flow.ACCOUNT, bank="88", account_life=life)
    assert (body["validHours"], body["bank"]) == (hours, "88")
    assert "customerKey" not in body


def window(gateway):
    request = WindowRequest(
        method_kind="card", gateway_order_id="op_1", title="사과", amount=WON,
        customer_key="ck", customer_name="김래원", customer_email="", idempotency_key="key",
        success_url="http://127.0.0.1/paid", fail_url="http://127.0.0.1/failed", locale="ko",
    )  # fmt: skip
    return ask(lambda: gateway.open_window(request), connected=gateway.connected)


def test_the_window_is_the_vendors_script_or_a_page_in_its_place(strange):
    keys = {"url": strange, "secret_key": "test_sk_x", "limits": LIMITS, "client_key": "test_ck_x"}
    by_script = window(TossGateway(**keys))
    assert by_script.outcome is Outcome.PREPARED
    assert by_script.window.script_url.startswith("https://js.tosspayments.com/")
    assert by_script.window.fields["clientKey"] == "test_ck_x"
    assert "secret" not in json.dumps(dict(by_script.window.fields))
    by_page = window(TossGateway(**keys, window_url=f"{strange}/window"))
    query = parse_qs(urlsplit(by_page.window.redirect_url).query)
    assert (query["orderId"], query["amount"], query["lang"]) == (["op_1"], ["9900"], ["ko"])


def test_a_card_is_cut_to_what_may_be_shown():
    billing = {
        "billingKey": "b",
        "customerKey": "ck",
        "method": "카드",
        "card": {"number": "43301234****123*"},
    }
    answer = toss_objects.understand_billing(billing, trace_id=None, customer_key="ck")
    assert (answer.billing_key.first6, answer.billing_key.last4) == ("433012", "123*")


def test_the_billing_key_of_another_customer_is_not_taken():
    billing = {"billingKey": "b", "customerKey": "other", "method": "카드", "card": {}}
    answer = toss_objects.understand_billing(billing, trace_id=None, customer_key="ck")
    assert (answer.outcome, answer.billing_key) == (Outcome.UNKNOWN, None)


def test_another_orders_payment_is_no_answer():
    assert understood().outcome is Outcome.APPROVED
    assert understood(orderId="op_other").outcome is Outcome.UNKNOWN


def test_a_cancel_that_is_not_done_is_no_refund():
    going = understood(balanceAmount=4900, cancels=[cancelled(5000, "IN_PROGRESS")])
    assert (going.outcome, going.refunded.minor) == (Outcome.APPROVED, 0)
    failed = understood(cancels=[cancelled(5000, "ABORTED")])
    assert failed.refunded.minor == 0
    both = understood(
        status="PARTIAL_CANCELED",
        balanceAmount=8900,
        cancels=[cancelled(5000, "ABORTED"), cancelled(1000)],
    )
    assert both.refunded.minor == 1000


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("DONE", Outcome.APPROVED), ("IN_PROGRESS", Outcome.UNKNOWN), ("ABORTED", Outcome.CONFLICT)],
)
def test_an_answer_to_a_refund_is_an_approval_only_when_it_is_done(status, outcome):
    payment = PAYMENT | {"balanceAmount": 8900, "cancels": [cancelled(1000, status)]}
    answer = toss_objects.understand_cancel(payment, trace_id=None, gateway_key="pay")
    assert answer.outcome is outcome
    assert answer.amount == (Money(1000, "KRW") if status == "DONE" else None)


@given(
    parts=st.lists(
        st.tuples(st.integers(1, 900), st.sampled_from(["DONE", "IN_PROGRESS", "ABORTED"])),
        max_size=8,
    )
)
def test_what_was_given_back_is_the_sum_of_the_cancels_that_are_done(parts):
    gone = sum(amount for amount, status in parts if status != "ABORTED")
    cancels = [cancelled(amount, status) for amount, status in parts]
    answer = understood(balanceAmount=9900 - gone, cancels=cancels)
    assert answer.refunded.minor == sum(amount for amount, status in parts if status == "DONE")


def test_a_phone_number_is_masked_whatever_form_it_comes_in():
    for phone in ("01012345678", {"plain": "01012345678", "masking": "010****5678"}):
        answer = understood(method="휴대폰", mobilePhone={"customerMobilePhone": phone})
        assert answer.paid_with == {"number": "010-****-5678"}


def test_a_card_number_in_clear_is_masked_here():
    answer = understood(card={"number": "4330123412341234"})
    assert answer.paid_with["number"] == "************1234"


def test_a_method_that_we_do_not_offer_is_still_money():
    answer = understood(method="문화상품권")
    assert (answer.outcome, answer.method_kind, answer.paid_with) == (Outcome.APPROVED, None, {})


def test_a_cash_receipt_is_told_by_its_status():
    def told(**changes):
        row = {"receiptKey": "r", "issueStatus": "COMPLETED", "transactionType": "CONFIRM"}
        return toss_rows.understand_receipt(row | changes)

    assert told().cash_receipt.status == "issued"
    assert told(transactionType="CANCEL").cash_receipt.status == "cancelled"
    waiting = told(issueStatus="IN_PROGRESS")
    assert (waiting.outcome, waiting.cash_receipt.status) == (Outcome.PENDING, "in_progress")
    failed = told(issueStatus="FAILED", failure={"code": "NTS_ERROR"}).cash_receipt
    assert (failed.status, failed.failure_code) == ("failed", "NTS_ERROR")
    assert told(issueStatus="NEW").outcome is Outcome.UNKNOWN


def test_the_due_time_of_an_account_is_seoul_time():
    account = {"bankCode": "88", "accountNumber": "X1", "dueDate": "2026-01-02T00:00:00"}
    answer = understood(status="WAITING_FOR_DEPOSIT", virtualAccount=account)
    assert answer.account.due_at == datetime(2026, 1, 1, 15, tzinfo=UTC)


def test_the_failure_table_is_whole():
    assert failures.look_up("toss_api", "REJECT_CARD_PAYMENT").retry_mode == "later"
    assert failures.look_up("toss_api", "NOTHING") is None
    seed = failures.read_seed()
    assert {failure.outcome for failure in seed} == {"not_charged", "unknown", "query"}
    by_subclass = {}
    for failure in seed:
        meaning = (failure.failure_class, failure.retry_mode, failure.outcome)
        assert by_subclass.setdefault(failure.subclass, meaning) == meaning
