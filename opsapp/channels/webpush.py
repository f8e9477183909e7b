"""Web Push: to a browser that has subscribed, by whichever service its maker runs (RFC 8030).

We sign with a key pair of our own (VAPID, RFC 8292) and need no account anywhere. The recipient
is the subscription as the browser gives it: {"endpoint": ..., "keys": {"p256dh", "auth"}}.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from cryptography.hazmat.primitives.asymmetric import ec

from opsapp.channels import internet, tokens, webpush_sealing
from opsapp.channels.base import GONE, Capabilities, Message, Outcome, Receipt, RecipientKind
from opsapp.channels.http import CALL_TIMEOUT_S, HttpChannel, NoReply, Reply, as_json

LIFE = timedelta(days=1)  # a message that found no browser in this time is dropped
TOKEN_LIFE = timedelta(hours=12)  # 24 at most (RFC 8292, 2)
TOPIC_LENGTH = 32  # RFC 8030, 5.4

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_FINAL = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


@dataclass(frozen=True, slots=True)
class Subscription:
    endpoint: str
    browser_key: bytes
    auth_secret: bytes

    @property
    def origin(self) -> str:
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"


class WebPushChannel(HttpChannel):
    name = "webpush"
    capabilities: ClassVar[Capabilities] = Capabilities(
        recipient=RecipientKind.PUSH,
        subject_bytes_max=200,
        # The rest holds the subject, the link, our reference and what JSON adds.
        text_bytes_max=webpush_sealing.TEXT_BYTES_MAX - 1024,
    )
    timeout_s = CALL_TIMEOUT_S
    abreast_max = 64

    def __init__(
        self,
        *,
        private_key: str,
        contact: str,
        trusted_origin: str = "",
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`private_key`: 32 bytes in base64url, as VAPID tools print it; raises ValueError.

        `contact` is a mailto: or https: address that a push service may complain to. Only
        `trusted_origin` may lie elsewhere than in the internet: a sandbox, named by its address.
        """
        super().__init__()
        number = int.from_bytes(tokens.from_b64url(private_key), "big")
        self._key = ec.derive_private_key(number, ec.SECP256R1())
        self._contact = contact
        self._trusted_origin = trusted_origin
        self._resolver = resolver

    @property
    def public_key(self) -> str:
        """What the browser is given as applicationServerKey."""
        return tokens.b64url(webpush_sealing.point_of(self._key))

    def _connector(self) -> aiohttp.TCPConnector:
        inner = self._resolver or aiohttp.ThreadedResolver()
        resolver = internet.InternetResolver(inner)
        return aiohttp.TCPConnector(limit=self.abreast_max, resolver=resolver)

    async def _send(self, message: Message) -> Receipt:
        try:
            subscription = read_subscription(message.recipient)
            letter = as_json(_shown(message))
        except ValueError:
            return Receipt(Outcome.REFUSED, "the subscription or the text is malformed")
        if len(letter) > webpush_sealing.TEXT_BYTES_MAX:
            return Receipt(Outcome.REFUSED, "the text is longer than a push message may be")
        if not self._may_call(subscription):
            return Receipt(Outcome.REFUSED, "the address is not one of the internet")
        try:
            body = webpush_sealing.seal(
                letter,
                browser_key=subscription.browser_key,
                auth_secret=subscription.auth_secret,
            )
        except ValueError:
            return Receipt(Outcome.REFUSED, "the subscription or the text is malformed")
        headers = self._headers(subscription, message)
        return _receipt(await self._post(subscription.endpoint, body, headers))

    def _may_call(self, subscription: Subscription) -> bool:
        if self._trusted_origin and subscription.origin == self._trusted_origin:
            return True
        return internet.is_callable(subscription.endpoint)

    def _headers(self, subscription: Subscription, message: Message) -> dict[str, str]:
        claims = {
            "aud": subscription.origin,
            "exp": int((datetime.now(UTC) + TOKEN_LIFE).timestamp()),
            "sub": self._contact,
        }
        token = tokens.es256(claims, self._key)
        topic = tokens.b64url(hashlib.sha256(message.ref.encode()).digest())[:TOPIC_LENGTH]
        return {
            "Authorization": f"vapid t={token}, k={self.public_key}",
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(int(LIFE.total_seconds())),
            "Urgency": "normal",
            "Topic": topic,  # sent twice and not yet shown, the second takes the first one's place
        }


def read_subscription(text: str) -> Subscription:
    """Raises ValueError."""
    try:
        read = json.loads(text)
        endpoint, keys = read["endpoint"], read["keys"]
        browser_key = tokens.from_b64url(keys["p256dh"])
        auth_secret = tokens.from_b64url(keys["auth"])
        is_text = isinstance(endpoint, str) and bool(urlsplit(endpoint))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no subscription") from error
    if not is_text:
        raise ValueError("no address")
    return Subscription(endpoint, browser_key, auth_secret)


def _shown(message: Message) -> dict[str, str]:
    """What our service worker reads; the ref lets it show a message once."""
    shown = {
        "title": message.subject,
        "body": message.text.strip(),
        "ref": message.ref,
        "lang": message.locale,
    }
    return shown | ({"link": message.link} if message.link else {})


def _receipt(reply: Reply | NoReply) -> Receipt:
    if isinstance(reply, NoReply):
        if isinstance(getattr(reply.cause, "os_error", None), internet.NotOfTheInternet):
            return Receipt(Outcome.REFUSED, "the address is not one of the internet")
        return Receipt(Outcome.AWAY, reply.because)
    if reply.is_success:
        return Receipt(Outcome.ACCEPTED)
    if reply.status in _GONE:
        return Receipt(Outcome.REFUSED, GONE)
    # 401 and 403 are about our key, 429 and 5xx about this moment.
    outcome = Outcome.REFUSED if reply.status in _FINAL else Outcome.AWAY
    return Receipt(outcome, f"HTTP {reply.status}")
