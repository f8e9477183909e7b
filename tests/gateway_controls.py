"""The sandbox gateway's control calls, as a test uses them."""

import json
import urllib.request
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

    def clock(self, offset_s: float) -> None:
        self._call("PUT", "/_sandbox/clock", {"offset_s": offset_s})

    def card(self, billing_key: str, state: str) -> None:
        self._call("POST", f"/_sandbox/cards/{billing_key}", {"state": state})

    def payments(self, *order_ids: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "/_sandbox/payments?limit=100000")
        return [each for each in found if each["orderId"] in order_ids]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            raw = response.read()
        return json.loads(raw) if raw else None
