"""Firebase Cloud Messaging, HTTP v1: to an app on a phone, by its registration token.

A service account signs a request for an access token (RFC 7523), which then serves every message
for about an hour. Error codes: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from opsapp.channels import tokens
from opsapp.channels.base import GONE, Capabilities, Message, Outcome, Receipt, RecipientKind
from opsapp.channels.http import HttpChannel, NoReply, Reply, as_json

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFE = timedelta(hours=1)
STEP_TIMEOUT_S = 10.0  # each of the token and the message
TOKEN_RESERVE_S = 120.0  # a token this close to its end is renewed
MESSAGE_BYTES_MAX = 4096
LIFE_S = 24 * 3600  # a message that found no phone in this time is dropped

# The account's own words about one registration token, or about one message.
_FINAL = frozenset({"INVALID_ARGUMENT", "SENDER_ID_MISMATCH"})
_TOKEN = re.compile(r"[!-~]{1,8192}")
_CODE = re.compile(r"[A-Z_]{1,40}")
_NAME = re.compile(r"projects/[A-Za-z0-9_-]{1,80}/messages/[A-Za-z0-9:%_-]{1,160}")


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    project: str
    email: str
    key: rsa.RSAPrivateKey
    key_id: str
    token_url: str


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    usable_until: float  # by the monotonic clock


class FcmChannel(HttpChannel):
    name = "fcm"
    capabilities: ClassVar[Capabilities] = Capabilities(
        recipient=RecipientKind.PUSH,
        subject_bytes_max=200,
        text_bytes_max=MESSAGE_BYTES_MAX - 1024,
    )
    timeout_s = 2 * STEP_TIMEOUT_S
    abreast_max = 64

    def __init__(self, *, url: str, service_account: str) -> None:
        """`service_account` is the JSON file that Google gives out; raises ValueError."""
        super().__init__()
        self._account = read_account(service_account)
        project = quote(self._account.project, safe="")
        self._url = f"{url.rstrip('/')}/v1/projects/{project}/messages:send"
        self._token: _Token | None = None
        self._asking: dict[asyncio.AbstractEventLoop, asyncio.Task[_Token | str]] = {}

    async def _send(self, message: Message) -> Receipt:
        try:
            body = as_json({"message": _fields(message)})
        except ValueError:
            return Receipt(Outcome.REFUSED, "the text is malformed")
        if not message.recipient or len(body) > MESSAGE_BYTES_MAX:
            return Receipt(Outcome.REFUSED, "the message is longer than FCM takes, or for nobody")
        token = await self._usable_token()
        if isinstance(token, str):
            return Receipt(Outcome.AWAY, token)
        headers = {"Authorization": f"Bearer {token.value}", "Content-Type": "application/json"}
        reply = await self._post(self._url, body, headers, timeout_s=STEP_TIMEOUT_S)
        if isinstance(reply, Reply) and reply.status == HTTPStatus.UNAUTHORIZED:
            self._token = None
        return _receipt(reply)

    async def _usable_token(self) -> _Token | str:
        """Or why there is none. Messages that start together ask for one token."""
        token = self._token
        if token is not None and monotonic() < token.usable_until:
            return token
        loop = asyncio.get_running_loop()
        asking = self._asking.get(loop)
        if asking is None:
            asking = self._asking[loop] = asyncio.ensure_future(self._ask_for_token())
            asking.add_done_callback(lambda _: self._asking.pop(loop, None))
        return await asyncio.shield(asking)

    async def _ask_for_token(self) -> _Token | str:
        now = datetime.now(UTC)
        claims = {
            "iss": self._account.email,
            "scope": SCOPE,
            "aud": self._account.token_url,
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIFE).timestamp()),
        }
        assertion = tokens.rs256(claims, self._account.key, key_id=self._account.key_id)
        form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await self._post(self._account.token_url, form, headers, timeout_s=STEP_TIMEOUT_S)
        if isinstance(reply, NoReply):
            return f"no access token ({reply.because})"
        token = _read_token(reply)
        if token is None:
            return f"no access token (HTTP {reply.status})"
        self._token = token
        return token


def read_account(text: str) -> ServiceAccount:
    """Raises ValueError."""
    try:
        read = json.loads(text)
        key = load_pem_private_key(str(read["private_key"]).encode(), password=None)
        values = [str(read[name]) for name in ("project_id", "client_email", "token_uri")]
        key_id = str(read.get("private_key_id", ""))
    except (KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "no service account of Google: project_id, client_email, private_key, token_uri"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the key of a service account is an RSA key")  # noqa: TRY004
    project, email, token_url = values
    return ServiceAccount(project, email, key, key_id, token_url)


def _fields(message: Message) -> dict[str, Any]:
    data = {"ref": message.ref, "kind": message.kind}
    if message.link:
        data["link"] = message.link
    return {
        "token": message.recipient,
        "notification": {"title": message.subject, "body": message.text.strip()},
        "data": data,
        # Sent twice, the second one takes the first one's place.
        "android": {
            "collapse_key": message.ref,
            "ttl": f"{LIFE_S}s",
            "notification": {"tag": message.ref},
        },
        "apns": {"headers": {"apns-collapse-id": message.ref[:64]}},
    }


def _read_token(reply: Reply) -> _Token | None:
    body = reply.body if reply.is_success and isinstance(reply.body, dict) else {}
    value, life_s = body.get("access_token"), body.get("expires_in")
    if not (isinstance(value, str) and _TOKEN.fullmatch(value)):
        return None
    if type(life_s) is not int or not 0 < life_s <= 24 * 3600:
        return None
    return _Token(value, monotonic() + max(life_s - TOKEN_RESERVE_S, life_s / 2))


def _receipt(reply: Reply | NoReply) -> Receipt:
    if isinstance(reply, NoReply):
        return Receipt(Outcome.AWAY, reply.because)
    body = reply.body if isinstance(reply.body, dict) else {}
    if reply.is_success:
        name = body.get("name")
        is_name = isinstance(name, str) and _NAME.fullmatch(name) is not None
        if not is_name:
            return Receipt(Outcome.AWAY, "the answer cannot be read")
        return Receipt(Outcome.ACCEPTED, provider_ref=name)
    code = _error_code(body)
    if code == "UNREGISTERED":
        return Receipt(Outcome.REFUSED, GONE)
    outcome = Outcome.REFUSED if code in _FINAL else Outcome.AWAY
    return Receipt(outcome, f"FCM {code}" if code else f"HTTP {reply.status}")


def _error_code(body: dict[str, Any]) -> str:
    """The code that speaks about messages; a bare 404 is about the project, not the token."""
    error = body.get("error")
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        code = detail.get("errorCode") if isinstance(detail, dict) else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return ""
