"""The Stripe adapter and the vendor's own SDK see the same picture at a server that is not ours.

localstripe runs as a process of its own. It knows no `off_session` on a confirmation, so that one
word is left out of the stored bytes here; it ignores idempotency keys, which the double shows.
"""

import json
import queue
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from opsapp.gateways.values import (
    AccountClosing,
    BillingKeyDeletion,
    ChargeRequest,
    Flow,
    Outcome,
)
from opsapp.kernel.money import Money
from tests.conformance.stripe_cases import (
    SECRET,
    WON,
    Talk,
    charge_of,
    stripe_at,
    talking,
    window_of,
)
from tests.servers import free_port

START_LIMIT_S = 20
# Its own command listens on every interface and keeps a pickle at a fixed name.
LOCALSTRIPE = """
import sys
from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


class Bare(Talk):
    """A charge without the word that the foreign server does not know."""

    def prepare(self, order: str, billing_key: str, **more) -> ChargeRequest:
        request = charge_of(self.gateway, order, billing_key, **more)
        steps = json.loads(request.body)
        assert steps["confirm"].pop("off_session") is True
        request = replace(request, body=json.dumps(steps).encode())
        made = self(self.gateway.charge(request))
        assert made.outcome is Outcome.PREPARED
        return replace(request, gateway_key=made.gateway_key)

    def charge(self, order: str, billing_key: str, **more):
        request = self.prepare(order, billing_key, **more)
        return self(self.gateway.charge(request)), request


@pytest.fixture(scope="module")
def address():
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", LOCALSTRIPE, str(port)])
    try:
        _wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def sdk(address):
    """The vendor's SDK, under a key that it must be told to use."""
    client = stripe.StripeClient(
        "sk_test_12345", base_addresses={"api": address}, max_network_retries=0
    )
    return client.v1


@pytest.fixture(scope="module")
def connection(address):
    with talking(stripe_at(address)) as talk:
        yield Bare(talk.gateway, talk._runner)


@pytest.fixture
def talk(connection, address):
    _ask(f"{address}/_config/data", "DELETE")
    return connection


@pytest.fixture
def card(talk, sdk):
    """A good card, registered by the adapter."""
    return talk.register(_card(sdk)).billing_key.billing_key


@pytest.fixture(scope="module")
def deliveries(address):
    """What localstripe sends, in the order of its arrival."""
    arrived = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    _ask(f"{address}/_config/webhooks/w1", "POST", {"url": url, "secret": SECRET})
    yield arrived
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_registered_card_is_attached_to_one_customer_and_shows_brand_digits_and_expiry(talk, sdk):
    answer = talk.register(_card(sdk, exp_month=2, exp_year=2028))
    customer, _, method = answer.billing_key.billing_key.partition("|")
    assert sdk.payment_methods.retrieve(method).customer == customer
    assert sdk.customers.retrieve(customer).metadata["customer_key"] == "customer-1"
    key = answer.billing_key
    assert (key.label, key.first6, key.last4) == ("visa", None, "4242")
    assert key.expires_on == date(2028, 2, 29)


def test_a_card_registered_twice_stays_with_its_first_customer(talk, sdk):
    method = _card(sdk)
    assert talk.register(method).billing_key == talk.register(method).billing_key


def test_a_card_of_another_customer_is_refused(talk, sdk):
    method = _card(sdk)
    assert talk.register(method, "customer-1").outcome is Outcome.APPROVED
    answer = talk.register(method, "customer-2")
    assert (answer.outcome, answer.billing_key) == (Outcome.DECLINED, None)


def test_a_confirmed_setup_intent_registers_its_card(talk, sdk):
    setup = sdk.setup_intents.create(params={"payment_method_types": ["card"]})
    sdk.setup_intents.confirm(setup.id, params={"payment_method": (method := _card(sdk))})
    key = talk.register(setup.id).billing_key
    assert key.billing_key.endswith(f"|{method}")


def test_an_unfinished_setup_intent_registers_nothing(talk, sdk):
    setup = sdk.setup_intents.create(params={"payment_method_types": ["card"]})
    assert talk.register(setup.id).outcome is Outcome.UNKNOWN
    sdk.setup_intents.confirm(setup.id, params={"payment_method": _card(sdk, "4000002760003184")})
    assert talk.register(setup.id).outcome is Outcome.UNKNOWN


def test_a_card_that_is_declined_when_attached_is_no_billing_key(talk, sdk):
    answer = talk.register(_card(sdk, "4000000000000002"))
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "card_declined")


def test_a_card_that_the_gateway_does_not_know_cannot_be_registered(talk):
    """localstripe names no code for what is missing, so nothing is certain; Stripe does."""
    assert talk.register("pm_unheard_of").outcome is Outcome.MISCONFIGURED


def test_a_charge_by_the_adapter_is_what_the_sdk_reads(talk, sdk, card):
    answer, request = talk.charge("op_1", card)
    assert (answer.outcome, answer.amount) == (Outcome.APPROVED, WON)
    seen = sdk.payment_intents.retrieve(request.gateway_key)
    assert (seen.status, seen.amount, seen.currency) == ("succeeded", 12900, "krw")
    assert seen.metadata["order_id"] == "op_1"
    assert f"{seen.customer}|{seen.payment_method}" == card


def test_a_charge_in_cents_keeps_its_cents(talk, sdk, card):
    dollars = Money(1999, "USD")
    answer, request = talk.charge("op_usd", card, amount=dollars)
    assert answer.amount == dollars
    assert sdk.payment_intents.retrieve(request.gateway_key).amount == 1999


def test_a_charge_by_the_sdk_is_what_the_adapter_finds(talk, sdk, card):
    intent = _made_by_sdk(sdk, card, "op_2")
    assert talk.inquire("op_2", intent.id).outcome is Outcome.NOT_FOUND
    sdk.payment_intents.confirm(intent.id)
    answer = talk.inquire("op_2", intent.id)
    assert (answer.outcome, answer.amount, answer.refunded) == (
        Outcome.APPROVED,
        WON,
        Money(0, "KRW"),
    )


def test_the_first_step_of_a_charge_moves_no_money(talk, sdk, card):
    request = talk.prepare("op_3", card)
    seen = sdk.payment_intents.retrieve(request.gateway_key)
    assert (seen.status, seen.latest_charge) == ("requires_confirmation", None)


def test_an_intent_confirmed_by_somebody_else_first_is_found_and_not_charged_again(talk, sdk, card):
    request = talk.prepare("op_4", card)
    sdk.payment_intents.confirm(request.gateway_key)
    assert talk(talk.gateway.charge(request)).outcome is not Outcome.APPROVED
    assert talk.inquire("op_4", request.gateway_key).outcome is Outcome.APPROVED
    assert len(sdk.charges.list().data) == 1


def test_a_declined_card_is_declined_for_the_adapter_and_the_sdk_alike(talk, sdk):
    bad = talk.register(_card(sdk, "4000000000000341")).billing_key.billing_key
    answer, request = talk.charge("op_5", bad)
    with pytest.raises(stripe.StripeError) as refused:
        sdk.payment_intents.confirm(_made_by_sdk(sdk, bad, "op_6").id)
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, refused.value.code)
    assert answer.failure_class == "authentication_failure"
    found = talk.inquire("op_5", request.gateway_key)
    assert (found.outcome, found.code) == (Outcome.DECLINED, "card_declined")


def test_a_card_that_asks_for_its_holder_is_uncertain_until_cancelled_and_then_declined(talk, sdk):
    asking = talk.register(_card(sdk, "4000002760003184")).billing_key.billing_key
    answer, request = talk.charge("op_7", asking)
    assert answer.outcome is Outcome.UNKNOWN
    assert sdk.payment_intents.retrieve(request.gateway_key).status == "requires_action"
    answer = talk.inquire("op_7", request.gateway_key)
    assert (answer.outcome, answer.code) == (Outcome.DECLINED, "authentication_required")
    assert sdk.payment_intents.retrieve(request.gateway_key).status == "canceled"
    assert talk.inquire("op_7", request.gateway_key).outcome is Outcome.DECLINED


def test_an_intent_of_another_order_is_never_taken_for_ours(talk, sdk, card):
    intent = _made_by_sdk(sdk, card, "op_8")
    sdk.payment_intents.confirm(intent.id)
    for flow in (Flow.BILLING, Flow.WINDOW):
        answer = talk.inquire("op_9", intent.id, flow)
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "OTHER_PAYMENT")


def test_partial_refunds_add_up_for_the_adapter_and_the_sdk(talk, sdk, card):
    _, request = talk.charge("op_10", card)
    first = talk.refund(request.gateway_key, 900, 12900, "refund:1")
    assert (first.outcome, first.amount) == (Outcome.APPROVED, Money(900, "KRW"))
    sdk.refunds.create(params={"payment_intent": request.gateway_key, "amount": 2000})
    second = talk.refund(request.gateway_key, 10000, 10000, "refund:2")
    assert second.outcome is Outcome.APPROVED
    assert talk.inquire("op_10", request.gateway_key).refunded == WON
    seen = {each.id: each.amount for each in sdk.refunds.list().data}
    assert seen[first.transaction_key] == 900
    assert sorted(seen.values()) == [900, 2000, 10000]


def test_a_refund_on_other_books_than_ours_is_not_sent(talk, sdk, card):
    """localstripe would give back more than was paid."""
    _, request = talk.charge("op_11", card)
    sdk.refunds.create(params={"payment_intent": request.gateway_key, "amount": 5000})
    answer = talk.refund(request.gateway_key, 12900, 12900, "refund:3")
    assert (answer.outcome, answer.code) == (Outcome.CONFLICT, "REFUNDABLE_DIFFERS")
    assert len(sdk.refunds.list().data) == 1


def test_an_unpaid_intent_is_not_refunded(talk, card):
    request = talk.prepare("op_12", card)
    assert talk.refund(request.gateway_key, 900, 12900, "refund:4").outcome is Outcome.CONFLICT


def test_a_deleted_billing_key_is_detached_and_charges_nothing_more(talk, sdk, card):
    deletion = BillingKeyDeletion(card, "delete:1")
    assert talk(talk.gateway.delete_billing_key(deletion)).outcome is Outcome.APPROVED
    assert sdk.payment_methods.retrieve(card.partition("|")[2]).customer is None


def test_a_window_is_an_intent_that_the_browser_confirms_and_the_return_only_asks(talk, sdk):
    opened = talk(talk.gateway.open_window(window_of("op_13")))
    assert opened.outcome is Outcome.PREPARED
    seen = sdk.payment_intents.retrieve(opened.gateway_key)
    assert opened.window.fields["clientSecret"] == seen.client_secret
    request = ChargeRequest(
        Flow.WINDOW, "op_13", "pay:op_13", b"{}", None, opened.gateway_key, float("inf")
    )
    assert talk(talk.gateway.charge(request)).outcome is Outcome.UNKNOWN
    sdk.payment_intents.update(seen.id, params={"payment_method": _card(sdk)})
    sdk.payment_intents.confirm(seen.id)
    answer = talk(talk.gateway.charge(request))
    assert (answer.outcome, answer.amount) == (Outcome.APPROVED, WON)


def test_a_window_that_nobody_came_back_from_can_be_closed_for_good(talk, sdk):
    opened = talk(talk.gateway.open_window(window_of("op_14")))
    closing = AccountClosing(opened.gateway_key, "op_14", "close:op_14", "abandoned")
    assert talk(talk.gateway.close_account(closing)).outcome is Outcome.APPROVED
    assert sdk.payment_intents.retrieve(opened.gateway_key).status == "canceled"
    answer = talk.inquire("op_14", opened.gateway_key, Flow.WINDOW)
    assert (answer.outcome, answer.retry_mode) == (Outcome.DECLINED, "after_fix")


def test_webhooks_that_localstripe_signs_are_read_alike_by_us_and_by_the_sdk(
    talk, sdk, card, deliveries
):
    _, request = talk.charge("op_15", card)
    while True:
        headers, body = deliveries.get(timeout=10)
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)
        message = talk.gateway.parse_webhook(headers, body, now=datetime.now(UTC))
        assert (message.delivery_id, message.event_type) == (event.id, event.type)
        assert message.is_signed
        if message.gateway_key == request.gateway_key:
            break
    assert (message.event_type, message.gateway_order_id) == ("payment_intent.succeeded", "op_15")
    assert message.said_status == "succeeded"


def _card(sdk, number: str = "4242424242424242", exp_month: int = 12, exp_year: int = 2030) -> str:
    card = {"number": number, "exp_month": exp_month, "exp_year": exp_year, "cvc": "123"}
    return sdk.payment_methods.create(params={"type": "card", "card": card}).id


def _made_by_sdk(sdk, card: str, order: str):
    customer, _, method = card.partition("|")
    return sdk.payment_intents.create(
        params={
            "amount": WON.minor,
            "currency": "krw",
            "customer": customer,
            "payment_method": method,
            "metadata": {"order_id": order},
        }
    )


def _ask(url: str, method: str, fields: dict | None = None) -> None:
    request = urllib.request.Request(
        url,
        method=method,
        data=json.dumps(fields).encode() if fields else None,
        headers={"Authorization": "Bearer sk_test_12345", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        response.read()


def _wait_until_open(port: int, process: subprocess.Popen) -> None:
    give_up_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up_at and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise RuntimeError("localstripe does not answer")
