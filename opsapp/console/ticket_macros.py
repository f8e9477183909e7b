from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors
from opsapp.console.access import requires
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.tickets import editing_macros, queries, rules
from opsapp.tickets.editing_macros import MacroWish

routes = Blueprint("ticket_macros", __name__, url_prefix="/settings/macros")

Answer = str | Response | tuple[str, int]


@routes.get("/")
@requires(Permission.LEAD_TICKETS)
def show_list() -> str:
    macros = queries.list_macros(with_retired=True)
    names = staff.names_of_actors(macro.changed_by for macro in macros)
    return render_template("console/ticket_macros/list.html", macros=macros, names=names)


@routes.get("/new")
@requires(Permission.LEAD_TICKETS)
def show_new() -> str:
    return _form(MacroWish("", "", ""), None)


@routes.post("/new")
@requires(Permission.LEAD_TICKETS)
def add() -> Answer:
    wish = _wish()
    try:
        with transaction():
            editing_macros.add(wish, by=access.current_actor())
    except OpsError as error:
        return _form(wish, None, errors.told(error)), error.http_status
    return redirect(url_for(".show_list"))


@routes.get("/<id:macro_id>")
@requires(Permission.LEAD_TICKETS)
def show(macro_id: int) -> str:
    macro = queries.get_macro(macro_id)
    return _form(MacroWish(macro.name, macro.text_ko, macro.text_en), macro_id)


@routes.post("/<id:macro_id>")
@requires(Permission.LEAD_TICKETS)
def change(macro_id: int) -> Answer:
    wish = _wish()
    try:
        with transaction():
            editing_macros.change(macro_id, wish, by=access.current_actor())
    except OpsError as error:
        return _form(wish, macro_id, errors.told(error)), error.http_status
    return redirect(url_for(".show_list"))


@routes.post("/<id:macro_id>/<any(retire,restore):action>")
@requires(Permission.LEAD_TICKETS)
def set_active(macro_id: int, action: str) -> Response:
    with transaction():
        editing_macros.set_active(
            macro_id, is_active=action == "restore", by=access.current_actor()
        )
    return redirect(url_for(".show_list"))


def _wish() -> MacroWish:
    return MacroWish(*(request.form.get(name, "") for name in ("name", "text_ko", "text_en")))


def _form(wish: MacroWish, macro_id: int | None, refusal: str = "") -> str:
    return render_template(
        "console/ticket_macros/form.html",
        wish=wish,
        macro_id=macro_id,
        refusal=refusal,
        places=rules.PLACES,
        text_limit=rules.TEXT_LENGTH_MAX,
    )
