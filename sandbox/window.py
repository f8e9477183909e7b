"""The hosted payment window: the sandbox's own page in place of the vendor's script.

`GET /_sandbox/window` shows what is to be paid, `POST` is the buyer's decision: approved, the
payment waits IN_PROGRESS for its confirm and the buyer goes to successUrl with paymentType,
paymentKey, orderId and amount; declined or cancelled, to failUrl with code, message and orderId.
No script, no cookie, no key: `clientKey` names the merchant, as it does at the vendor's.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox import payment_object as objects, payments
from sandbox.books import Books, Merchant, merchant_id_of
from sandbox.errors import CODES, Answer, ControlRefused, Refused
from sandbox.hosts import is_here
from sandbox.server import Request
from sandbox.window_page import render, render_refusal

Json = dict[str, Any]

BUYER_CANCELLED: Final = "PAY_PROCESS_CANCELED"
_CLIENT_KEYS: Final = {"test_ck_": "test_sk_", "test_gck_": "test_gsk_"}
# The application's words for a method, beside the vendor's.
_METHODS: Final = {
    "card": "CARD",
    "transfer": "TRANSFER",
    "easy_pay": "EASY_PAY",
    "mobile": "MOBILE_PHONE",
    "virtual_account": "VIRTUAL_ACCOUNT",
}
# What the buyer may choose at the window, as `payments.authenticate` reads it.
_NUMBERS: Final = ("installmentPlanMonths", "walletMoney", "walletPoints")
_TEXTS: Final = ("provider", "carrier", "bank")


@dataclass(frozen=True, slots=True)
class Window:
    """What the shop asked for, checked."""

    client_key: str
    customer_key: str
    method: str  # the vendor's English name
    amount: int
    order_id: str
    order_name: str
    customer_name: str
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
            "amount": str(self.amount),
            "currency": "KRW",
            "orderId": self.order_id,
            "orderName": self.order_name,
            "customerName": self.customer_name,
            "successUrl": self.success_url,
            "failUrl": self.fail_url,
            "lang": self.lang,
        }


def handle(books: Books, request: Request, hosts: frozenset[str]) -> Answer:
    """`hosts`: names besides loopback that the window may be reached under and return to."""
    given = request.query() if request.method == "GET" else _form(request)
    lang = _language(request, given)
    try:
        _check_origin(request, hosts)
        window = _read(given, lang, hosts)
    except ControlRefused as refused:
        return _page(refused.http_status, render_refusal(str(refused), lang), ())
    if request.method == "GET":
        return _show(window)
    return _decide(books, window, given)


def _decide(books: Books, window: Window, given: dict[str, str]) -> Answer:
    merchant = books.merchant(merchant_id_of(_secret_key(window.client_key)))
    decision = given.get("decision")
    try:
        if decision == "approve":
            return _approve(books, merchant, window, given)
        if decision == "decline":
            return _fail(books, merchant, window, given.get("code", ""))
        if decision == "cancel":
            return _fail(books, merchant, window, BUYER_CANCELLED)
    except Refused as refused:
        return _show(window, error=refused.message, chosen=given)
    except ControlRefused as refused:
        return _show(window, error=str(refused), chosen=given)
    return _show(window, error="decision: approve, decline, cancel", chosen=given)


def _approve(books: Books, merchant: Merchant, window: Window, given: dict[str, str]) -> Answer:
    found = payments.authenticated(books, merchant, _wish(window) | _choices(given))
    return _go(
        window.success_url,
        {
            "paymentType": "NORMAL",
            "paymentKey": found.payment_key,
            "orderId": window.order_id,
            "amount": str(window.amount),
        },
    )


def _fail(books: Books, merchant: Merchant, window: Window, code: str) -> Answer:
    if code not in CODES:
        raise ControlRefused(f"code: {code!r} is not a code of the vendor.")
    payments.authenticated(books, merchant, _wish(window) | {"fails_with": code})
    back = {"code": code, "message": CODES[code].message, "orderId": window.order_id}
    return _go(window.fail_url, back)


def _wish(window: Window) -> Json:
    return {
        "orderId": window.order_id,
        "orderName": window.order_name,
        "amount": window.amount,
        "method": window.method,
        "customerName": window.customer_name or None,
    }


def _choices(given: dict[str, str]) -> Json:
    """An empty field was left as it was; what is no number is told so by its name."""
    choices: Json = {name: given[name] for name in _TEXTS if given.get(name)}
    for name in _NUMBERS:
        text = given.get(name, "").strip()
        if text and not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise Refused("INVALID_REQUEST", f"`{name}`은(는) 0 이상의 정수여야 합니다.")
        if text:
            choices[name] = int(text)
    return choices


def _read(given: dict[str, str], lang: str, hosts: frozenset[str]) -> Window:
    """Raises ControlRefused, naming the field."""
    named = given.get("method", "CARD")
    method = _METHODS.get(named, named)
    if method not in objects.METHODS:
        raise ControlRefused(f"method must be one of {', '.join(objects.METHODS)}.")
    amount = given.get("amount", "")
    if not (amount.isascii() and amount.isdigit() and 0 < len(amount) <= 13):
        raise ControlRefused("amount must be a whole number of won.")
    if given.get("currency", "KRW") != "KRW":
        raise ControlRefused("currency must be KRW.")
    window = Window(
        client_key=given.get("clientKey", ""),
        customer_key=given.get("customerKey", ""),
        method=method,
        amount=int(amount),
        order_id=given.get("orderId", ""),
        order_name=given.get("orderName", ""),
        customer_name=given.get("customerName", ""),
        success_url=_address(given, "successUrl", hosts),
        fail_url=_address(given, "failUrl", hosts),
        lang=lang,
    )
    _secret_key(window.client_key)
    try:
        payments.check_order(_wish(window))
    except Refused as refused:
        raise ControlRefused(f"{refused.code}: {refused.message}") from None
    return window


def _secret_key(client_key: str) -> str:
    """The secret key of the same merchant: its prefix says which, the rest is the same."""
    for prefix, secret in _CLIENT_KEYS.items():
        if client_key.startswith(prefix) and len(client_key) > len(prefix):
            return secret + client_key.removeprefix(prefix)
    raise ControlRefused("INVALID_CLIENT_KEY: clientKey must begin with test_ck_ or test_gck_.")


def _address(given: dict[str, str], name: str, hosts: frozenset[str]) -> str:
    """Where the buyer is sent back to: never anywhere but to a host that was named."""
    text = given.get(name, "")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ControlRefused(f"{name} is not an address.") from None
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \\\"'<>;,")
    if parts.scheme not in ("http", "https") or parts.username is not None or not is_plain:
        raise ControlRefused(f"{name} must be a plain http or https address.")
    if not is_here(host, hosts):
        raise ControlRefused(f"{name} must be on loopback, or on a host given by --window-host.")
    return text


def _check_origin(request: Request, hosts: frozenset[str]) -> None:
    """Only this page may post here, and only under a name that is this machine's own."""
    host = request.headers.get(b"host", b"").decode("latin-1")
    if not is_here(urlsplit(f"//{host}").hostname or "", hosts):
        raise ControlRefused("Open the window under 127.0.0.1 or localhost.", 403)
    origin = request.headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
        raise ControlRefused("The window takes decisions from its own page only.", 403)


def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _language(request: Request, given: dict[str, str]) -> str:
    """?lang, or else Accept-Language; Korean is the first language here."""
    wished = given.get("lang") or request.headers.get(b"accept-language", b"").decode("latin-1")
    return "en" if wished.strip().lower().startswith("en") else "ko"


def _show(
    window: Window, *, error: str | None = None, chosen: dict[str, str] | None = None
) -> Answer:
    status = HTTPStatus.OK if error is None else HTTPStatus.BAD_REQUEST
    addresses = (window.success_url, window.fail_url)
    html = render(
        hidden=window.hidden, amount=window.amount, method=window.method, lang=window.lang,
        error=error, chosen=chosen or {},
    )  # fmt: skip
    return _page(status, html, addresses)


def _page(status: int, html: tuple[str, str], addresses: tuple[str, ...]) -> Answer:
    """`html`: the text, and the hash of its one style. A form's redirect counts as its action."""
    text, style_hash = html
    origins = sorted({f"{each.scheme}://{each.netloc}" for each in map(urlsplit, addresses)})
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {' '.join((chr(39) + 'self' + chr(39), *origins))}"
    )
    headers = (
        "content-type: text/html;charset=UTF-8\r\n"
        f"content-security-policy: {policy}\r\n"
        "x-content-type-options: nosniff\r\n"
        # Not no-referrer: a browser would then send Origin: null with the form.
        "referrer-policy: same-origin\r\n"
        "cache-control: no-store\r\n"
    )
    return Answer(status, text.encode(), headers.encode())


def _go(address: str, query: dict[str, str]) -> Answer:
    joint = "&" if urlsplit(address).query else "?"
    plain, hash_sign, fragment = address.partition("#")
    target = f"{plain}{joint}{urlencode(query)}{hash_sign}{fragment}"
    headers = f"location: {target}\r\ncache-control: no-store\r\n"
    return Answer(HTTPStatus.SEE_OTHER, b"", headers.encode())
