"""The double itself, where the vendor's client does not look: keys, faults, the clock, webhooks."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from standardwebhooks.webhooks import Webhook

from opsapp.gateways.values import Outcome
from tests.conformance.portone import (
    CUSTOMER,
    WEBHOOK_SECRET,
    portone as portone,
    portone_url as portone_url,
)
from tests.fakes.servers import PortOneControls


@pytest.mark.parametrize("key", ["too-short", "x" * 257, "한글".ljust(16, "x"), 'a"b' * 8])
def test_a_key_outside_the_vendors_rule_is_refused(portone, key):
    request = portone.request(billing_key=portone.controls.billing_key(CUSTOMER))
    answer = portone.charge(replace(request, idempotency_key=key))
    assert answer.outcome is Outcome.MISCONFIGURED


def test_after_three_hours_a_key_is_forgotten_and_the_payments_own_name_still_holds(portone):
    request = portone.paid()
    portone.controls.clock(3 * 3600 + 1)
    try:
        assert portone.charge(request).code == "ALREADY_PAID"
    finally:
        portone.controls.clock(0)
    assert portone.inquire(request).outcome is Outcome.APPROVED


def test_an_expired_account_takes_no_deposit_but_a_late_one(portone):
    request = portone.account()
    portone.controls.clock(169 * 3600)
    try:
        with pytest.raises(OSError, match="409"):
            portone.controls.deposit(request.gateway_order_id, 9900)
        portone.controls.deposit(request.gateway_order_id, 9900, is_late=True)
    finally:
        portone.controls.clock(0)
    assert portone.inquire(request).outcome is Outcome.APPROVED


def test_a_fault_for_everybody_can_be_set_and_cleared_while_it_runs(portone):
    everybody = PortOneControls(portone.controls.url, "*")
    request = portone.paid()
    everybody.fault(does="answer", status=503)
    try:
        assert portone.inquire(request).outcome is Outcome.UNKNOWN
    finally:
        everybody.clear_fault()
    assert portone.inquire(request).outcome is Outcome.APPROVED


def test_merchants_know_nothing_of_each_other(portone):
    request = portone.paid()
    portone.gateway._session.headers["Authorization"] = "PortOne another"
    assert portone.inquire(request).outcome is Outcome.NOT_FOUND


def test_money_taken_is_counted_once_for_each_payment(portone):
    before = portone.controls.counts()["charges"]
    request = portone.paid()
    portone.charge(request)
    assert portone.controls.counts()["charges"] == before + 1


def test_webhooks_are_sent_to_the_merchants_address_and_again_under_the_same_id(portone):
    told, arrived = [], threading.Semaphore(0)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.append((dict(self.headers.items()), body))
            self.send_response(200)
            self.end_headers()
            arrived.release()

        def log_message(self, *_):
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        portone.controls.merchant(webhook_url=f"http://127.0.0.1:{server.server_port}/")
        request = portone.paid()
        assert arrived.acquire(timeout=5)
        portone.controls.send_again(0)
        assert arrived.acquire(timeout=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    (headers, body), (again, _) = told
    assert Webhook(WEBHOOK_SECRET).verify(body, headers)
    assert json.loads(body)["data"]["paymentId"] == request.gateway_order_id
    assert headers["webhook-id"] == again["webhook-id"]
