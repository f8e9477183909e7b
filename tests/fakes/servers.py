"""Starting a double as a process of its own, and its controls as a test uses them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@contextmanager
def portone_double() -> Iterator[str]:
    """The address of a running double."""
    command = [sys.executable, "-m", "tests.fakes.portone", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class PortOneControls:
    """One merchant of the double, named by its secret."""

    url: str
    secret: str

    def merchant(self, **what: Any) -> None:
        self._call("PUT", "merchant", what)

    def fault(self, **what: Any) -> None:
        self._call("PUT", "faults", what)

    def clear_fault(self) -> None:
        self._call("DELETE", "faults")

    def billing_key(self, customer_id: str, pg_code: str = "") -> str:
        body = {"customer_id": customer_id, "pgCode": pg_code}
        return str(self._call("POST", "billing-keys", body)["billingKey"])

    def decline(self, billing_key: str, pg_code: str) -> None:
        self._call("PUT", f"billing-keys/{billing_key}", {"pgCode": pg_code})

    def deposit(self, payment_id: str, amount: int = 0, **what: Any) -> None:
        self._call("POST", "deposits", {"paymentId": payment_id, "amount": amount} | what)

    def finish(self, payment_id: str, status: str, **what: Any) -> None:
        self._call("POST", "payments", {"paymentId": payment_id, "status": status} | what)

    def finish_cancel(self, payment_id: str, status: str) -> None:
        self._call("POST", "cancellations", {"paymentId": payment_id, "status": status})

    def webhooks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "webhooks")
        return found

    def send_again(self, index: int) -> None:
        self._call("POST", "webhooks", {"index": index})

    def clock(self, offset_s: float) -> None:
        """One for all merchants: put it back."""
        self._call("PUT", "clock", {"offset_s": offset_s})

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = self._call("GET", "counts")
        return found

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/_double/{path}?secret={quote(self.secret)}"
        with urllib.request.urlopen(
            urllib.request.Request(url, data=data, method=method), timeout=5
        ) as response:
            return json.loads(response.read())
