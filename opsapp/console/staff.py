from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors
from opsapp.console.access import requires
from opsapp.console.forms import NewAccountForm
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff import inviting, queries, rules, sessions
from opsapp.staff.inviting import NewAccount
from opsapp.staff.rules import Permission, Role

routes = Blueprint("staff", __name__, url_prefix="/staff")


@routes.get("/")
@requires(Permission.MANAGE_STAFF)
def show_list() -> str:
    return _page(NewAccountForm(formdata=None))


@routes.post("/")
@requires(Permission.MANAGE_STAFF)
def create() -> Response | tuple[str, int]:
    form = NewAccountForm()
    if not form.validate_on_submit():
        return _page(form), 422
    wish = NewAccount(
        email=form.email.data or "",
        name=form.name.data or "",
        role=Role(form.role.data),
        password=form.password.data or "",
    )
    try:
        with transaction():
            inviting.create_account(wish, by=access.current_actor())
    except OpsError as error:
        form[error.field or "email"].errors = [errors.told(error)]
        return _page(form), error.http_status
    return redirect(url_for(".show_list"))


@routes.post("/<id:account_id>/<any(disable,enable,end_sessions):action>")
@requires(Permission.MANAGE_STAFF)
def act(account_id: int, action: str) -> Response:
    because, by = request.form.get("because", "")[:200], access.current_actor()
    with transaction():
        match action:
            case "disable":
                inviting.disable(account_id, because=because, by=by)
            case "enable":
                inviting.enable(account_id, because=because, by=by)
            case _:
                sessions.end_all(account_id, because=because, by=by)
    return redirect(url_for(".show_list"))


def _page(form: NewAccountForm) -> str:
    return render_template(
        "console/staff/list.html",
        accounts=queries.list_accounts(),
        form=form,
        rights=rules.PERMISSIONS,
        all_rights=list(Permission),
    )
