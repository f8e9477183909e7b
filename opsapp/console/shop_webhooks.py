"""Webhooks to the shop: its addresses, their secrets, and the log of what was sent.

A secret is on one page once: the answer to the request that made it.
"""

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from opsapp.console import access, errors, forms, frame, shop_webhook_words as say
from opsapp.console.access import requires
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.shop_events import disabling, queries, registering, replaying, rules
from opsapp.shop_events.registering import EndpointWish
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("shop_webhooks", __name__, url_prefix="/settings/webhooks")

PAGE_SIZE = 50
TYPES: list[Any] = [name for name in rules.TYPES if name != rules.TRIAL]
SPANS: list[Any] = ["1", "6", "24", "72", "168"]
ACTIONS = "<any(test,enable,disable):action>"


class EndpointForm(FlaskForm):
    """No type chosen: all."""

    url = StringField(validators=[InputRequired(message="Enter an address."), Length(max=2000)])
    note = StringField(validators=[Length(max=rules.NOTE_LENGTH_MAX)])
    types = SelectMultipleField(choices=TYPES)

    def wish(self) -> EndpointWish:
        return EndpointWish(
            (self.url.data or "").strip(), list(self.types.data or []), self.note.data or ""
        )


class ReplayForm(FlaskForm):
    """`hours`: of events that happened in the last so many."""

    hours = SelectField(choices=SPANS, default="24")


@routes.get("/")
@requires(Permission.MANAGE_WEBHOOKS)
def show_list() -> str:
    return _list_page(EndpointForm(formdata=None))


@routes.post("/")
@requires(Permission.MANAGE_WEBHOOKS)
def register() -> str | tuple[str, int]:
    form = EndpointForm()
    if not form.validate_on_submit():
        return _list_page(form), 422
    try:
        with transaction():
            endpoint_id, secret = registering.register(form.wish(), by=access.current_actor())
    except OpsError as error:
        return _refused(form, error), error.http_status
    return _page(endpoint_id, secret=secret)


@routes.get("/<id:endpoint_id>")
@requires(Permission.MANAGE_WEBHOOKS)
def show(endpoint_id: int) -> str:
    return _page(endpoint_id)


@routes.post("/<id:endpoint_id>")
@requires(Permission.MANAGE_WEBHOOKS)
def change(endpoint_id: int) -> Response | tuple[str, int]:
    form = EndpointForm()
    if not form.validate_on_submit():
        return _page(endpoint_id, form), 422
    try:
        with transaction():
            registering.change(endpoint_id, form.wish(), by=access.current_actor())
    except OpsError as error:
        form[error.field if error.field in form else "url"].errors = [errors.told(error)]
        return _page(endpoint_id, form), error.http_status
    return redirect(url_for(".show", endpoint_id=endpoint_id, done="changed"))


@routes.post("/<id:endpoint_id>/secret")
@requires(Permission.MANAGE_WEBHOOKS)
def renew_secret(endpoint_id: int) -> str:
    with transaction():
        secret = registering.renew_secret(endpoint_id, by=access.current_actor())
    return _page(endpoint_id, secret=secret)


@routes.post(f"/<id:endpoint_id>/{ACTIONS}")
@requires(Permission.MANAGE_WEBHOOKS)
def act(endpoint_id: int, action: str) -> Response:
    with transaction():
        _do(endpoint_id, action, access.current_actor())
    return redirect(url_for(".show", endpoint_id=endpoint_id, done=action))


@routes.post("/<id:endpoint_id>/replay")
@requires(Permission.MANAGE_WEBHOOKS)
def replay_missed(endpoint_id: int) -> Response | tuple[str, int]:
    form = ReplayForm()
    if not form.validate_on_submit():
        return _page(endpoint_id), 422
    with transaction():
        since = frame.now() - timedelta(hours=int(form.hours.data))
        replaying.replay_missed(endpoint_id, since, by=access.current_actor())
    return redirect(url_for(".show", endpoint_id=endpoint_id, done="replayed"))


@routes.post("/deliveries/<id:delivery_id>")
@requires(Permission.MANAGE_WEBHOOKS)
def replay(delivery_id: int) -> Response:
    with transaction():
        endpoint_id = queries.get_delivery(delivery_id).endpoint_id
        replaying.replay(delivery_id, by=access.current_actor())
    return redirect(url_for(".show", endpoint_id=endpoint_id, done="again", _anchor="log"))


def _do(endpoint_id: int, action: str, by: Actor) -> None:
    match action:
        case "test":
            replaying.send_trial(endpoint_id, by=by)
        case "enable":
            disabling.enable(endpoint_id, by=by)
        case _:
            disabling.disable(endpoint_id, by=by)


def _refused(form: EndpointForm, error: OpsError) -> str:
    form[error.field if error.field in form else "url"].errors = [errors.told(error)]
    return _list_page(form)


def _list_page(form: EndpointForm) -> str:
    endpoints = queries.list_endpoints()
    return render_template(
        "console/shop_webhooks/list.html",
        endpoints=endpoints,
        disabled=[each for each in endpoints if each.status == "disabled"],
        open=queries.count_open(),
        form=form,
        types=TYPES,
        names=staff.names_of_actors(each.created_by for each in endpoints),
    )


def _page(endpoint_id: int, form: EndpointForm | None = None, *, secret: str = "") -> str:
    endpoint = queries.get_endpoint(endpoint_id)
    status = forms.choice("status", say.STATUS, "")
    is_get = request.method == "GET"
    return render_template(
        "console/shop_webhooks/detail.html",
        endpoint=endpoint,
        secrets=queries.list_secrets([endpoint_id], frame.now()),
        secret=secret,
        page=queries.page_deliveries(
            endpoint_id=endpoint_id,
            cursor=request.args.get("cursor") if is_get else None,
            size=PAGE_SIZE,
            status=status,
        ),
        form=form or EndpointForm(formdata=None, obj=endpoint),
        replay_form=ReplayForm(formdata=None),
        types=TYPES,
        status=status,
        statuses=say.STATUS,
        views=[("", _("All")), *((key, _(text)) for key, text in say.STATUS.items())],
        done=say.DONE.get(forms.choice("done", say.DONE, ""), "") if is_get else "",
    )
