"""The sandbox gateway's control calls, as a test uses them."""

import json
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GatewayControls:
    """Faults are shared by all merchants of the sandbox process: tests clear them again."""

    url: str

    def faults(self, **profile: Any) -> None:
        self._call("PUT", "/_sandbox/faults", profile)

    def clear(self) -> None:
        self._call("DELETE", "/_sandbox/faults")

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", "/_sandbox/counts")
        return found

    def deposit(self, **what: Any) -> None:
        self._call("POST", "/_sandbox/deposits", what)

    def deposits(self, order_id: str) -> list[dict[str, Any]]:
        """Every transfer that was tried, also those that the bank refused."""
        found: list[dict[str, Any]] = self._call("GET", "/_sandbox/deposits")
        return [each for each in found if each["orderId"] == order_id]

    def authenticate(self, secret_key: str = "", **wish: Any) -> str:
        """The paymentKey of a buyer who went through the window; `secret_key` names the shop."""
        found = self._call("POST", "/_sandbox/authentications", wish, secret_key=secret_key)
        key: str = found["paymentKey"]
        return key

    def webhooks(self, url: str) -> None:
        self._call("PUT", "/_sandbox/webhooks", {"url": url})

    def payout(self, *security_keys: str, **what: Any) -> None:
        """Send a payout.changed, signed with each of the keys."""
        self._call("POST", "/_sandbox/payouts", {"securityKeys": list(security_keys)} | what)

    def reset(self) -> None:
        """Set back everything that one test could leave to the next."""
        for setting in ("faults", "clock", "webhooks"):
            self._call("DELETE", f"/_sandbox/{setting}")

    def clock(self, offset_s: float) -> None:
        self._call("PUT", "/_sandbox/clock", {"offset_s": offset_s})

    def card(self, billing_key: str, state: str) -> None:
        self._call("POST", f"/_sandbox/cards/{billing_key}", {"state": state})

    def payments(self, *order_ids: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "/_sandbox/payments?limit=100000")
        return [each for each in found if each["orderId"] in order_ids]

    def _call(self, method: str, path: str, body: Any = None, *, secret_key: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if secret_key:
            headers["Authorization"] = "Basic " + b64encode(f"{secret_key}:".encode()).decode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as response:
            raw = response.read()
        return json.loads(raw) if raw else None
