"""The hosted payment window: the sandbox's own page in place of the vendor's script.

`GET /_sandbox/window` shows what is to be paid, `POST` is the buyer's decision: approved, the
payment waits IN_PROGRESS for its confirm and the buyer goes to successUrl with paymentType,
paymentKey, orderId and amount; declined or cancelled, to failUrl with code, message and orderId.
No script, no cookie, no key: `clientKey` names the merchant, as it does at the vendor's.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from sandbox import payment_object as objects, payments, window_door as door
from sandbox.books import Books, Merchant, merchant_id_of
from sandbox.errors import CODES, Answer, ControlRefused, Refused
from sandbox.server import Request
from sandbox.window_page import render, render_refusal

Json = dict[str, Any]

BUYER_CANCELLED: Final = "PAY_PROCESS_CANCELED"
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
    given = request.query() if request.method == "GET" else door.form(request)
    lang = door.language(request, given)
    try:
        door.check_origin(request, hosts)
        window = _read(given, lang, hosts)
    except ControlRefused as refused:
        return door.page(refused.http_status, render_refusal(str(refused), lang), ())
    if request.method == "GET":
        return _show(window)
    return _decide(books, window, given)


def _decide(books: Books, window: Window, given: dict[str, str]) -> Answer:
    merchant = books.merchant(merchant_id_of(door.secret_key(window.client_key)))
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
    return door.go(
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
    return door.go(window.fail_url, back)


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
        success_url=door.address(given, "successUrl", hosts),
        fail_url=door.address(given, "failUrl", hosts),
        lang=lang,
    )
    door.secret_key(window.client_key)
    try:
        payments.check_order(_wish(window))
    except Refused as refused:
        raise ControlRefused(f"{refused.code}: {refused.message}") from None
    return window


def _show(
    window: Window, *, error: str | None = None, chosen: dict[str, str] | None = None
) -> Answer:
    status = HTTPStatus.OK if error is None else HTTPStatus.BAD_REQUEST
    addresses = (window.success_url, window.fail_url)
    html = render(
        hidden=window.hidden, amount=window.amount, method=window.method, lang=window.lang,
        error=error, chosen=chosen or {},
    )  # fmt: skip
    return door.page(status, html, addresses)
