"""What every message channel can be asked, in plain values: no ORM object crosses this line."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from opsapp.kernel.db import require_no_transaction


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"  # this message will never go out here
    AWAY = "away"  # nobody knows, or not now: send it again later


@dataclass(frozen=True, slots=True)
class Message:
    """`ref` is ours and goes along, so that a message sent twice can be told from two."""

    ref: str
    kind: str
    locale: str
    recipient: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """`because` is a code or a plain sentence, never a text that quotes the recipient."""

    outcome: Outcome
    because: str = ""


class Channel(ABC):
    """An adapter never raises for what the network or the provider does: that is a Receipt."""

    name: ClassVar[str]
    timeout_s: float  # longest wait for one message
    abreast_max: int  # messages in flight that one process may have

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold connections open for the messages sent inside; they belong to one event loop."""
        yield

    async def send(self, message: Message) -> Receipt:
        require_no_transaction()
        return await self._send(message)

    @abstractmethod
    async def _send(self, message: Message) -> Receipt: ...
