"""The sandbox as a real process on a free port, spoken to over real sockets."""

import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest

from tests.sandbox.receiver import Receiver

# Nothing here speaks TLS; loading the certificates once for all clients saves seconds.
_TLS = ssl.create_default_context()


class Sandbox:
    """One running `python -m sandbox`."""

    def __init__(self, data: Path, *options: str) -> None:
        self._data = data
        self._options = options
        self.clients: list[httpx2.Client] = []
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(self._data)]
        self._process = subprocess.Popen(
            [*command, *self._options], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]
        self._client = self.client()

    def client(self, secret_key: str | None = None) -> httpx2.Client:
        """A connection pool to this process; closed when the sandbox is stopped."""
        auth = (secret_key, "") if secret_key is not None else None
        self.clients.append(httpx2.Client(base_url=self.url, auth=auth, timeout=10, verify=_TLS))
        return self.clients[-1]

    def kill(self) -> None:
        """kill -9: nothing is flushed, nothing is said goodbye to."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._reap()

    def restart(self) -> None:
        self.kill()
        self._start()

    def start_again(self) -> None:
        """After `kill`, on the same data directory."""
        self._start()

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.terminate()
        for client in self.clients:
            client.close()
        return self._reap()

    def _reap(self) -> int:
        code = self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = self._client.request(method, f"/_sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: object = None) -> str:
        """The message of a control call that must be refused."""
        answer = self._client.request(method, f"/_sandbox/{path}", json=body)
        assert 400 <= answer.status_code < 500, answer.text
        message: str = answer.json()["message"]
        return message


class Shop:
    """A merchant of its own at one sandbox, with a key nobody else has."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.secret_key = f"test_sk_{secrets.token_hex(8)}"
        self.reconnect()

    def reconnect(self) -> None:
        """After a restart the sandbox listens on another port."""
        self.client = self.sandbox.client(self.secret_key)

    def post(self, path: str, body: object = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/v1/{path}", json=body if body is not None else {}, headers=named)

    def get(self, path: str, **query: str) -> httpx2.Response:
        return self.client.get(f"/v1/{path}", params=query)

    def delete(self, path: str, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.delete(f"/v1/{path}", headers=named)

    def authenticated(self, order_id: str, *, amount: int = 15_000, **wish: object) -> str:
        """A paymentKey as the payment window hands it to the shop."""
        body = {"orderId": order_id, "amount": amount, "method": "CARD"} | wish
        answer = self.client.post("/_sandbox/authentications", json=body)
        assert answer.status_code == 200, answer.text
        key: str = answer.json()["paymentKey"]
        return key

    def paid(self, order_id: str, *, amount: int = 15_000, **wish: object) -> dict[str, Any]:
        """A payment that went through window and confirm."""
        key = self.authenticated(order_id, amount=amount, **wish)
        body = {"paymentKey": key, "orderId": order_id, "amount": amount}
        answer = self.post("payments/confirm", body)
        assert answer.status_code == 200, answer.text
        payment: dict[str, Any] = answer.json()
        return payment

    def billing_key(self, kind: str = "card") -> str:
        body = {"authKey": f"{kind}.{secrets.token_hex(6)}", "customerKey": "customer-1"}
        key: str = self.post("billing/authorizations/issue", body).json()["billingKey"]
        return key

    def charge(
        self, billing_key: str, order_id: str, *, amount: int = 9900, **headers: str
    ) -> httpx2.Response:
        body = {
            "amount": amount,
            "customerKey": "customer-1",
            "orderId": order_id,
            "orderName": "음악 스트리밍 구독",
        }
        return self.post(f"billing/{billing_key}", body, **headers)

    def account(self, order_id: str, **wish: object) -> dict[str, Any]:
        """A virtual account that waits for 20,000 won."""
        body = {
            "amount": 20_000,
            "orderId": order_id,
            "orderName": "사과 1상자",
            "customerName": "홍길동",
            "bank": "88",
        }
        answer = self.post("virtual-accounts", body | wish)
        assert answer.status_code == 200, answer.text
        payment: dict[str, Any] = answer.json()
        return payment


class SandboxStarter(Protocol):
    def __call__(self, *options: str) -> Sandbox: ...


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One process for all tests that need no options of their own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The shared process; faults, clock and webhook target are set back after the test."""
    yield shared_sandbox
    for setting in ("faults", "clock", "webhooks"):
        shared_sandbox.control("DELETE", setting)


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    return Shop(sandbox)


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[SandboxStarter]:
    """Starts processes of the test's own, all on one data directory."""
    started: list[Sandbox] = []

    def start(*options: str) -> Sandbox:
        started.append(Sandbox(tmp_path / "data", *options))
        return started[-1]

    yield start
    for sandbox in started:
        sandbox.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
