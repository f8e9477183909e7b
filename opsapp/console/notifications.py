from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, lists, notice_words
from opsapp.console.access import requires
from opsapp.insights import listing_notices
from opsapp.kernel.db import transaction
from opsapp.notifications import previewing, sending
from opsapp.notifications.states import ENDED
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("notifications", __name__, url_prefix="/notifications")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    """What was sent, to whom and why."""
    opened = lists.open_list("notifications")
    return render_template("console/notifications/list.html", **opened.values)


@routes.get("/<id:notice_id>")
@requires(Permission.VIEW)
def show(notice_id: int) -> str:
    card = listing_notices.get_notice(notice_id)
    return render_template(
        "console/notifications/detail.html",
        card=card,
        notice=card.notice,
        message=previewing.show_masked(card.notice),
        is_ended=card.notice.status in ENDED,
        names=staff.names_of_actors(entry.actor for entry in card.entries),
        told=notice_words,
    )


@routes.post("/<id:notice_id>/again")
@requires(Permission.SEND_NOTICES)
def send_again(notice_id: int) -> Response:
    with transaction():
        sending.send_one_again(notice_id, by=access.current_actor())
    return redirect(url_for(".show", notice_id=notice_id))
