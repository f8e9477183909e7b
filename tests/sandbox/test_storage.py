"""kill -9 at any time loses nothing that was answered."""

import threading
from pathlib import Path

import httpx2

from tests.sandbox.conftest import SandboxStarter, Shop
from tests.waiting import join


def test_everything_answered_survives_a_kill(start_sandbox: SandboxStarter) -> None:
    sandbox = start_sandbox()
    shop = Shop(sandbox)
    key = shop.billing_key()
    charged = shop.charge(key, "survive-1", idempotency_key="pay:1")
    payment = shop.paid("survive-2")
    cancelled = shop.post(
        f"payments/{payment['paymentKey']}/cancel",
        {"cancelReason": "변심", "cancelAmount": 1000},
        idempotency_key="refund:1",
    )
    shop.account("survive-3", validHours=1)
    window = shop.authenticated("survive-4")
    sandbox.control("POST", f"cards/{key}", {"state": "lost"})
    sandbox.control("PUT", "faults", {"seed": 5, "settlement_errors": 0.5})
    transactions = shop.get(
        "transactions", startDate="2020-01-01T00:00:00", endDate="2099-01-01T00:00:00"
    ).json()
    books = sandbox.control("GET", "payments")

    sandbox.restart()
    shop.reconnect()
    assert sandbox.control("GET", "payments") == books
    assert sandbox.control("GET", "faults") == {"seed": 5, "settlement_errors": 0.5}
    assert shop.charge(key, "survive-1", idempotency_key="pay:1").content == charged.content
    replayed = shop.post(
        f"payments/{payment['paymentKey']}/cancel",
        {"cancelReason": "변심", "cancelAmount": 1000},
        idempotency_key="refund:1",
    )
    assert replayed.content == cancelled.content
    assert shop.charge(key, "survive-5").json()["code"] == "INVALID_CARD_LOST_OR_STOLEN"
    assert (
        shop.get(
            "transactions", startDate="2020-01-01T00:00:00", endDate="2099-01-01T00:00:00"
        ).json()
        == transactions
    )
    body = {"paymentKey": window, "orderId": "survive-4", "amount": 15_000}
    assert shop.post("payments/confirm", body).json()["status"] == "DONE"
    sandbox.control("PUT", "clock", {"offset_s": 3700})
    account = shop.get("payments/orders/survive-3").json()["virtualAccount"]
    assert account["expired"] is True


def test_no_answered_charge_is_lost_in_a_storm(start_sandbox: SandboxStarter) -> None:
    sandbox = start_sandbox()
    shop = Shop(sandbox)
    key = shop.billing_key()
    answered: dict[str, bytes] = {}
    enough = threading.Event()

    def charge_until_killed(worker: int) -> None:
        number = 0
        while True:
            order_id = f"storm-{worker}-{number:05d}"
            number += 1
            try:
                answer = shop.charge(key, order_id, idempotency_key=f"pay:{order_id}")
            except httpx2.TransportError:
                return
            answered[order_id] = answer.content
            if len(answered) > 150:
                enough.set()

    threads = [
        threading.Thread(daemon=True, target=charge_until_killed, args=(n,)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    assert enough.wait(20)
    sandbox.restart()
    join(*threads)
    shop.reconnect()
    for order_id, content in answered.items():
        assert shop.get(f"payments/orders/{order_id}").content == content
        assert shop.charge(key, order_id, idempotency_key=f"pay:{order_id}").content == content


def test_a_half_written_last_line_is_cut(start_sandbox: SandboxStarter, tmp_path: Path) -> None:
    sandbox = start_sandbox()
    shop = Shop(sandbox)
    shop.paid("torn-0001")
    sandbox.kill()
    journal = tmp_path / "data" / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[0][:40])
    sandbox.start_again()
    shop.reconnect()
    assert shop.get("payments/orders/torn-0001").json()["status"] == "DONE"
    shop.paid("torn-0002")
    sandbox.restart()
    shop.reconnect()
    assert shop.get("payments/orders/torn-0002").json()["status"] == "DONE"
