"""What gateways told us unasked, what came of it, and a button to look into it again."""

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, event_words, forms, lists
from opsapp.console.access import requires
from opsapp.insights import listing_events
from opsapp.insights.listing_events import EventWish
from opsapp.kernel.db import transaction
from opsapp.kernel.log import Entry, record
from opsapp.payments import replaying
from opsapp.payments.errors import FilterMoved
from opsapp.payments.replaying import REPLAY_MAX
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    opened = lists.open_list("webhooks")
    fitting = _replayable(opened.wish) if opened.page.rows and opened.wish.is_narrow else []
    return render_template(
        "console/webhooks/list.html",
        desk=event_words,
        replayable=len(fitting),
        query=urlencode(request.args),
        replay_max=REPLAY_MAX,
        **opened.values,
    )


@routes.get("/<id:event_id>")
@requires(Permission.VIEW)
def show(event_id: int) -> str:
    """What is personal in a body is for who reads the log, and reading it is itself an entry."""
    is_whole = access.may(Permission.READ_LOG)
    picture = listing_events.get_picture(event_id, is_whole=is_whole)
    names = staff.names_of_actors(entry.actor for entry in picture.entries)
    if is_whole:
        with transaction():
            entry = Entry("gateway_event.body_viewed", "gateway_event", event_id)
            record(entry, by=access.current_actor())
    return render_template(
        "console/webhooks/detail.html",
        picture=picture,
        is_whole=is_whole,
        names=names,
        desk=event_words,
    )


@routes.post("/<id:event_id>/replay")
@requires(Permission.WORK_TICKETS)
def replay(event_id: int) -> Response:
    with transaction():
        replaying.replay_events([event_id], by=access.current_actor())
    return redirect(url_for(".show", event_id=event_id))


@routes.post("/replay")
@requires(Permission.WORK_TICKETS)
def replay_all() -> Response:
    """All that the filter fits, if that is still as many as the screen showed."""
    wish = _wish()
    seen = forms.text("seen", request.form)
    with transaction():
        fitting = _replayable(wish)
        if str(len(fitting)) != seen or len(fitting) > REPLAY_MAX:
            raise FilterMoved(count=len(fitting), seen=seen or 0)
        replaying.replay_events(fitting, by=access.current_actor())
    return redirect(f"{url_for('.show_list')}?{urlencode(request.args)}")


def _replayable(wish: EventWish) -> list[int]:
    return listing_events.list_replayable(wish, limit=REPLAY_MAX)


def _wish() -> EventWish:
    return listing_events.read_wish(request.args)
