"""SOLAPI: SMS, LMS and 알림톡 to Korean telephones (api.solapi.com, messages/v4).

A request is signed with a salt of its own and the time; a signature is good once and for fifteen
minutes. An answer names the messages that were not taken, each with a code of four digits; the
others are on their way, and what became of them is told by webhook (solapi_reports). The vendor
has no key against sending twice: a message whose answer was lost goes out again with the same
`ref` in its customFields.

An 알림톡 carries no text: the vendor makes it from the approved template, and falls back to a
text message with the same words where KakaoTalk does not reach the person.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from typing import Any, ClassVar

from opsapp.channels import solapi_answers, solapi_reports
from opsapp.channels.base import (
    Capabilities,
    DeliveryReport,
    Message,
    Outcome,
    Receipt,
    RecipientKind,
)
from opsapp.channels.batching import LINGER_S, Batcher
from opsapp.channels.http import CALL_TIMEOUT_S, HttpChannel, NoReply, Reply, as_json
from opsapp.channels.solapi_answers import Letter, for_all

PATH = "/messages/v4/send-many/detail"
SMS_BYTES_MAX = 90  # in EUC-KR
LMS_BYTES_MAX = 2000
SUBJECT_BYTES_MAX = 40
BATCH_MAX = 500  # the vendor takes 10,000
# One message that the vendor cannot read spoils its batch, which is then sent in halves. Alone it
# is found within 19 calls; more than this is no longer about messages.
CALLS_PER_BATCH_MAX = 40
LEAST_CALL_S = 1.0  # a call with less time than this is not begun

_UNREADABLE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_PHONE = re.compile(r"0[1-9][0-9]{7,9}")


class Unsendable(Exception):
    """This message can never be sent here; the text says why and quotes nothing of it."""


@dataclass
class _Budget:
    """What one batch may still use, with all its halves."""

    calls: int
    until: float


class SolapiChannel(HttpChannel):
    name = "sms"
    capabilities: ClassVar[Capabilities] = Capabilities(
        recipient=RecipientKind.PHONE,
        subject_bytes_max=SUBJECT_BYTES_MAX,
        text_bytes_max=LMS_BYTES_MAX,
        uses_templates=True,
        reports_delivery=True,
    )
    timeout_s = CALL_TIMEOUT_S + LINGER_S
    abreast_max = 2 * BATCH_MAX
    batch_max = BATCH_MAX

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        api_secret: str,
        sender: str,
        kakao_channel: str = "",
        webhook_secret: str = "",
    ) -> None:
        """`sender` is a number registered with the vendor, `kakao_channel` its pfId."""
        super().__init__()
        self._url = url.rstrip("/") + PATH
        self._api_key = api_key
        self._api_secret = api_secret
        self._sender = sender
        self._kakao_channel = kakao_channel
        self._webhook_secret = webhook_secret
        self._batchers: dict[asyncio.AbstractEventLoop, Batcher] = {}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with super().connected():
            self._batchers[loop] = Batcher(self._send_batch, size=BATCH_MAX)
            try:
                yield
            finally:
                del self._batchers[loop]

    def parse_reports(
        self, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> list[DeliveryReport]:
        """What the webhook tells. Names of headers in small letters. Raises ReportRefused."""
        return solapi_reports.parse(headers, body, secret=self._webhook_secret, now=now)

    async def _send(self, message: Message) -> Receipt:
        batcher = self._batchers.get(asyncio.get_running_loop())
        if batcher is not None:
            return await batcher.send(message)
        [receipt] = await self._send_batch([message])
        return receipt

    async def _send_batch(self, messages: Sequence[Message]) -> list[Receipt]:
        receipts: dict[int, Receipt] = {}
        letters: list[Letter] = []
        for place, message in enumerate(messages):
            try:
                letters.append(self._letter(place, message))
            except Unsendable as unsendable:
                receipts[place] = Receipt(Outcome.REFUSED, str(unsendable))
        if letters:
            budget = _Budget(CALLS_PER_BATCH_MAX, monotonic() + CALL_TIMEOUT_S)
            receipts |= await self._deliver(letters, budget)
        return [receipts[place] for place in range(len(messages))]

    async def _deliver(self, letters: Sequence[Letter], budget: _Budget) -> dict[int, Receipt]:
        left_s = budget.until - monotonic()
        if not budget.calls or left_s < LEAST_CALL_S:
            return for_all(letters, Receipt(Outcome.AWAY, "no time was left for it"))
        budget.calls -= 1
        reply = await self._ask(letters, timeout_s=left_s)
        if isinstance(reply, NoReply):
            return for_all(letters, Receipt(Outcome.AWAY, reply.because))
        if reply.is_success:
            return solapi_answers.receipts(reply.body, letters)
        is_unreadable = reply.status in _UNREADABLE
        if is_unreadable and len(letters) > 1:
            middle = len(letters) // 2
            first = await self._deliver(letters[:middle], budget)
            return first | await self._deliver(letters[middle:], budget)
        # Anything else is about our key, our balance, the address or the hour: ours to mend.
        outcome = Outcome.REFUSED if is_unreadable else Outcome.AWAY
        return for_all(letters, Receipt(outcome, solapi_answers.reason(reply.status, reply.body)))

    async def _ask(self, letters: Sequence[Letter], *, timeout_s: float) -> Reply | NoReply:
        # Duplicates are allowed: with the vendor's default, two notices to one number in a
        # batch would be one.
        body = b"".join(
            (
                b'{"messages":[',
                b",".join(letter.body for letter in letters),
                b'],"showMessageList":true,"allowDuplicates":true}',
            )
        )
        headers = {"Authorization": self._authorization(), "Content-Type": "application/json"}
        return await self._post(self._url, body, headers, timeout_s=timeout_s)

    def _letter(self, place: int, message: Message) -> Letter:
        """Raises Unsendable."""
        number = phone_digits(message.recipient)
        fields: dict[str, Any] = {
            "to": number,
            "from": self._sender,
            "country": "82",
            "autoTypeDetect": False,
            "customFields": {"ref": message.ref},
        }
        if message.template_ref and self._kakao_channel:
            fields |= {"type": "ATA", "kakaoOptions": self._kakao_options(message)}
        else:
            fields |= text_fields(message.subject, message.text)
        try:
            return Letter(place, message.ref, number, as_json(fields))
        except ValueError as error:
            raise Unsendable("the text is malformed") from error

    def _kakao_options(self, message: Message) -> dict[str, Any]:
        return {
            "pfId": self._kakao_channel,
            "templateId": message.template_ref,
            "variables": {_variable(name): value for name, value in message.variables.items()},
            "disableSms": False,
        }

    def _authorization(self) -> str:
        date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        salt = secrets.token_hex(16)
        key, said = self._api_secret.encode(), (date + salt).encode()
        signature = hmac.new(key, said, hashlib.sha256).hexdigest()
        return (
            f"HMAC-SHA256 ApiKey={self._api_key}, Date={date}, salt={salt}, signature={signature}"
        )


def phone_digits(text: str) -> str:
    """A Korean number as the vendor takes it, 01012345678. Raises Unsendable."""
    digits = re.sub(r"[\s()-]", "", text)
    if digits.startswith("+82"):
        digits = "0" + digits.removeprefix("+82").removeprefix("0")
    if not _PHONE.fullmatch(digits):
        raise Unsendable("the number is not a Korean telephone number")
    return digits


def text_fields(subject: str, text: str) -> dict[str, str]:
    """A short message where it fits, a long one with a subject otherwise. Raises Unsendable."""
    text = text.strip()
    size = euc_kr_bytes(text)
    if not text:
        raise Unsendable("there is no text")
    if size <= SMS_BYTES_MAX:
        return {"type": "SMS", "text": text}
    if size > LMS_BYTES_MAX:
        raise Unsendable(f"the text is longer than {LMS_BYTES_MAX} bytes")
    fields = {"type": "LMS", "text": text}
    if subject := cut(subject.strip(), SUBJECT_BYTES_MAX):
        fields["subject"] = subject
    return fields


def euc_kr_bytes(text: str) -> int:
    """As the carriers count: the codec would write a rare syllable as eight bytes."""
    return sum(1 if character.isascii() else 2 for character in text)


def cut(text: str, size: int) -> str:
    while euc_kr_bytes(text) > size:
        text = text[:-1]
    return text


def _variable(name: str) -> str:
    return name if name.startswith("#{") else f"#{{{name}}}"
