"""The control of the fault campaign: charge as one would in an afternoon.

A new key for each try, and the books written afterwards. It must be seen to double or to lose
charges under the same faults; a campaign that finds nothing wrong here sees nothing at all.
"""

import base64
import json
import secrets
import threading
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

TRIES_MAX = 5
THREADS = 24
AMOUNT = 9900
CAPTURED = ("DONE", "PARTIAL_CANCELED", "CANCELED")


@dataclass(frozen=True, slots=True)
class Outcome:
    charges: int
    doubled: int
    unrecorded: int  # charged at the gateway, missing in our books


class NaiveShop:
    """A merchant of its own at the sandbox."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        secret = f"test_sk_naive_{secrets.token_hex(6)}"
        self._authorization = "Basic " + base64.b64encode(f"{secret}:".encode()).decode()
        self._name = f"naive-{secrets.token_hex(4)}"
        self._books: set[str] = set()
        self._lock = threading.Lock()

    def charge_all(self, count: int) -> None:
        titles = [f"{self._name} {n}" for n in range(count)]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._charge, titles))

    def compare(self, held: list[dict[str, Any]], *, charges: int) -> Outcome:
        """Our books against the gateway's list of payments."""
        captured = Counter(
            payment["orderName"]
            for payment in held
            if payment["orderName"].startswith(self._name) and payment["status"] in CAPTURED
        )
        return Outcome(
            charges=charges,
            doubled=sum(1 for times in captured.values() if times > 1),
            unrecorded=len(captured.keys() - self._books),
        )

    def _charge(self, title: str) -> None:
        customer_key = f"c-{secrets.token_hex(8)}"
        billing_key = self._billing_key(customer_key)
        body = {"customerKey": customer_key, "amount": AMOUNT, "orderName": title}
        for _ in range(TRIES_MAX):
            order = body | {"orderId": f"naive-{secrets.token_hex(8)}"}
            if billing_key and self._post(f"/v1/billing/{billing_key}", order):
                with self._lock:
                    self._books.add(title)
                return

    def _billing_key(self, customer_key: str) -> str | None:
        for _ in range(TRIES_MAX):
            body = {"authKey": f"card.{secrets.token_hex(8)}", "customerKey": customer_key}
            if issued := self._post("/v1/billing/authorizations/issue", body):
                return str(issued["billingKey"])
        return None

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, or None for whatever went wrong: this is what makes it naive."""
        request = urllib.request.Request(
            self._url + path,
            data=json.dumps(body).encode(),
            headers={
                "Authorization": self._authorization,
                "Content-Type": "application/json",
                "Idempotency-Key": secrets.token_hex(16),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                answer: dict[str, Any] = json.loads(response.read())
                return answer
        except (urllib.error.URLError, OSError, ValueError):
            return None
