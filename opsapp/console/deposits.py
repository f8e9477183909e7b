from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, deposit_words, errors, forms, lists
from opsapp.console.access import requires
from opsapp.insights import listing_deposits
from opsapp.kernel.db import transaction
from opsapp.payments import accepting
from opsapp.payments.errors import NotAcceptable
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("deposits", __name__, url_prefix="/deposits")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    tab = forms.choice("tab", deposit_words.TABS, "awaiting")
    opened = lists.open_list("deposits" if tab == "awaiting" else "cases")
    return render_template("console/deposits/list.html", desk=deposit_words, **opened.values)


@routes.get("/<id:unmatched_id>")
@requires(Permission.VIEW)
def show(unmatched_id: int) -> str:
    return _detail(unmatched_id)


@routes.post("/<id:unmatched_id>/accept")
@requires(Permission.REFUND)
def accept(unmatched_id: int) -> Response | tuple[str, int]:
    try:
        with transaction():
            accepting.accept_unmatched(unmatched_id, by=access.current_actor())
    except NotAcceptable as error:
        return _detail(unmatched_id, errors.told(error)), error.http_status
    return redirect(url_for(".show", unmatched_id=unmatched_id))


def _detail(unmatched_id: int, notice: str = "") -> str:
    picture = listing_deposits.get_case(unmatched_id)
    actors = {entry.actor for entry in picture.entries}
    return render_template(
        "console/deposits/detail.html",
        picture=picture,
        why_not=accepting.why_not_acceptable(picture.case, picture.payment, picture.attempts),
        notice=notice,
        names=staff.names_of_actors(actors | {refund.requested_by for refund in picture.refunds}),
        desk=deposit_words,
    )
