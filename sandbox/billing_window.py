"""The hosted window in which a customer registers a card or an account for recurring charges.

`GET /_sandbox/window/billing` stands in for the script's `requestBillingAuth`, `POST` is the
customer's decision: registered, they go to successUrl with customerKey and authKey; declined or
cancelled, to failUrl with code and message. The authKey is good once, for that customer and that
merchant only; it carries what the customer chose, and the sandbox keeps nothing until it is used.
"""

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from sandbox import fields, window_door as door
from sandbox.billing import CARD_STATES, REFUSED, seal_of
from sandbox.books import Books, merchant_id_of
from sandbox.errors import CODES, Answer, ControlRefused, Refused
from sandbox.server import Request
from sandbox.window import BUYER_CANCELLED
from sandbox.window_page import render_refusal, render_registration

_METHODS: Final = {"card": "CARD", "transfer": "TRANSFER"}
_PREFIXES: Final = {"CARD": "card", "TRANSFER": "transfer"}


@dataclass(frozen=True, slots=True)
class Registration:
    """What the shop asked for, checked."""

    client_key: str
    customer_key: str
    method: str  # the vendor's English name
    success_url: str
    fail_url: str
    lang: str  # ko | en

    @property
    def hidden(self) -> dict[str, str]:
        """The shop's own fields, which the form carries to the decision."""
        return {
            "clientKey": self.client_key,
            "customerKey": self.customer_key,
            "method": self.method,
            "successUrl": self.success_url,
            "failUrl": self.fail_url,
            "lang": self.lang,
        }


def handle(books: Books, request: Request, hosts: frozenset[str]) -> Answer:
    """`hosts`: names besides loopback that the window may be reached under and return to."""
    given = request.query() if request.method == "GET" else door.form(request)
    lang = door.language(request, given)
    try:
        door.check_origin(request, hosts)
        wish = _read(given, lang, hosts)
    except ControlRefused as refused:
        return door.page(refused.http_status, render_refusal(str(refused), lang), ())
    if request.method == "GET":
        return _show(wish)
    return _decide(books, wish, given)


def _decide(books: Books, wish: Registration, given: dict[str, str]) -> Answer:
    match given.get("decision"):
        case "approve" if (state := given.get("state", "ok")) in (*CARD_STATES, REFUSED):
            return _approve(books, wish, state)
        case "decline" if (code := given.get("code", "")) in CODES:
            return _fail(wish, code)
        case "cancel":
            return _fail(wish, BUYER_CANCELLED)
        case _:
            return _show(wish, error="decision, state, code", chosen=given)


def _approve(books: Books, wish: Registration, state: str) -> Answer:
    merchant = books.merchant(merchant_id_of(door.secret_key(wish.client_key)))
    nonce = secrets.token_hex(8)
    told = f"{_PREFIXES[wish.method]}.w-{state}-{nonce}"
    seal = seal_of(told, merchant.id, wish.customer_key)
    query = {"customerKey": wish.customer_key, "authKey": f"{told}-{seal}"}
    return door.go(wish.success_url, query)


def _fail(wish: Registration, code: str) -> Answer:
    return door.go(wish.fail_url, {"code": code, "message": CODES[code].message})


def _read(given: dict[str, str], lang: str, hosts: frozenset[str]) -> Registration:
    """Raises ControlRefused, naming the field."""
    named = given.get("method", "CARD")
    method = _METHODS.get(named, named)
    if method not in _PREFIXES:
        raise ControlRefused(f"method must be one of {', '.join(_PREFIXES)}.")
    try:
        customer_key = fields.customer_key(given)
    except Refused as refused:
        raise ControlRefused(f"{refused.code}: {refused.message}") from None
    wish = Registration(
        client_key=given.get("clientKey", ""),
        customer_key=customer_key,
        method=method,
        success_url=door.address(given, "successUrl", hosts),
        fail_url=door.address(given, "failUrl", hosts),
        lang=lang,
    )
    door.secret_key(wish.client_key)
    return wish


def _show(
    wish: Registration, *, error: str | None = None, chosen: dict[str, str] | None = None
) -> Answer:
    status = HTTPStatus.OK if error is None else HTTPStatus.BAD_REQUEST
    html = render_registration(
        hidden=wish.hidden, method=wish.method, lang=wish.lang, error=error, chosen=chosen or {}
    )
    return door.page(status, html, (wish.success_url, wish.fail_url))
