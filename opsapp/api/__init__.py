"""DOOR for the shop's programs: JSON under /api/v1, described in /api/openapi.json."""

from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException

from opsapp.api import (
    access,
    catalog,
    checkouts,
    customers,
    document,
    errors,
    events,
    orders,
    payment_methods,
    payments,
    points,
    subscriptions,
    webhook_endpoints,
)
from opsapp.kernel.errors import OpsError
from opsapp.kernel.states import IllegalMove

NOUNS = (
    customers, payment_methods, catalog, orders, checkouts, payments, subscriptions, points,
    events, webhook_endpoints,
)  # fmt: skip

# Named so that neither the guard nor spectree takes it for a route of the API itself.
_document = Blueprint("openapi", __name__)


@_document.get("/api/openapi.json")
def show_document() -> Response:
    """Public: it says what can be asked for, and nothing about anybody."""
    return jsonify(document.find_built(access.list_operations()))


def install(app: Flask) -> None:
    """Hang the door into the application. Raises UndeclaredRoute if a route names no scope."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    for noun in NOUNS:
        api.register_blueprint(noun.routes)
    api.register_error_handler(OpsError, errors.refuse)
    api.register_error_handler(IllegalMove, errors.moved)
    api.register_error_handler(IntegrityError, errors.conflict)
    api.register_error_handler(OperationalError, errors.unavailable)
    api.register_error_handler(HTTPException, errors.http)
    api.register_error_handler(Exception, errors.fault)
    app.register_blueprint(api)
    app.register_blueprint(_document)
    access.install(app)
    access.refuse_undeclared(app)
