"""Who may pass: a key, the scope that every route declares, and a brake for each key.

A declared route parses what it was sent, runs its view, and writes what the view gives back. A
POST runs in one transaction with its kept answer; a GET writes nothing.
"""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from opsapp.api import document, errors, idempotency
from opsapp.api.document import Operation
from opsapp.api.errors import (
    NotAuthenticated,
    RateLimited,
    SchemaViolated,
    ScopeMissing,
    UnsupportedMediaType,
)
from opsapp.api.idempotency import ActTogether, Call
from opsapp.kernel import jobs
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import end_reading, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.gathering import Gathering
from opsapp.kernel.log import origin
from opsapp.programs import installing, issuing, queries, rules
from opsapp.programs.answering import Answer, Asked
from opsapp.programs.queries import KnownKey
from opsapp.programs.rules import Scope
from opsapp.settings import current

PREFIX = "/api/"
SEEN_EVERY_S = 60  # a key is written as used at most this often
RECALLED_S = 1.0
TOGETHER_MAX = 32

Q = TypeVar("Q", bound=BaseModel)

View = Callable[..., BaseModel]
Served = Callable[..., Response]

_recalled: dict[str, tuple[KnownKey, float]] = {}
_BEARER = re.compile(r"Bearer +([!-~]{8,200})", re.IGNORECASE)


class UndeclaredRoute(RuntimeError):
    """A programming error: a route of this door names no scope."""


def scoped(
    scope: Scope | str,
    name: str,
    *,
    answers: type[BaseModel],
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    status: int = 200,
    together: ActTogether | None = None,
) -> Callable[[View], Served]:
    """Declare a route: its scope, its operationId, what it takes and what it gives back.

    The view gets `body` and `query` as they were declared and returns an `answers`. Views of a
    POST, PATCH or DELETE are called inside transaction(); of a POST that many send at once,
    `together` answers those it can in one of them, and the view the others.
    """
    operation = Operation(name, Scope(scope), answers, body, query, status)
    gathering = _gathering(together, status) if together is not None else None

    def declare(view: View) -> Served:
        @wraps(document.describe(view, operation))
        def serve(**values: Any) -> Response:
            if query is not None:
                values["query"] = read_query(query)
            if body is not None:
                values["body"] = read_body(body)
            if request.method == "POST":
                asked = idempotency.read_asked(key().id, values.get("body"))
                if gathering is not None:
                    if (answer := _ask_together(gathering, asked, values["body"])) is not None:
                        return idempotency.first(answer)
                    _look_up(again=True)
                return idempotency.once(asked, lambda: view(**values), status)
            if request.method in ("GET", "HEAD"):
                return _json(view(**values), status)
            with transaction():
                told = view(**values)
            return _json(told, status)

        serve.operation = operation  # type: ignore[attr-defined]
        serve.is_gathered = gathering is not None  # type: ignore[attr-defined]
        return serve

    return declare


def key() -> KnownKey:
    """The key of the program that asks; only behind a declared route."""
    known: KnownKey = g.api_key
    return known


def current_actor() -> Actor:
    return Actor("program", key().ref)


def may(scope: Scope) -> bool:
    return scope.value in key().scopes


def operation_of(endpoint: str) -> Operation | None:
    found: Operation | None = getattr(current_app.view_functions[endpoint], "operation", None)
    return found


def list_operations() -> dict[str, Operation]:
    """By operationId."""
    found = [operation_of(rule.endpoint) for rule in current_app.url_map.iter_rules()]
    return {operation.name: operation for operation in found if operation is not None}


def read_body(model: type[Q]) -> Q:
    """Raises UnsupportedMediaType, NotJson, SchemaViolated, RequestEntityTooLarge."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    data = request.get_data(cache=False)
    g.sent = data.decode(errors="replace")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise errors.violated(error, source="body") from None


def read_query(model: type[Q]) -> Q:
    """A name given twice is a list only where the document has one. Raises SchemaViolated."""
    lists = {n for n, f in model.model_fields.items() if "list" in str(f.annotation)}
    values: dict[str, Any] = {}
    for name, found in request.args.lists():
        if name in lists:
            values[name] = [part for each in found for part in each.split(",")]
        elif len(found) == 1:
            values[name] = found[0]
        else:
            raise SchemaViolated([("query", "repeated")])
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise errors.violated(error, source="query") from None


def install(app: Flask) -> None:
    app.before_request(_guard)


def refuse_undeclared(app: Flask) -> None:
    """Raises UndeclaredRoute: asked once, at start."""
    missing = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        and not hasattr(app.view_functions[rule.endpoint], "operation")
    ]
    if missing:
        raise UndeclaredRoute(f"no @scoped: {', '.join(sorted(missing))}")


def _guard() -> Response | None:
    """Runs before every view; what no route takes is told in this door's way too."""
    if not request.path.startswith(PREFIX):
        return None
    missed = request.routing_exception
    if isinstance(missed, HTTPException) and not isinstance(missed, RequestRedirect):
        return errors.http(missed)
    if request.endpoint is None or not request.endpoint.startswith("api."):
        return None
    try:
        _let_in()
    except OpsError as refusal:
        return errors.refuse(refusal)
    return None


def _let_in() -> None:
    """Raises NotAuthenticated, InstallationDiffers, RateLimited, ScopeMissing."""
    # What is gathered asks whether the key is good in its own transaction.
    is_gathered = getattr(current_app.view_functions[str(request.endpoint)], "is_gathered", False)
    known = _look_up(again=not is_gathered)
    count = jobs.count_within(f"api:{known.id}", seconds=1)
    if count is not None and count > current().api_rate_per_s_max:
        raise RateLimited
    operation = operation_of(str(request.endpoint))
    if operation is not None and operation.scope.value not in known.scopes:
        raise ScopeMissing(scope=operation.scope.value)
    if known.used_s_ago is None or known.used_s_ago >= SEEN_EVERY_S:
        with transaction():
            issuing.note_use(known.id)
        _recalled[known.prefix] = replace(known, used_s_ago=0.0), time.monotonic()


def _look_up(*, again: bool) -> KnownKey:
    """The key that was sent, as it is now or was a second ago. Raises NotAuthenticated and
    InstallationDiffers.
    """
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    secret = found[1] if found else ""
    prefix = rules.prefix_of(secret)
    known, read_at = (None, 0.0) if again else _recalled.get(prefix, (None, 0.0))
    if known is None or time.monotonic() > read_at + RECALLED_S:
        known = queries.find_key(prefix) if secret else None
        if known is not None:
            _recalled[prefix] = known, time.monotonic()
    if known is None or not rules.fits(secret, known.secret_hash):
        raise NotAuthenticated
    installing.check(known.livemode)
    g.api_key = known
    return known


def _gathering(together: ActTogether, status: int) -> Gathering[Call, Answer]:
    return Gathering(
        lambda calls: idempotency.once_together(calls, together, status),
        alike=lambda call: call.asked.key_id,
        at_most=TOGETHER_MAX,
    )


def _ask_together(
    gathering: Gathering[Call, Answer], asked: Asked, body: BaseModel
) -> Answer | None:
    end_reading()
    return gathering.ask(Call(asked, body, current_actor(), origin.get()))


def _json(answer: BaseModel, status: int) -> Response:
    return Response(answer.model_dump_json(), status, mimetype="application/json")
