"""What one process of the PortOne double holds: merchants, faults, the clock."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.portone_books import Merchant
from tests.fakes.portone_payment import Clock


@dataclass
class Fault:
    """What goes wrong with the next `times` calls (None: all) whose path ends in `path`.

    `does`: "" merely waits, "hang_up" cuts the connection, "answer" gives `status` and `body`.
    `is_before`: the call is not executed at all; otherwise it is, and only its answer suffers.
    """

    latency_s: float = 0
    does: str = ""
    is_before: bool = False
    status: int = 500
    body: Any = field(default_factory=dict)
    path: str = ""
    times: int | None = None


@dataclass
class State:
    clock: Clock = field(default_factory=Clock)
    merchants: dict[str, Merchant] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)  # by secret, or EVERYBODY
    registered_by: dict[str, Merchant] = field(default_factory=dict)  # whose window it is
    requests: int = 0

    def merchant(self, secret: str) -> Merchant:
        if secret not in self.merchants:
            self.merchants[secret] = Merchant(self.clock)
        return self.merchants[secret]

    def take_fault(self, secret: str, path: str) -> Fault | None:
        fault = self.faults.get(secret)
        if fault is None or not path.endswith(fault.path):
            return None
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                del self.faults[secret]
        return fault


STATE = web.AppKey("state", State)
