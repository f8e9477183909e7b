"""Keys of the shop's programs: made with their scopes, rotated with an overlap, revoked.

A secret is on one page once: the answer to the request that made it.
"""

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from opsapp.console import access, errors
from opsapp.console.access import requires
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.programs import issuing, queries
from opsapp.programs.issuing import MadeKey
from opsapp.programs.rules import Scope
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("api_keys", __name__, url_prefix="/settings/api-keys")

SCOPES: list[Any] = [scope.value for scope in Scope]
LIVES: list[Any] = ["", "30", "90", "365"]
OVERLAPS: list[Any] = ["0", "1", "24", "168"]


class NewKeyForm(FlaskForm):
    """`life` is in days; empty: until it is revoked."""

    name = StringField(validators=[InputRequired(message="Enter a name."), Length(max=60)])
    scopes = SelectMultipleField(
        choices=SCOPES, validators=[InputRequired(message="Choose what it may do.")]
    )
    life = SelectField(choices=LIVES, default="")


class RotateForm(FlaskForm):
    """`overlap` is in hours."""

    overlap = SelectField(choices=OVERLAPS, default="24")


class RevokeForm(FlaskForm):
    because = StringField(validators=[Length(max=200)])


@routes.get("/")
@requires(Permission.MANAGE_API_KEYS)
def show_list() -> str:
    return _page(NewKeyForm(formdata=None))


@routes.post("/")
@requires(Permission.MANAGE_API_KEYS)
def make() -> str | tuple[str, int]:
    form = NewKeyForm()
    if not form.validate_on_submit():
        return _page(form), 422
    life = timedelta(days=int(form.life.data)) if form.life.data else None
    name, scopes, by = form.name.data or "", form.scopes.data or [], access.current_actor()
    try:
        with transaction():
            made = issuing.make(name, scopes, by=by, expires_in=life)
    except OpsError as error:
        form.name.errors = [errors.told(error)]
        return _page(form), error.http_status
    return _page(NewKeyForm(formdata=None), made)


@routes.post("/<id:key_id>/rotate")
@requires(Permission.MANAGE_API_KEYS)
def rotate(key_id: int) -> str | tuple[str, int]:
    form = RotateForm()
    if not form.validate_on_submit():
        return _page(NewKeyForm(formdata=None)), 422
    overlap = timedelta(hours=int(form.overlap.data))
    with transaction():
        made = issuing.rotate(key_id, overlap=overlap, by=access.current_actor())
    return _page(NewKeyForm(formdata=None), made)


@routes.post("/<id:key_id>/revoke")
@requires(Permission.MANAGE_API_KEYS)
def revoke(key_id: int) -> Response:
    because = (RevokeForm().because.data or "")[:200]
    with transaction():
        issuing.revoke(key_id, because=because, by=access.current_actor())
    return redirect(url_for(".show_list"))


def _page(form: NewKeyForm, made: MadeKey | None = None) -> str:
    lines = queries.list_keys()
    return render_template(
        "console/api_keys/list.html",
        form=form,
        made=made,
        lines=lines,
        scopes=SCOPES,
        names=staff.names_of_actors(line.ApiKey.created_by for line in lines),
    )
