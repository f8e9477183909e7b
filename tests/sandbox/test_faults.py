"""Faults: what they do to a request, and that the same profile decides the same fate."""

import socket
import time

import httpx2
import pytest

from tests.sandbox.conftest import Sandbox, Shop

LOST = (httpx2.RemoteProtocolError, httpx2.ReadError)


def outcomes(
    sandbox: Sandbox, profile: dict[str, object], orders: list[str]
) -> dict[str, int | str]:
    """What a single charge of each order comes to, at a new merchant."""
    shop = Shop(sandbox)
    key = shop.billing_key()
    sandbox.control("PUT", "faults", profile)
    found: dict[str, int | str] = {}
    for order_id in orders:
        try:
            found[order_id] = shop.charge(key, order_id).status_code
        except LOST:
            found[order_id] = "lost"
    return found


def test_the_same_profile_gives_the_same_fate_in_any_order(sandbox: Sandbox) -> None:
    profile: dict[str, object] = {
        "seed": 7,
        "declines": {"REJECT_CARD_COMPANY": 0.2, "PROVIDER_ERROR": 0.1},
        "lost_before": 0.1,
        "lost_after": 0.1,
        "errors_500": 0.1,
    }
    orders = [f"fate-{number:04d}" for number in range(60)]
    forwards = outcomes(sandbox, profile, orders)
    sandbox.control("DELETE", "faults")
    assert outcomes(sandbox, profile, orders[::-1]) == forwards
    assert set(forwards.values()) == {200, 400, 403, 500, "lost"}


def test_another_seed_gives_another_fate(sandbox: Sandbox) -> None:
    orders = [f"seed-{number:04d}" for number in range(40)]
    declines = {"REJECT_CARD_COMPANY": 0.5}
    first = outcomes(sandbox, {"seed": 1, "declines": declines}, orders)
    assert outcomes(sandbox, {"seed": 2, "declines": declines}, orders) != first


def test_a_declined_order_is_drawn_once(shop: Shop) -> None:
    shop.sandbox.control("PUT", "faults", {"declines": {"INVALID_STOPPED_CARD": 1}})
    key = shop.billing_key()
    assert shop.charge(key, "decline-1").json()["code"] == "INVALID_STOPPED_CARD"
    aborted = shop.get("payments/orders/decline-1").json()
    assert (aborted["status"], aborted["failure"]["code"]) == ("ABORTED", "INVALID_STOPPED_CARD")
    assert shop.charge(key, "decline-1").status_code == 200


def test_lost_before_leaves_no_trace(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("PUT", "faults", {"lost_before": 1})
    with pytest.raises(LOST):
        shop.charge(key, "lost-0001", idempotency_key="pay:1")
    shop.sandbox.control("DELETE", "faults")
    assert shop.get("payments/orders/lost-0001").status_code == 404
    assert shop.charge(key, "lost-0001", idempotency_key="pay:1").status_code == 200


def test_lost_after_has_taken_effect_and_is_replayed(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("PUT", "faults", {"lost_after": 1})
    with pytest.raises(LOST):
        shop.charge(key, "lost-0002", idempotency_key="pay:2")
    shop.sandbox.control("DELETE", "faults")
    paid = shop.get("payments/orders/lost-0002")
    assert paid.json()["status"] == "DONE"
    assert shop.charge(key, "lost-0002", idempotency_key="pay:2").content == paid.content


def test_a_late_effect_comes_after_the_client_gave_up(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("PUT", "faults", {"late": {"share": 1, "after_s": 0.3}})
    with pytest.raises(LOST):
        shop.charge(key, "late-0001", idempotency_key="pay:3")
    shop.sandbox.control("DELETE", "faults")
    assert shop.get("payments/orders/late-0001").status_code == 404
    assert shop.charge(key, "late-0001", idempotency_key="pay:3").status_code == 409
    deadline = time.monotonic() + 5
    while shop.charge(key, "late-0001", idempotency_key="pay:3").status_code == 409:
        assert time.monotonic() < deadline
    assert shop.get("payments/orders/late-0001").json()["status"] == "DONE"


def test_a_lost_request_hangs_as_long_as_wished(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("PUT", "faults", {"lost_before": 1, "hang_s": 0.2})
    started = time.monotonic()
    with pytest.raises(LOST):
        shop.charge(key, "hang-0001")
    assert time.monotonic() - started >= 0.2


def test_a_reset_is_a_reset(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "faults", {"resets": 1})
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            b"POST /v1/payments/confirm HTTP/1.1\r\nHost: x\r\ncontent-length: 2\r\n"
            b"Authorization: Basic dGVzdF9za194Og==\r\n\r\n{}"
        )
        with pytest.raises(ConnectionResetError):
            connection.recv(1000)


def test_a_500_before_the_effect_is_not_stored_unless_wished(shop: Shop) -> None:
    key = shop.billing_key()
    shop.sandbox.control("PUT", "faults", {"errors_500": 1})
    assert shop.charge(key, "error-001", idempotency_key="pay:4").status_code == 500
    shop.sandbox.control("PUT", "faults", {"errors_500": 1, "errors_500_stored": True})
    assert shop.charge(key, "error-002", idempotency_key="pay:5").status_code == 500
    shop.sandbox.control("DELETE", "faults")
    assert shop.charge(key, "error-001", idempotency_key="pay:4").status_code == 200
    assert shop.charge(key, "error-002", idempotency_key="pay:5").status_code == 500


def test_inquiries_can_fail_too(shop: Shop) -> None:
    shop.paid("inquiry-1")
    shop.sandbox.control("PUT", "faults", {"inquiry_failures": 0.5})
    answers = {shop.get("payments/orders/inquiry-1").status_code for _ in range(20)}
    assert answers == {200, 500}


@pytest.mark.parametrize("latency", [{"fixed": 120}, {"min": 120, "max": 150}])
def test_latency_holds_the_answer_back(shop: Shop, latency: dict[str, int]) -> None:
    shop.sandbox.control("PUT", "faults", {"latency_ms": latency})
    started = time.monotonic()
    shop.get("payments/orders/latency-1")
    assert time.monotonic() - started >= 0.12


def test_a_profile_can_be_read_and_cleared(sandbox: Sandbox) -> None:
    profile = {"seed": 3, "lost_after": 0.25}
    assert sandbox.control("PUT", "faults", profile) == profile
    assert sandbox.control("GET", "faults") == profile
    assert sandbox.control("DELETE", "faults") == {}


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ({"lost_before": 1.5}, "lost_before"),
        ({"lost_before": "many"}, "lost_before"),
        ({"lost_before": 0.6, "resets": 0.6}, "add up"),
        ({"late": {"share": 0.6}, "resets": 0.6}, "add up"),
        ({"declines": {"REJECT_CARD_COMPANY": 0.6, "PROVIDER_ERROR": 0.6}}, "declines"),
        ({"declines": {"NO_SUCH_CODE": 0.1}}, "NO_SUCH_CODE"),
        ({"declines": []}, "declines"),
        ({"late": 1}, "late"),
        ({"late": {"when": 1}}, "late.when"),
        ({"latency_ms": {"min": 1}}, "latency_ms"),
        ({"latency_ms": {"min": 2, "max": 1}}, "latency_ms.min"),
        ({"hang_s": -1}, "hang_s"),
        ({"seed": "x"}, "seed"),
        ({"sead": 1}, "sead"),
        ([], "object"),
    ],
)
def test_an_impossible_profile_names_its_field(
    sandbox: Sandbox, profile: object, named: str
) -> None:
    assert named in sandbox.refused("PUT", "faults", profile)
