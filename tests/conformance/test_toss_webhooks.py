"""What the sandbox sends is read by our adapter as the vendor means it."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from opsapp.gateways.base import WebhookRefused
from opsapp.gateways.toss_webhooks import ID_HEADER, SIGNATURE_HEADER, TIME_HEADER
from opsapp.gateways.values import Flow, WebhookMessage
from tests.conformance.toss import Till, fresh, opened
from tests.sandbox.receiver import Delivery, Receiver

SECURITY_KEY = "0f" * 32
FORMER_KEY = "a1" * 32
PLAIN = {ID_HEADER: "delivery-1"}


@pytest.fixture(scope="module")
def till(sandbox_url: str) -> Iterator[Till]:
    with opened(sandbox_url, security_key=SECURITY_KEY) as till:
        yield till


@pytest.fixture
def receiver(till: Till) -> Iterator[Receiver]:
    with Receiver() as receiver:
        till.controls.webhooks(receiver.url)
        yield receiver
        till.controls.reset()


def read(till: Till, headers: dict[str, str], body: bytes) -> WebhookMessage:
    return till.gateway.parse_webhook(headers, body, now=datetime.now(UTC))


def taken(till: Till, delivery: Delivery) -> WebhookMessage:
    return read(till, delivery.headers, delivery.raw)


def is_refused(till: Till, headers: dict[str, str], body: bytes) -> bool:
    try:
        read(till, headers, body)
    except WebhookRefused:
        return True
    return False


def signed(body: bytes, *keys: str, at: str = "2026-01-01T00:00:00.000000") -> dict[str, str]:
    """The vendor's headers, made here from its description and not by our code."""
    made = [hmac.new(key.encode(), body + b":" + at.encode(), hashlib.sha256) for key in keys]
    text = ",".join("v1:" + base64.b64encode(each.digest()).decode() for each in made)
    return PLAIN | {TIME_HEADER: at, SIGNATURE_HEADER: text}


def test_a_payment_event_names_payment_order_and_status(till: Till, receiver: Receiver) -> None:
    order = fresh("op")
    key = till.confirm(order).gateway_key
    message = taken(till, receiver.take())
    assert message.event_type == "PAYMENT_STATUS_CHANGED"
    assert (message.gateway_order_id, message.gateway_key) == (order, key)
    assert (message.said_status, message.is_signed) == ("DONE", False)


def test_a_deposit_callback_carries_the_secret_of_its_account(
    till: Till, receiver: Receiver
) -> None:
    order = fresh("op")
    account = till.account(order).account
    message = taken(till, receiver.take())
    assert account is not None
    assert (message.event_type, message.gateway_order_id) == ("DEPOSIT_CALLBACK", order)
    assert (message.secret, message.said_status) == (account.secret, "WAITING_FOR_DEPOSIT")
    assert message.gateway_key is None


def test_a_deleted_billing_key_is_named(till: Till, receiver: Receiver) -> None:
    billing_key = till.billing_key()
    till.delete(billing_key)
    message = taken(till, receiver.take())
    assert (message.event_type, message.billing_key) == ("BILLING_DELETED", billing_key)


def test_a_billing_charge_sends_nothing(till: Till, receiver: Receiver) -> None:
    order = fresh("op")
    till.charge(Flow.BILLING, order, billing_key=till.billing_key())
    assert receiver.is_quiet()


def test_a_signed_payout_is_believed(till: Till, receiver: Receiver) -> None:
    till.controls.payout(SECURITY_KEY)
    message = taken(till, receiver.take())
    assert (message.event_type, message.is_signed) == ("payout.changed", True)


def test_while_keys_are_exchanged_either_signature_will_do(till: Till, receiver: Receiver) -> None:
    till.controls.payout(FORMER_KEY, SECURITY_KEY)
    assert taken(till, receiver.take()).is_signed
    till.controls.payout(SECURITY_KEY, FORMER_KEY)
    assert taken(till, receiver.take()).is_signed


def test_a_payout_signed_with_another_key_is_refused(till: Till, receiver: Receiver) -> None:
    till.controls.payout(FORMER_KEY)
    delivery = receiver.take()
    assert is_refused(till, delivery.headers, delivery.raw)


def test_a_payout_altered_on_its_way_is_refused(till: Till, receiver: Receiver) -> None:
    till.controls.payout(SECURITY_KEY)
    delivery = receiver.take()
    assert is_refused(till, delivery.headers, delivery.raw.replace(b"10000", b"90000"))
    assert is_refused(till, delivery.headers, delivery.raw + b" ")
    assert is_refused(till, delivery.headers | {TIME_HEADER: "2026"}, delivery.raw)


PAYOUT = json.dumps({"eventType": "payout.changed", "entityBody": {}}).encode()


def test_signatures_made_from_the_description_are_accepted(till: Till) -> None:
    assert read(till, signed(PAYOUT, SECURITY_KEY), PAYOUT).is_signed
    assert read(till, signed(PAYOUT, FORMER_KEY, SECURITY_KEY), PAYOUT).is_signed
    seller = PAYOUT.replace(b"payout", b"seller")
    assert read(till, signed(seller, SECURITY_KEY), seller).is_signed


@pytest.mark.parametrize(
    "signature",
    ["", "v1:", "v1:!!!", "v1:AAAA", "v2:{right}", "{right}", "v1:{right}x", "v1:é"],
)
def test_what_is_no_signature_is_refused(till: Till, signature: str) -> None:
    headers = signed(PAYOUT, SECURITY_KEY)
    right = headers[SIGNATURE_HEADER].removeprefix("v1:")
    assert is_refused(till, headers | {SIGNATURE_HEADER: signature.format(right=right)}, PAYOUT)


def test_without_a_security_key_no_payout_is_believed(till: Till) -> None:
    with opened("http://127.0.0.1:9") as unset:
        assert is_refused(unset, signed(PAYOUT, SECURITY_KEY), PAYOUT)
        assert is_refused(unset, signed(PAYOUT, ""), PAYOUT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"orderId": "a", "orderId": "b"}',
        b'{"orderId": "\\u0000"}',
        b'{"orderId": "\\ud800"}',
        b"[" * 100_000,
    ],
    ids=["empty", "null", "list", "cut", "no UTF-8", "named twice", "NUL", "half a pair", "deep"],
)
def test_what_cannot_be_read_is_refused(till: Till, body: bytes) -> None:
    assert is_refused(till, PLAIN, body)


@pytest.mark.parametrize("headers", [{}, {ID_HEADER: ""}, {ID_HEADER: "x" * 101}])
def test_a_delivery_that_cannot_be_told_from_its_repeats_is_refused(
    till: Till, headers: dict[str, str]
) -> None:
    assert is_refused(till, headers, b'{"orderId": "op_1"}')


@pytest.mark.parametrize(
    "about", [{"orderId": 7, "status": ["DONE"]}, {"orderId": None}, {"orderId": ""}, {}]
)
def test_fields_of_another_kind_are_left_out(till: Till, about: dict[str, Any]) -> None:
    body = json.dumps({"eventType": "PAYMENT_STATUS_CHANGED", "data": about}).encode()
    message = read(till, PLAIN | {ID_HEADER: secrets.token_hex(4)}, body)
    assert (message.gateway_order_id, message.said_status) == (None, None)
