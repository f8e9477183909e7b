"""Fault profile: what goes wrong, how often, and decided how.

Every draw is a hash of (seed, order id, purpose), never a stream of random numbers: the same
profile gives an order the same fate whatever else happens before it. Faults of the network carry
the number of the request for that order in their purpose, so that a client that tries again is
not lost for ever.
"""

import hashlib
from collections import Counter
from typing import Any, Final, Literal

from sandbox.errors import CODES, ControlRefused

Json = dict[str, Any]
NetworkFault = Literal["lost_before", "lost_after", "late", "resets", "errors_500"]

_DRAW_RANGE: Final = float(1 << 64)
_NETWORK_FAULTS: Final[tuple[NetworkFault, ...]] = (
    "lost_before",
    "lost_after",
    "late",
    "resets",
    "errors_500",
)
_SECTIONS: Final[dict[str, frozenset[str]]] = {
    "late": frozenset({"share", "after_s"}),
    "latency_ms": frozenset({"fixed", "min", "max"}),
    "webhooks": frozenset({"lost", "doubled", "delayed_s", "reordered"}),
    "deposits": frozenset({"share", "after_s"}),
}
_SHARES: Final = (
    "lost_before",
    "lost_after",
    "resets",
    "errors_500",
    "inquiry_failures",
    "settlement_errors",
)
_FIELDS: Final = frozenset(
    {"seed", "declines", "hang_s", "errors_500_stored", *_SHARES, *_SECTIONS}
)


class Faults:
    """One profile, and the number of requests seen per order since it was set."""

    def __init__(self, profile: Json | None = None) -> None:
        self.profile: Json = profile or {}
        self._seed = str(self.profile.get("seed", 0))
        self._requests: Counter[tuple[str, str]] = Counter()
        self._declines: list[tuple[str, float]] = sorted(self.profile.get("declines", {}).items())
        late = self.profile.get("late", {})
        self._network: list[tuple[NetworkFault, float]] = [
            (kind, late.get("share", 0.0) if kind == "late" else self.profile.get(kind, 0.0))
            for kind in _NETWORK_FAULTS
        ]
        self._network = [(kind, share) for kind, share in self._network if share > 0]
        self._inquiry_failures: float = self.profile.get("inquiry_failures", 0.0)
        self._latency: Json = self.profile.get("latency_ms", {})
        self.late_after_s: float = late.get("after_s", 1.0)
        self.hang_s: float = self.profile.get("hang_s", 0.0)
        self.errors_500_stored: bool = self.profile.get("errors_500_stored", False)
        self.webhooks: Json = self.profile.get("webhooks", {})
        self.deposits: Json = self.profile.get("deposits", {})
        self.settlement_errors: float = self.profile.get("settlement_errors", 0.0)

    def draw(self, subject: str, purpose: str) -> float:
        """A number in [0, 1) that depends on seed, subject and purpose only."""
        text = f"{self._seed}\0{subject}\0{purpose}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / _DRAW_RANGE

    def decline(self, order_id: str) -> str | None:
        """The code this order's first attempt is declined with, if it is."""
        if not self._declines:
            return None
        left = self.draw(order_id, "decline")
        for code, share in self._declines:
            left -= share
            if left < 0:
                return code
        return None

    def network(self, subject: str, endpoint: str) -> NetworkFault | None:
        """What befalls this request for this order; counts it."""
        if not self._network:
            return None
        left = self.draw(subject, f"network {endpoint} {self._number(subject, endpoint)}")
        for kind, share in self._network:
            left -= share
            if left < 0:
                return kind
        return None

    def inquiry_fails(self, subject: str) -> bool:
        if not self._inquiry_failures:
            return False
        number = self._number(subject, "inquiry")
        return self.draw(subject, f"inquiry {number}") < self._inquiry_failures

    def latency_s(self, subject: str, default_ms: float) -> float:
        """How long this request is worked on; the profile goes before the start option."""
        latency = self._latency
        if not latency:
            return default_ms / 1000
        if "fixed" in latency:
            return float(latency["fixed"]) / 1000
        number = self._number(subject, "latency")
        spread = latency["max"] - latency["min"]
        drawn: float = latency["min"] + spread * self.draw(subject, f"latency {number}")
        return drawn / 1000

    def _number(self, subject: str, purpose: str) -> int:
        self._requests[subject, purpose] += 1
        return self._requests[subject, purpose]


def checked_profile(profile: Any) -> Json:
    """The profile, or ControlRefused naming the field, the reason and the remedy."""
    if not isinstance(profile, dict):
        raise ControlRefused("A fault profile is a JSON object.")
    unknown = sorted(set(profile) - _FIELDS)
    if unknown:
        raise ControlRefused(f"Unknown field {unknown[0]!r}; use {', '.join(sorted(_FIELDS))}.")
    if not isinstance(profile.get("seed", 0), int):
        raise ControlRefused("seed must be a whole number.")
    if not isinstance(profile.get("errors_500_stored", False), bool):
        raise ControlRefused("errors_500_stored must be true or false.")
    for name, fields in _SECTIONS.items():
        _check_section(profile, name, fields)
    for name in _SHARES:
        _check_share(profile.get(name, 0), name)
    _check_number(profile.get("hang_s", 0), "hang_s")
    _check_declines(profile.get("declines", {}))
    late = profile.get("late", {}).get("share", 0)
    total = late + sum(profile.get(kind, 0) for kind in _NETWORK_FAULTS if kind != "late")
    if total > 1 + 1e-9:
        raise ControlRefused(
            f"The shares of {', '.join(_NETWORK_FAULTS)} add up to {total:g}; keep them within 1."
        )
    return profile


def _check_section(profile: Json, name: str, fields: frozenset[str]) -> None:
    section = profile.get(name, {})
    if not isinstance(section, dict):
        raise ControlRefused(f"{name} must be an object with {', '.join(sorted(fields))}.")
    for field, value in section.items():
        if field not in fields:
            raise ControlRefused(f"Unknown field {name}.{field}; use {', '.join(sorted(fields))}.")
        if field in {"share", "lost", "doubled", "reordered"}:
            _check_share(value, f"{name}.{field}")
        else:
            _check_number(value, f"{name}.{field}")
    if name == "latency_ms" and section and "fixed" not in section:
        if not {"min", "max"} <= set(section):
            raise ControlRefused("latency_ms needs either fixed, or both min and max.")
        if section["min"] > section["max"]:
            raise ControlRefused("latency_ms.min must not be above latency_ms.max.")


def _check_declines(declines: Any) -> None:
    if not isinstance(declines, dict):
        raise ControlRefused("declines must be an object of code and share.")
    for code, share in declines.items():
        if code not in CODES:
            raise ControlRefused(f"declines.{code} is not a code of the vendor.")
        _check_share(share, f"declines.{code}")
    if sum(declines.values()) > 1 + 1e-9:
        raise ControlRefused("The shares of declines add up to more than 1; lower them.")


def _check_share(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ControlRefused(f"{name} must be a share between 0 and 1.")


def _check_number(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3.2e7:
        raise ControlRefused(f"{name} must be a number, at least 0 and at most 32000000.")
