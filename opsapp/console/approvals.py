"""What waits for a second person: who asked, how much moves, until when; and the decision."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.approvals import deciding, queries
from opsapp.approvals.queries import VIEWS
from opsapp.console import access, approval_words, errors, forms
from opsapp.console.access import requires
from opsapp.insights import listing_points, showing_approvals
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("approvals", __name__, url_prefix="/approvals")

Answer = str | Response | tuple[str, int]


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    view, me = forms.choice("view", VIEWS, "waiting"), str(access.current_actor())
    page = queries.list_approvals(view, me=me, cursor=request.args.get("cursor"))
    return render_template(
        "console/approvals/list.html",
        page=page,
        view=view,
        views=VIEWS,
        points_to_decide=listing_points.count_to_decide(),
        done=forms.choice("done", approval_words.DONE, ""),
        **_around(page.rows),
    )


@routes.get("/<id:approval_id>")
@requires(Permission.VIEW)
def show(approval_id: int) -> str:
    return _page(approval_id)


@routes.post("/<id:approval_id>/<any(approve,return):action>")
@requires(Permission.APPROVE_REFUNDS)
def decide(approval_id: int, action: str) -> Answer:
    comment, by = forms.text("comment", request.form), access.current_actor()
    try:
        with transaction():
            if action == "approve":
                deciding.approve(approval_id, comment=comment, by=by)
            else:
                deciding.send_back(approval_id, comment=comment, by=by)
    except OpsError as error:
        return _page(approval_id, errors.told(error)), error.http_status
    return redirect(url_for(".show_list", done=action))


@routes.post("/<id:approval_id>/withdraw")
@requires(Permission.VIEW)
def withdraw(approval_id: int) -> Answer:
    """By whoever asked for it, whatever it is about."""
    try:
        with transaction():
            deciding.withdraw(approval_id, by=access.current_actor())
    except OpsError as error:
        return _page(approval_id, errors.told(error)), error.http_status
    return redirect(url_for(".show_list", done="withdraw"))


@routes.post("/<id:approval_id>/bypass")
@requires(Permission.BYPASS_APPROVALS)
def bypass(approval_id: int) -> Answer:
    """An emergency, decided alone."""
    reason = forms.text("comment", request.form)
    try:
        with transaction():
            deciding.bypass(approval_id, reason=reason, by=access.current_actor())
    except OpsError as error:
        return _page(approval_id, errors.told(error)), error.http_status
    return redirect(url_for(".show_list", done="bypass"))


def _page(approval_id: int, notice: str = "") -> str:
    row = queries.get_approval(approval_id)
    return render_template("console/approvals/show.html", a=row, notice=notice, **_around([row]))


def _around(rows: Iterable[Any]) -> dict[str, Any]:
    asked = list(rows)
    people = [name for row in asked for name in (row.requested_by, row.decided_by) if name]
    return {
        "about": showing_approvals.list_subjects(asked),
        "names": staff.names_of_actors(people),
        "told": approval_words,
        "me": str(access.current_actor()),
    }
