"""What the adapter makes of answers that no sandbox would give, over a real socket."""

import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opsapp.gateways import failures, toss_objects
from opsapp.gateways.base import (
    BillingKeyRequest,
    ChargeBody,
    ChargeRequest,
    GatewayAway,
    Outcome,
    RefundRequest,
)
from opsapp.gateways.toss import TossGateway
from opsapp.kernel.money import Money
from opsapp.kernel.turns import ask

WON = Money(9900, "KRW")


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
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def gateway(app, strange):
    return TossGateway(
        url=strange,
        secret_key="test_sk_x",
        timeout_s=2,
        inquiry_timeout_s=2,
        abreast_max=4,
        rate_per_s_max=0,
    )


def charge(gateway):
    request = ChargeRequest("card", "op_order", "key", b"{}", "billing", call_before=math.inf)
    return ask(lambda: gateway.charge(request), connected=gateway.connected)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"", Outcome.UNKNOWN),
        (200, b"<html>", Outcome.UNKNOWN),
        (200, b"[]", Outcome.UNKNOWN),
        (200, b"null", Outcome.UNKNOWN),
        (200, b'{"status": "DONE"}', Outcome.UNKNOWN),
        (200, b'{"status": "NEW_STATUS"}', Outcome.UNKNOWN),
        (500, b"oops", Outcome.UNKNOWN),
        (502, b'{"code": "UNHEARD_OF"}', Outcome.UNKNOWN),
        (400, b'{"code": "REJECT_CARD_PAYMENT"}', Outcome.DECLINED),
        (500, b'{"code": "REJECT_CARD_PAYMENT"}', Outcome.DECLINED),
        (400, b'{"code": "PROVIDER_ERROR"}', Outcome.UNKNOWN),
        (400, b'{"code": "DUPLICATED_ORDER_ID"}', Outcome.CONFLICT),
        (400, b'{"code": "INVALID_API_KEY"}', Outcome.MISCONFIGURED),
        (409, b'{"code": "IDEMPOTENT_REQUEST_PROCESSING"}', Outcome.UNKNOWN),
        (429, b"{}", Outcome.NOT_SENT),
        (301, b"", Outcome.UNKNOWN),
    ],
)
def test_whatever_is_not_understood_is_uncertain_and_codes_decide_not_statuses(
    gateway, monkeypatch, status, body, outcome
):
    monkeypatch.setattr(Strange, "answer", (status, body))
    assert charge(gateway).outcome is outcome


def test_a_slow_answer_is_uncertain(gateway, monkeypatch):
    gateway.timeout_s = 0.2
    waited = threading.Event()
    monkeypatch.setattr(Strange, "do_POST", lambda _: waited.wait(2))
    assert charge(gateway).outcome is Outcome.UNKNOWN
    waited.set()


def test_a_gateway_that_refuses_the_connection_was_sent_nothing(gateway):
    gateway._url = "http://127.0.0.1:9"
    assert charge(gateway).outcome is Outcome.NOT_SENT


def test_every_operation_survives_an_unreadable_success(gateway, monkeypatch):
    monkeypatch.setattr(Strange, "answer", (200, b'{"cancels": [], "billingKey": 1}'))
    refund = RefundRequest("pay", "key", WON, WON, "reason", call_before=math.inf)
    answer = ask(lambda: gateway.refund(refund), connected=gateway.connected)
    assert answer.outcome is Outcome.UNKNOWN
    issue = BillingKeyRequest("customer", "auth", "key")
    answer = ask(lambda: gateway.issue_billing_key(issue), connected=gateway.connected)
    assert answer.outcome is Outcome.UNKNOWN


def test_books_that_cannot_be_read_whole_are_not_read_at_all(gateway, monkeypatch):
    monkeypatch.setattr(Strange, "answer", (500, b""))
    now = toss_objects.datetime.now(toss_objects.UTC)
    with pytest.raises(GatewayAway):
        ask(lambda: gateway.list_transactions(now, now), connected=gateway.connected)


def test_the_bytes_of_a_charge_hold_no_billing_key_and_are_the_same_each_time(gateway):
    body = ChargeBody("card", "op_1", "구독 " * 100, WON, "customer-key", "김래원")
    first = gateway.charge_body(body)
    assert first == gateway.charge_body(body)
    assert b"customer-key" in first
    assert b"billing" not in first


def test_a_card_is_cut_to_what_may_be_shown():
    answer = toss_objects.understand_billing(
        {"billingKey": "b", "method": "카드", "card": {"number": "43301234****123*"}}, trace_id=None
    )
    key = answer.billing_key
    assert (key.first6, key.last4) == ("433012", "123*")


def test_the_failure_table_is_whole():
    assert failures.look_up("toss_api", "REJECT_CARD_PAYMENT").retry_mode == "later"
    assert failures.look_up("toss_api", "NOTHING") is None
    outcomes = {failure.outcome for failure in failures._table().values()}
    assert outcomes == {"not_charged", "unknown", "query"}
    by_subclass = {}
    for failure in failures._table().values():
        meaning = (failure.failure_class, failure.retry_mode, failure.outcome)
        assert by_subclass.setdefault(failure.subclass, meaning) == meaning
