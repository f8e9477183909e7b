"""The staff's door: sign in, look, act. Views parse, ask one room to act, and render."""

from flask import Blueprint, Flask
from flask_bootstrap import Bootstrap5
from werkzeug.routing import IntegerConverter, Map

from opsapp.console import (
    access,
    api_keys,
    approvals,
    audit,
    bulk,
    calendar,
    cash_receipts,
    cells,
    consents,
    counts,
    customers,
    deposits,
    errors,
    exports,
    failures,
    frame,
    gateways,
    glossary,
    home,
    jobs,
    lists,
    money_policies,
    notes,
    notice_templates,
    notifications,
    operations,
    order_page,
    orders,
    parts,
    payments,
    plans,
    points,
    preferences,
    recovery,
    recovery_policies,
    refunds,
    runs,
    search,
    sellers,
    shop_webhooks,
    signing_in,
    staff,
    subscription_changes,
    subscriptions,
    terms,
    ticket_macros,
    tickets,
    tour,
    uncertain,
    webhooks,
)
from opsapp.kernel.money import BIGINT_MAX

NOUNS = (
    home, search, lists, signing_in, preferences, counts, glossary, parts, payments,
    orders, order_page, cash_receipts, refunds, deposits, uncertain,
    subscriptions, recovery, recovery_policies, subscription_changes, plans, sellers,
    customers, notes, points, notifications,
    notice_templates, tickets, ticket_macros, webhooks, jobs,
    runs, calendar, bulk, gateways, failures, terms, consents, audit, staff, api_keys,
    shop_webhooks, exports, tour, approvals, money_policies,
)  # fmt: skip


class RowId(IntegerConverter):
    """A row's number: what does not fit in a bigint is no address of ours."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=BIGINT_MAX)


def install(app: Flask) -> None:
    """Hang the door into the application. Raises UndeclaredRoute if a route names no permission."""
    app.url_map.converters["id"] = RowId
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    frame.install(app)
    app.jinja_env.globals["cells"] = cells
    access.install(app)
    console = Blueprint("console", __name__, url_prefix="/console")
    for noun in NOUNS:
        console.register_blueprint(noun.routes)
    app.register_blueprint(console)
    app.register_blueprint(operations.routes)
    errors.install(app)
    access.refuse_undeclared(app)
