"""What every message channel can be asked, in plain values: no ORM object crosses this line."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from opsapp.kernel.db import require_no_transaction


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"  # this message will never go out here
    AWAY = "away"  # nobody knows, or not now: send it again later


class RecipientKind(StrEnum):
    """What `Message.recipient` is for a channel."""

    EMAIL = "email"  # an address
    PHONE = "phone"  # a Korean number, with or without hyphens
    PUSH = "push"  # what the browser or the app was given: a subscription or a device token


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel takes. A length of 0 has no limit; a longer text is refused, a subject cut.

    Lengths are bytes of the finished message: in EUC-KR for telephones, in UTF-8 for the rest.
    """

    recipient: RecipientKind
    subject_bytes_max: int = 0
    text_bytes_max: int = 0
    uses_templates: bool = False  # knows what to do with a template_ref
    reports_delivery: bool = False  # tells later what became of a message, by its provider_ref


@dataclass(frozen=True, slots=True)
class Message:
    """`ref` is ours and goes along, so that a message sent twice can be told from two."""

    ref: str
    kind: str
    locale: str
    recipient: str
    subject: str
    text: str
    # A template approved at the provider and what fills it, for a channel that uses templates.
    template_ref: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    link: str = ""  # where a push notification leads


@dataclass(frozen=True, slots=True)
class Receipt:
    """`because` is a code or a plain sentence, never a text that quotes the recipient."""

    outcome: Outcome
    because: str = ""
    provider_ref: str | None = None  # its name at the provider: delivery reports come under it


GONE = "gone"  # the `because` of a push address that no longer exists: forget it


class DeliveryStatus(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of an accepted message. The same report may come several times."""

    provider_ref: str
    status: DeliveryStatus
    code: str
    at: datetime


class ReportRefused(Exception):
    """Delivery reports that nobody known has sent, or that cannot be read."""


class Channel(ABC):
    """An adapter never raises for what the network or the provider does: that is a Receipt."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    timeout_s: float  # longest wait for one message, or for one batch of them
    abreast_max: int  # messages in flight that one process may have
    batch_max: int = 1  # messages that one call carries

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold connections open for the messages sent inside; they belong to one event loop."""
        yield

    def parse_reports(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> list[DeliveryReport]:
        """What the provider tells of messages it took. Names of headers in small letters.

        Raises ReportRefused.
        """
        raise ReportRefused("this channel has no reports")

    async def send(self, message: Message) -> Receipt:
        require_no_transaction()
        return await self._send(message)

    async def send_many(self, messages: Sequence[Message]) -> list[Receipt]:
        """One receipt for each message, in their order; each call carries up to `batch_max`.

        The calls are made one after the other, each within `timeout_s`.
        """
        require_no_transaction()
        size = self.batch_max
        parts = [messages[start : start + size] for start in range(0, len(messages), size)]
        return [receipt for part in parts for receipt in await self._send_batch(part)]

    @abstractmethod
    async def _send(self, message: Message) -> Receipt: ...

    async def _send_batch(self, messages: Sequence[Message]) -> list[Receipt]:
        return [await self._send(message) for message in messages]
