"""Refusals as application/problem+json (RFC 9457): a stable `code`, a `field`, what to do.

Nothing that was sent stands in an answer: a program's log must not learn a customer's data from
the refusal of it. 422 is what the document forbids, 409 what it allows but the state does not.
"""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from flask import Response, g, request
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from opsapp.kernel.db import end_reading
from opsapp.kernel.errors import NotFound, OpsError
from opsapp.kernel.money import Money
from opsapp.kernel.paging import BadCursor
from opsapp.kernel.states import IllegalMove

log = structlog.get_logger(__name__)

MIMETYPE = "application/problem+json"
RETRY_AFTER_S = {"request_under_way": 1, "rate_limited": 1, "unavailable": 5}
TYPES = "https://opsapp.dev/problems/"

# Rooms speak to people with forms; to a program these are one thing: not here and now.
_NOT_HERE = (410, 422)
_HTTP_CODES = {
    400: ("bad_request", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that kind of request."),
    413: ("too_large", "The body is larger than 256 kB."),
    415: ("unsupported_media_type", "The body must be application/json."),
}


class NotAuthenticated(OpsError):
    code = "not_authenticated"
    http_status = 401
    message = "There is no API key that is good now in the Authorization header."
    remedy = "Send `Authorization: Bearer <key>` with a key that is neither revoked nor expired."


class ScopeMissing(OpsError):
    code = "scope_missing"
    http_status = 403
    message = "This API key lacks the scope {scope}."
    remedy = "Make a key with this scope in the console."


class RateLimited(OpsError):
    code = "rate_limited"
    http_status = 429
    message = "This API key sends more requests than are taken."
    remedy = "Wait as long as Retry-After says, then go on more slowly."


class UnsupportedMediaType(OpsError):
    code = "unsupported_media_type"
    http_status = 415
    message = "The body must be application/json."
    remedy = "Send `Content-Type: application/json`."


class NotJson(OpsError):
    code = "not_json"
    http_status = 400
    message = "The body is not JSON in UTF-8."
    remedy = "Check how it was written."


class BadIdempotencyKey(OpsError):
    code = "idempotency_key_missing"
    http_status = 400
    message = "A change needs an Idempotency-Key of 1 to 100 visible ASCII characters."
    remedy = "Send a new random one with every new request, and the same one to repeat it."


class NoSuchObject(OpsError):
    code = "not_found"
    http_status = 404
    message = "There is no such {noun}."
    remedy = "Check the reference, and that it is of this installation."


class SchemaViolated(OpsError):
    """`errors` are pydantic's, without what was sent."""

    code = "invalid"
    http_status = 422
    message = "The request is not as the document describes it."
    remedy = "See `errors`."

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__(field=errors[0][0] if errors else None)


def violated(error: ValidationError, *, source: str) -> OpsError:
    """What pydantic found, as this door tells it. `source` is "body" or "query"."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in found):
        return NotJson()
    return SchemaViolated([(_place(source, _ours(each)), each["type"]) for each in found[:20]])


def problem_of(error: OpsError) -> tuple[int, dict[str, Any]]:
    """Status and body of a refusal."""
    status = error.http_status
    if status in _NOT_HERE and not isinstance(error, SchemaViolated):
        status = 409
    if isinstance(error, BadCursor):
        status = 404
    values = {name: _unsent(value) for name, value in error.values.items()}
    if isinstance(error, NotFound):
        error = NoSuchObject(noun=error.values.get("noun", "object"))
        values = error.values  # a word of ours, though bodies have fields of the same name
    body: dict[str, Any] = _body(
        status,
        error.code,
        error.message.format(**values),
        remedy=error.remedy.format(**values),
        field=error.field,
    )
    if isinstance(error, SchemaViolated):
        body["errors"] = [{"field": field, "code": code} for field, code in error.errors]
    figures = {name: _figure(value) for name, value in error.values.items()}
    if figures := {name: value for name, value in figures.items() if value is not None}:
        body["figures"] = figures
    return status, body


def respond(status: int, body: dict[str, Any] | str) -> Response:
    """A problem as it goes out; a text is one that was kept."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    response = Response(text, status, mimetype=MIMETYPE)
    code = "" if isinstance(body, str) else body["code"]
    if code in RETRY_AFTER_S:
        response.headers["Retry-After"] = str(RETRY_AFTER_S[code])
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def refuse(error: OpsError) -> Response:
    return respond(*problem_of(error))


def moved(_error: IllegalMove) -> Response:
    text = "Somebody or something was faster: the state has changed."
    return respond(409, _body(409, "state_changed", text, remedy="Read the object again."))


def conflict(error: IntegrityError) -> Response:
    """Two requests met on one row; the database let one pass."""
    log.warning("api.conflict", request_id=g.get("request_id"), exc_info=error)
    text = "Another request changed the same object just now."
    return respond(409, _body(409, "conflict", text, remedy="Read the object again."))


def unavailable(error: OperationalError) -> Response:
    log.error("api.unavailable", request_id=g.get("request_id"), exc_info=error)
    text = "The database does not answer; nothing was saved."
    return respond(503, _body(503, "unavailable", text, remedy="Send the same request again."))


def http(error: HTTPException) -> Response:
    status = error.code or 500
    code, text = _HTTP_CODES.get(status, ("http_error", HTTPStatus(status).phrase))
    response = respond(status, _body(status, code, text))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def fault(error: Exception) -> Response:
    route = str(request.url_rule)
    log.error("api.fault", request_id=g.get("request_id"), route=route, exc_info=error)
    end_reading()
    text = "Something went wrong on our side; nothing was saved."
    return respond(500, _body(500, "fault", text, remedy="Tell us the request_id."))


def _body(
    status: int, code: str, detail: str, *, remedy: str = "", field: str | None = None
) -> dict[str, Any]:
    body = {
        "type": f"{TYPES}{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": str(g.get("request_id", "")),
    }
    if remedy:
        body["remedy"] = remedy
    if field:
        body["field"] = field
    return body


def _ours(error: Any) -> tuple[int | str, ...]:
    """Where it is, in names of ours: one that nobody knows was sent, and is not repeated."""
    location: tuple[int | str, ...] = error["loc"]
    return location[:-1] if error["type"] == "extra_forbidden" else location


def _place(source: str, location: tuple[int | str, ...]) -> str:
    named = [str(part) for part in location if isinstance(part, int) or part.isidentifier()]
    return ".".join([source, *named[:6]])


def _unsent(value: object) -> object:
    """A text that was sent is not repeated."""
    is_sent = isinstance(value, str) and value and value in g.get("sent", "")
    return "…" if is_sent else value


def _figure(value: object) -> int | None:
    """What a program may want to reckon with; texts may hold what was sent."""
    if isinstance(value, Money):
        return value.minor
    return value if isinstance(value, int) and not isinstance(value, bool) else None
