"""Webhooks: which events, with which headers, repeated how, and never to strangers."""

import pytest

from tests.sandbox.conftest import SandboxStarter, Shop
from tests.sandbox.receiver import Receiver

# One minute of the vendor's ladder becomes 0.06 ms.
FAST = ("--retry-scale", "0.000001")


def listen(shop: Shop, receiver: Receiver) -> None:
    shop.sandbox.control("PUT", "webhooks", {"url": receiver.url})


def test_a_confirmed_payment_is_announced(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    payment = shop.paid("webhook-1")
    delivery = receiver.take()
    assert delivery.body["eventType"] == "PAYMENT_STATUS_CHANGED"
    assert delivery.body["data"] == payment
    assert "+" not in delivery.body["createdAt"]
    assert len(delivery.body["createdAt"].partition(".")[2]) == 6
    assert delivery.retried == 0
    assert delivery.id
    assert delivery.headers["tosspayments-webhook-transmission-time"]
    assert "tosspayments-webhook-signature" not in delivery.headers


def test_a_billing_charge_sends_nothing(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    key = shop.billing_key()
    shop.charge(key, "webhook-2")
    shop.delete(f"billing/{key}")
    deleted = receiver.take()
    assert deleted.body["eventType"] == "BILLING_DELETED"
    assert deleted.body["data"]["billingKey"] == key
    assert receiver.is_quiet()


def test_an_account_calls_back_with_its_secret(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    payment = shop.account("webhook-3")
    opened = receiver.take().body
    assert set(opened) == {"createdAt", "secret", "status", "transactionKey", "orderId"}
    assert (opened["secret"], opened["status"]) == (payment["secret"], "WAITING_FOR_DEPOSIT")
    shop.sandbox.control("POST", "deposits", {"orderId": "webhook-3"})
    paid = [receiver.take().body, receiver.take().body]
    assert sorted(body.get("eventType", "") for body in paid) == ["", "PAYMENT_STATUS_CHANGED"]
    shop.sandbox.control("POST", "deposits", {"orderId": "webhook-3", "kind": "reversed"})
    assert receiver.take().body["status"] == "WAITING_FOR_DEPOSIT"
    assert receiver.is_quiet()


def test_an_account_that_runs_out_sends_nothing(shop: Shop, receiver: Receiver) -> None:
    shop.account("webhook-4", validHours=1)
    listen(shop, receiver)
    shop.sandbox.control("PUT", "clock", {"offset_s": 3700})
    assert receiver.is_quiet()
    account = shop.get("payments/orders/webhook-4").json()["virtualAccount"]
    assert account["expired"] is True


def test_an_expired_session_is_announced(shop: Shop, receiver: Receiver) -> None:
    shop.authenticated("webhook-5")
    listen(shop, receiver)
    shop.sandbox.control("PUT", "clock", {"offset_s": 601})
    expired = [receiver.take().body["data"]]
    while expired[-1]["orderId"] != "webhook-5":
        expired.append(receiver.take().body["data"])
    assert {payment["status"] for payment in expired} == {"EXPIRED"}


def test_an_event_is_repeated_seven_times_under_one_id(
    start_sandbox: SandboxStarter, receiver: Receiver
) -> None:
    sandbox = start_sandbox("--webhook-url", receiver.url, *FAST)
    receiver.statuses += [500, 404, 201, 302, 500, 500, 500, 500]
    Shop(sandbox).paid("webhook-6")
    deliveries = [receiver.take() for _ in range(8)]
    assert [delivery.retried for delivery in deliveries] == list(range(8))
    assert len({delivery.id for delivery in deliveries}) == 1
    assert receiver.is_quiet()
    assert sandbox.control("GET", "webhooks")["pending"] == []


def test_a_taken_event_is_not_repeated(start_sandbox: SandboxStarter, receiver: Receiver) -> None:
    sandbox = start_sandbox("--webhook-url", receiver.url, *FAST)
    receiver.statuses += [500]
    Shop(sandbox).paid("webhook-7")
    assert [receiver.take().retried, receiver.take().retried] == [0, 1]
    assert receiver.is_quiet()


def test_pending_events_survive_a_kill(start_sandbox: SandboxStarter, receiver: Receiver) -> None:
    sandbox = start_sandbox("--webhook-url", receiver.url, "--retry-scale", "0.003")
    receiver.statuses += [500]
    Shop(sandbox).paid("webhook-8")
    first = receiver.take()
    sandbox.restart()
    second = receiver.take()
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://0x7f000001/",
        "ftp://127.0.0.1/",
        "http://[::2]/",
        "nothing",
        7,
    ],
)
def test_only_loopback_is_called(shop: Shop, url: object) -> None:
    assert "url" in shop.sandbox.refused("PUT", "webhooks", {"url": url})


def test_lost_webhooks_never_come(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    shop.sandbox.control("PUT", "faults", {"webhooks": {"lost": 1}})
    shop.paid("webhook-9")
    assert receiver.is_quiet()


def test_doubled_webhooks_come_twice_under_one_id(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    shop.sandbox.control("PUT", "faults", {"webhooks": {"doubled": 1}})
    shop.paid("webhook-10")
    assert receiver.take().id == receiver.take().id
    assert receiver.is_quiet()


def test_reordered_webhooks_are_overtaken(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    shop.sandbox.control("PUT", "faults", {"webhooks": {"reordered": 1}})
    shop.paid("webhook-11")
    shop.sandbox.control("PUT", "faults", {})
    shop.paid("webhook-12")
    orders = [receiver.take().body["data"]["orderId"] for _ in range(2)]
    assert orders == ["webhook-12", "webhook-11"]


def test_a_payout_is_signed_once_for_each_key(shop: Shop, receiver: Receiver) -> None:
    listen(shop, receiver)
    event = shop.sandbox.control("POST", "payouts", {"securityKeys": ["a" * 64, "b" * 64]})
    delivery = receiver.take()
    assert delivery.body == event
    assert delivery.body["eventType"] == "payout.changed"
    first, second = delivery.headers["tosspayments-webhook-signature"].split(",")
    assert first != second
    assert first.startswith("v1:")
    assert second.startswith("v1:")


def test_a_security_key_is_shown_nowhere(shop: Shop) -> None:
    # Nothing listens there: the event stays pending.
    shop.sandbox.control("PUT", "webhooks", {"url": "http://127.0.0.1:9/webhooks"})
    shop.sandbox.control("POST", "payouts", {"securityKeys": ["secret-key"]})
    assert "secret-key" not in str(shop.sandbox.control("GET", "webhooks"))


@pytest.mark.parametrize("keys", [None, [], "key", [7], [""], ["a", "b", "c"], ["x" * 129]])
def test_a_payout_without_a_key_is_refused(shop: Shop, receiver: Receiver, keys: object) -> None:
    listen(shop, receiver)
    assert "securityKeys" in shop.sandbox.refused("POST", "payouts", {"securityKeys": keys})
