from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms, frame
from opsapp.console.access import requires
from opsapp.insights import listing_subscriptions
from opsapp.insights.listing_subscriptions import TABS
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.states import IllegalMove
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.subscriptions import cancelling, pausing, renewing

routes = Blueprint("subscriptions", __name__, url_prefix="/subscriptions")

LOOKS_MAX = 20  # a minute; then the page rests until somebody loads it again

# What staff may do in which state; the room decides again under its lock.
ACTIONS: dict[str, tuple[str, ...]] = {
    "pause": ("active", "past_due"),
    "resume": ("paused", "suspended"),
    "charge_now": ("active", "past_due", "suspended"),
    "cancel": ("active", "past_due", "paused", "suspended"),
}


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    tab, search = forms.choice("tab", TABS, "all"), forms.text("q")
    page = listing_subscriptions.list_subscriptions(
        tab=tab, search=search, cursor=request.args.get("cursor")
    )
    return render_template(
        "console/subscriptions/list.html",
        page=page,
        tab=tab,
        all_tabs=TABS,
        search=search,
        today=seoul_date(frame.now()),
        expires_soon=listing_subscriptions.expires_soon,
    )


@routes.get("/<id:subscription_id>")
@requires(Permission.VIEW)
def show(subscription_id: int) -> str:
    return _detail(subscription_id)


@routes.get("/<id:subscription_id>/<any(pause,resume,charge_now,cancel):action>")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def preview(subscription_id: int, action: str) -> str:
    """What the act would change; nothing is written."""
    subscription, _customer, plan, method = listing_subscriptions.get_subscription(subscription_id)
    panel = frame.fragment(
        "console/subscriptions/_preview.html",
        subscription=subscription,
        plan=plan,
        payment_method=method,
        action=action,
        is_allowed=subscription.status in ACTIONS[action],
    )
    return panel if frame.is_fragment() else _detail(subscription_id, panel)


@routes.get("/<id:subscription_id>/periods")
@requires(Permission.VIEW, polled=True)
def show_periods(subscription_id: int) -> str:
    """The periods as they are now: asked again while a charge that staff ordered is on its way."""
    periods = listing_subscriptions.list_periods(subscription_id)
    turn = min(forms.whole_number("turn") or 0, LOOKS_MAX)
    return render_template(
        "console/subscriptions/_periods.html",
        subscription_id=subscription_id,
        periods=periods,
        turn=turn + 1,
        is_awaited=turn < LOOKS_MAX and _is_on_its_way(periods),
    )


@routes.post("/<id:subscription_id>/<any(pause,resume,charge_now,cancel):action>")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def act(subscription_id: int, action: str) -> Response | tuple[str, int]:
    by = access.current_actor()
    try:
        with transaction():
            _do(action, subscription_id, by)
    except OpsError as error:
        return _refused(subscription_id, errors.told(error), error.http_status)
    except IllegalMove:
        return _refused(subscription_id, errors.changed_meanwhile(), 409)
    target = url_for(".show", subscription_id=subscription_id, done=action)
    if frame.is_fragment():
        return Response("", 204, {"HX-Redirect": target})
    return redirect(target)


def _is_on_its_way(periods: list[Any]) -> bool:
    return any(period.status == "pending" for period in periods)


def _refused(subscription_id: int, text: str, status: int) -> tuple[str, int]:
    panel = frame.fragment("console/subscriptions/_refused.html", text=text)
    return (panel if frame.is_fragment() else _detail(subscription_id, panel)), status


def _do(action: str, subscription_id: int, by: Actor) -> None:
    match action:
        case "pause":
            pausing.pause(subscription_id, by=by)
        case "resume":
            pausing.resume(subscription_id, by=by)
        case "cancel":
            cancelling.cancel(subscription_id, by=by)
        case _:
            renewing.charge_now(subscription_id, by=by)


def _detail(subscription_id: int, panel: Markup | None = None) -> str:
    picture = listing_subscriptions.get_picture(subscription_id)
    done = request.args.get("done", "")
    return render_template(
        "console/subscriptions/detail.html",
        picture=picture,
        panel=panel,
        subscription_id=subscription_id,
        periods=picture.periods,
        turn=0,
        is_awaited=done == "charge_now" and _is_on_its_way(picture.periods),
        done=done if done in ACTIONS else "",
        actions=[a for a, states in ACTIONS.items() if picture.subscription.status in states],
        names=staff.names_of_actors(entry.actor for entry in picture.timeline),
        today=seoul_date(frame.now()),
        expires_soon=listing_subscriptions.expires_soon,
    )
