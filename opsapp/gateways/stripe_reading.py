"""What an answer of Stripe holds, taken out with care, and what its errors mean.

No answer is trusted to have the shape of its documentation: text is short and printable, money is
whole units, and what is neither makes the outcome uncertain.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from opsapp.gateways import failures
from opsapp.gateways.http import fault
from opsapp.gateways.values import METHOD_GONE, Answer, FailureClass, Outcome
from opsapp.kernel.money import BIGINT_MAX, Money

T = TypeVar("T")

DECLINE, ERROR, EXCEPTION = SOURCES = ("stripe_decline", "stripe_error", "stripe_exception")
MISSING = "resource_missing"
WORD_LENGTH_MAX = 200

_EXCEPTIONS = {
    "card_error": "CardError",
    "idempotency_error": "IdempotencyError",
    "invalid_request_error": "InvalidRequestError",
    "api_error": "APIError",
}
_EXCEPTIONS_BY_STATUS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "InvalidRequestError",
    HTTPStatus.UNAUTHORIZED: "AuthenticationError",
    HTTPStatus.PAYMENT_REQUIRED: "CardError",
    HTTPStatus.FORBIDDEN: "PermissionError",
    HTTPStatus.NOT_FOUND: "InvalidRequestError",
    HTTPStatus.TOO_MANY_REQUESTS: "RateLimitError",
}
# A request about a payment in one of these can be refused, and the payment be made all the same.
_MONEY_MAY_MOVE = ("processing", "requires_capture", "succeeded")


def understand_error(
    status: int, body: Any, trace_id: str | None, *, is_about_method: bool = False
) -> Answer:
    """The meaning of an error answer: decline_code, then code, then the SDK's exception.

    The exception speaks only where no code is named; a code that nobody knows is uncertain.
    """
    error = part(body, "error")
    if not isinstance(error, Mapping) and status != HTTPStatus.TOO_MANY_REQUESTS:
        is_theirs = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        name = "HTTP_5XX_NO_CODE" if is_theirs else "MALFORMED_RESPONSE"
        return fault(name, f"no readable error, HTTP {status}", trace_id=trace_id)
    answer = failures.classify(failure_names(error, status), trace_id=trace_id)
    if answer.code == MISSING and is_about_method:
        return replace(METHOD_GONE, trace_id=trace_id)
    if answer.failure_class == FailureClass.GATEWAY and answer.outcome is Outcome.DECLINED:
        answer = replace(answer, outcome=Outcome.NOT_SENT)  # turned away unread
    if part(error, "payment_intent", "status") in _MONEY_MAY_MOVE:
        answer = replace(answer, outcome=Outcome.UNKNOWN)
    return replace(answer, gateway_key=as_word(part(error, "payment_intent", "id")))


def as_word(value: Any) -> str | None:
    """Short printable text that any column and any log can hold."""
    is_fine = isinstance(value, str) and 0 < len(value) <= WORD_LENGTH_MAX and value.isprintable()
    return value if is_fine else None


def settled(meant: Answer) -> Answer:
    """The state says that nothing moved; the code, if anybody knows it, says why."""
    return meant if meant.unmapped_source else replace(meant, outcome=Outcome.DECLINED)


def failure_names(error: Any, status: int = 0) -> list[tuple[str, str]]:
    """Some codes of card errors are listed by the vendor as decline codes, and come as codes."""
    decline, code = as_word(part(error, "decline_code")), as_word(part(error, "code"))
    named = [(DECLINE, decline)] if decline else []
    if code:
        named += [(ERROR, code), (DECLINE, code)]
    if named or not (status or isinstance(error, Mapping)):
        return named
    kind = as_word(part(error, "type")) or ""
    exception = _EXCEPTIONS.get(kind) if not status else _exception(status, kind)
    return [(EXCEPTION, exception or kind)]


def _exception(status: int, kind: str) -> str:
    """As the vendor's own SDK chooses: by the status first."""
    if kind == "idempotency_error" and status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
        return "IdempotencyError"
    return _EXCEPTIONS_BY_STATUS.get(status, "APIError")


def part(value: Any, *names: str) -> Any:
    """What stands there, or None."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def word_of(value: Any) -> str:
    word = as_word(value)
    if word is None:
        raise ValueError("no short text")
    return word


def id_of(value: Any) -> str:
    """A reference may come expanded."""
    return word_of(part(value, "id") if isinstance(value, Mapping) else value)


def customer_of(value: Mapping[str, Any]) -> str | None:
    return None if value["customer"] is None else id_of(value["customer"])


def last4_of(card: Any) -> str | None:
    last4 = part(card, "last4")
    is_fine = isinstance(last4, str) and len(last4) == 4 and last4.isascii() and last4.isdigit()
    return last4 if is_fine else None


def money_of(row: Any, name: str, *, otherwise: str = "") -> Money:
    """Raises ValueError for anything but whole units that a column can hold."""
    minor = row.get(name, row.get(otherwise))
    if type(minor) is not int or not 0 <= minor <= BIGINT_MAX:
        raise ValueError(name)
    return Money(minor, str(row["currency"]).upper())


def carefully(what: str, read: Callable[[], T], trace_id: str | None) -> T | Answer:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as trouble:
        because = f"the {what} could not be read, {type(trouble).__name__}"
        return fault("MALFORMED_RESPONSE", because, trace_id=trace_id)
