"""The OpenAPI document: what the routes declare, and what they all share.

spectree reads the routes and the models; nothing of it runs in a request. What it has no word for
is added here: problems, the Idempotency-Key, the form of references, links between operations.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from spectree import Response as Answers, SpecTree

from opsapp.api import idempotency
from opsapp.api.schemas import Problem
from opsapp.programs.rules import Scope

VERSION = "1.0.0"
REF_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$"

_PROBLEMS = {
    400: "It cannot be read, or its Idempotency-Key is missing.",
    401: "No API key that is good now.",
    403: "The key lacks the scope.",
    404: "No such object.",
    409: "Allowed by this document, but not here and now: see `code`.",
    413: "More than 256 kB.",
    415: "The body is not application/json.",
    422: "Not as this document describes it.",
    429: "More requests than are taken: see Retry-After.",
    503: "Try again: see Retry-After.",
}
_OF_BODIES = (413, 415)
_OF_CHANGES = (409,)

SPEC = SpecTree(
    "flask",
    title="opsapp",
    description=(
        "Payment operations for the programs of the shop. Amounts are whole minor units (won), "
        "moments are UTC. Every POST needs an `Idempotency-Key`; repeated with the same one it is "
        "answered again and done once."
    ),
    version=VERSION,
    path="api/_pages",
    page_templates={},
    mode="strict",
    annotations=False,
    naming_strategy=lambda model: str(model.__name__),
    nested_naming_strategy=lambda _parent, child: str(child),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says about a route."""

    name: str
    scope: Scope
    answers: type[BaseModel]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    status: int


@dataclass(frozen=True, slots=True)
class Link:
    """A field of an answer is a parameter of other operations."""

    source: str
    parameter: str
    targets: tuple[str, ...]
    field: str = "id"


LINKS: tuple[Link, ...] = (
    Link(
        "createCustomer",
        "customer_id",
        ("getCustomer", "updateCustomer", "getPoints", "earnPoints", "listPointEntries"),
    ),
    Link("listCustomers", "customer_id", ("getCustomer", "getPoints"), "data/0/id"),
    Link(
        "createPaymentMethod",
        "payment_method_id",
        ("getPaymentMethod", "makeDefaultPaymentMethod", "deletePaymentMethod"),
    ),
    Link("listPaymentMethods", "payment_method_id", ("getPaymentMethod",), "data/0/id"),
    Link("createOrder", "order_id", ("getOrder", "createOrderRefund", "listOrderRefunds")),
    Link("createCheckout", "checkout_id", ("getCheckout", "cancelCheckout")),
    Link(
        "createSubscription",
        "subscription_id",
        (
            "getSubscription",
            "pauseSubscription",
            "resumeSubscription",
            "cancelSubscription",
            "changeSubscriptionMethod",
        ),
    ),
    Link("listOrders", "order_id", ("getOrder", "listOrderRefunds"), "data/0/id"),
    Link(
        "createWebhookEndpoint",
        "endpoint_id",
        (
            "getWebhookEndpoint",
            "listWebhookDeliveries",
            "disableWebhookEndpoint",
            "enableWebhookEndpoint",
            "replayWebhooks",
            "renewWebhookSecret",
            "testWebhookEndpoint",
        ),
    ),
    Link("listEvents", "event_id", ("getEvent",), "data/0/id"),
    Link("listPayments", "payment_id", ("getPayment",), "data/0/id"),
    Link("listVirtualAccounts", "payment_id", ("getVirtualAccount",), "data/0/payment"),
    Link("createRefund", "refund_id", ("getRefund",)),
)
_BUILT: dict[str, Any] = {}


def describe(view: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    """The view with what spectree has to know of it."""
    answers: dict[str, Any] = {f"HTTP_{operation.status}": operation.answers}
    described: Callable[..., Any] = SPEC.validate(
        query=operation.query,
        json=operation.body,
        resp=Answers(**answers),
        tags=(operation.scope.partition(":")[0],),
        operation_id=operation.name,
        validation_error_status=422,
        skip_validation=True,
    )(view)
    return described


def find_built(operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Built once in a process: the routes do not change."""
    if not _BUILT:
        _BUILT.update(build(operations))
    return _BUILT


def build(operations: Mapping[str, Operation]) -> dict[str, Any]:
    """The whole document; `operations` by operationId. Asked inside an application context."""
    found: dict[str, Any] = SPEC.spec
    document = found | {"servers": [{"url": "/"}], "security": [{"api_key": []}]}
    document["paths"] = dict(sorted(document["paths"].items()))
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = problem.pop("$defs")
    document["components"]["schemas"].update(parts | {"Problem": problem})
    document["components"]["securitySchemes"] = {
        "api_key": {"type": "http", "scheme": "bearer", "description": "An API key."}
    }
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            operation = operations[described["operationId"]]
            _complete(described, path, method, operation)
    _leave_out_unused(document)
    return document


def _leave_out_unused(document: dict[str, Any]) -> None:
    """What only parameters were made of, and spectree's own words for an error."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    while True:
        told = json.dumps(document)
        unused = [name for name in schemas if f'"#/components/schemas/{name}"' not in told]
        if not unused:
            return
        for name in unused:
            del schemas[name]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; there is no null in an address."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if not choices:
        return schema
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    chosen: dict[str, Any] = choices[0]
    return kept | chosen


def _complete(described: dict[str, Any], path: str, method: str, operation: Operation) -> None:
    described["description"] = (
        f"{described['description']}\n\nScope: `{operation.scope.value}`.".strip()
    )
    described["security"] = [{"api_key": []}]
    for parameter in described["parameters"]:
        if not parameter["description"]:
            parameter.pop("description")
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "string", "pattern": REF_PATTERN}
        else:
            parameter["schema"] = _present(parameter["schema"])
    if method == "post":
        described["parameters"].append(_idempotency_key())
    for status in _statuses(path, method, operation):
        described["responses"][str(status)] = _problem(status)
    described["responses"] = dict(sorted(described["responses"].items()))
    links = {
        target: {
            "operationId": target,
            "parameters": {each.parameter: f"$response.body#/{each.field}"},
        }
        for each in LINKS
        if each.source == operation.name
        for target in each.targets
    }
    if links:
        described["responses"][str(operation.status)]["links"] = links


def _statuses(path: str, method: str, operation: Operation) -> list[int]:
    left_out = {404} if "{" not in path and method == "get" and not operation.query else set()
    if operation.body is None:
        left_out.update(_OF_BODIES)
    if method == "get":
        left_out.update(_OF_CHANGES)
    return [status for status in _PROBLEMS if status not in left_out]


def _problem(status: int) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    if status in (429, 503):
        problem["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return problem


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": idempotency.HEADER,
        "in": "header",
        "required": True,
        "description": "Random; the same again repeats the request without doing it twice.",
        "schema": {"type": "string", "pattern": idempotency.PATTERN},
    }
