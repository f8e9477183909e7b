"""A message channel inside the process that remembers what it carried, and at times fails."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from opsapp.channels.base import Capabilities, Channel, Message, Outcome, Receipt, RecipientKind
from opsapp.simulation.luck import Luck, Profile


@dataclass(frozen=True, slots=True)
class Carried:
    at: datetime
    kind: str
    recipient: str
    text: str


class SimulatedChannel(Channel):
    name = "email"
    capabilities: ClassVar[Capabilities] = Capabilities(recipient=RecipientKind.EMAIL)
    timeout_s = 10
    abreast_max = 1000

    def __init__(self, luck: Luck, faults: Profile, *, now: datetime) -> None:
        self.now = now
        self.carried: list[Carried] = []
        self._luck = luck
        self._faults = faults
        self._tries: Counter[tuple[str, str, str]] = Counter()

    def calm_down(self) -> None:
        self._faults = Profile()

    async def _send(self, message: Message) -> Receipt:
        name = (message.recipient, message.kind, f"{self.now:%Y-%m-%d}")
        self._tries[name] += 1
        if self._luck.hits(self._faults.messages_away, "away", *name, self._tries[name]):
            return Receipt(Outcome.AWAY, "no answer")
        if self._luck.hits(self._faults.messages_refused, "refused", *name):
            return Receipt(Outcome.REFUSED, "no such address")
        self.carried.append(Carried(self.now, message.kind, message.recipient, message.text))
        return Receipt(Outcome.ACCEPTED)
