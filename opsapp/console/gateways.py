from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms, gateway_words
from opsapp.console.access import requires
from opsapp.console.forms import RouteForm
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.routing import editing, pausing, queries
from opsapp.routing.editing import NewRoute
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("gateways", __name__, url_prefix="/settings/gateways")

# What staff may do in which state; the room decides again under its lock.
ACTIONS = {
    "closed": ("pause",),
    "open": ("try_now", "pause"),
    "probing": ("pause",),
    "paused": ("resume",),
}


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str:
    return _page(RouteForm(formdata=None))


@routes.post("/<gateway_name>/<any(pause,resume,try_now):action>")
@requires(Permission.MANAGE_GATEWAYS)
def act(gateway_name: str, action: str) -> Response | tuple[str, int]:
    because, by = forms.text("because", request.form), access.current_actor()
    try:
        with transaction():
            _do(gateway_name, action, because, by)
    except OpsError as error:
        refused = {gateway_name: errors.told(error)}
        return _page(RouteForm(formdata=None), refused=refused), error.http_status
    return redirect(url_for(".show"))


@routes.post("/routes")
@requires(Permission.MANAGE_GATEWAYS)
def add_route() -> Response | tuple[str, int]:
    form = RouteForm()
    if not form.validate_on_submit():
        return _page(form), 422
    try:
        with transaction():
            editing.add_route(_wish(form), by=access.current_actor())
    except OpsError as error:
        form[_FIELDS.get(error.field or "", "gateway_name")].errors = [errors.told(error)]
        return _page(form), error.http_status
    return redirect(url_for(".show", _anchor="routes"))


@routes.post("/routes/<id:route_id>/<any(move_up,activate,deactivate):action>")
@requires(Permission.MANAGE_GATEWAYS)
def change_route(route_id: int, action: str) -> Response:
    by = access.current_actor()
    with transaction():
        if action == "move_up":
            editing.move_up(route_id, by=by)
        else:
            editing.set_active(route_id, action == "activate", by=by)
    return redirect(url_for(".show", _anchor="routes"))


_FIELDS = {"method_kind": "method_kind", "currency": "currency", "amount_to_minor": "amount_to"}


def _do(gateway_name: str, action: str, because: str, by: Actor) -> None:
    match action:
        case "pause":
            pausing.pause(gateway_name, because=because, by=by)
        case "resume":
            pausing.resume(gateway_name, because=because, by=by)
        case _:
            pausing.try_now(gateway_name, because=because, by=by)


def _wish(form: RouteForm) -> NewRoute:
    first, last = form.ends
    return NewRoute(
        method_kind=form.method_kind.data,
        currency=form.currency.data or "",
        gateway_name=form.gateway_name.data,
        amount_from_minor=first,
        amount_to_minor=last,
    )


def _page(form: RouteForm, *, refused: dict[str, str] | None = None) -> str:
    gateways = queries.list_pictures()
    return render_template(
        "console/gateways/page.html",
        gateways=gateways,
        actions=ACTIONS,
        told=gateway_words,
        routes=queries.list_routes(),
        form=form,
        refused=refused or {},
        names=staff.names_of_actors(each.circuit.changed_by for each in gateways),
    )
