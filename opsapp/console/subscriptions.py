from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from opsapp.console import (
    access,
    change_words,
    consent_words,
    errors,
    forms,
    frame,
    lists,
    subscription_words,
)
from opsapp.console.access import requires
from opsapp.insights import listing_subscriptions, reading_notes, showing_cycles
from opsapp.insights.listing_subscriptions import TABS
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.states import IllegalMove
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.subscriptions import (
    blocking,
    cancelling,
    finding_changes,
    pausing,
    renewing,
    rules,
    stopping,
)
from opsapp.subscriptions.states import CHARGEABLE, GOING_ON, SubscriptionStatus as S

routes = Blueprint("subscriptions", __name__, url_prefix="/subscriptions")

# The act that takes a cause of standing still away; the first period is its order's.
LIFTED_BY = {"pause": "resume", "suspension": "resume", "hold": "release"}
STOPPING = ("pause", "hold", "cancel")
LOOKS_MAX = 20  # a minute; then the page rests until somebody loads it again

_ACT = "any(pause,resume,charge_now,keep,hold,release,cancel_at_period_end,cancel):action"

_WITHOUT_CHARGE = frozenset((rules.HOLD, rules.FIRST_PERIOD, rules.PAUSE))


def possible_actions(subscription: Any, causes: Collection[str]) -> list[str]:
    """What staff may do now, in the order of the page; the room decides again under its lock."""
    status, is_leaving = subscription.status, subscription.cancel_asked_on is not None
    is_going_on, is_held = status in GOING_ON, rules.HOLD in causes
    may_be_charged = status == S.SUSPENDED or status in CHARGEABLE
    is_begun = rules.FIRST_PERIOD not in causes  # until then its order has the say
    may_pause = may_be_charged and is_begun and not is_leaving and rules.PAUSE not in causes
    possible = {
        "pause": may_pause,
        "resume": status in {S.PAUSED, S.SUSPENDED},
        "charge_now": may_be_charged and _WITHOUT_CHARGE.isdisjoint(causes),
        "keep": is_going_on and is_leaving,
        "hold": is_going_on and not is_held,
        "release": is_going_on and is_held,
        "cancel_at_period_end": status in CHARGEABLE,
        "cancel": is_going_on,
    }
    return [action for action, is_possible in possible.items() if is_possible]


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    opened = lists.open_list("subscriptions")
    return render_template(
        "console/subscriptions/list.html",
        tabs=TABS[1:],
        totals=listing_subscriptions.sum_subscriptions(opened.wish) if opened.page.rows else None,
        today=seoul_date(frame.now()),
        expires_soon=listing_subscriptions.expires_soon,
        **opened.values,
    )


@routes.get("/<id:subscription_id>")
@requires(Permission.VIEW)
def show(subscription_id: int) -> str:
    return _detail(subscription_id)


@routes.get(f"/<id:subscription_id>/<{_ACT}>")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def preview(subscription_id: int, action: str) -> str:
    """What the act would change; nothing is written."""
    subscription, _who, plan, method = listing_subscriptions.get_subscription(subscription_id)
    causes = {block.cause for block in blocking.list_open_blocks(subscription_id)}
    panel = frame.fragment(
        "console/subscriptions/_preview.html",
        subscription=subscription,
        plan=plan,
        payment_method=method,
        action=action,
        is_allowed=action in possible_actions(subscription, causes),
        going=stopping.look(subscription_id),
        ends_on=cancelling.end_of_period(subscription),
        tomorrow=seoul_date(frame.now()) + timedelta(days=1),
        back=forms.safe_next(forms.text("back"), ""),
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
        attempts=_attempts_of(periods),
        turn=turn + 1,
        is_awaited=turn < LOOKS_MAX and _is_on_its_way(periods),
    )


@routes.post(f"/<id:subscription_id>/<{_ACT}>")
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
    target = forms.safe_next(forms.text("back", request.form), "")
    if target:
        frame.say(_(subscription_words.DONE[action]))
    else:
        target = url_for(".show", subscription_id=subscription_id, done=action)
    if frame.is_fragment():
        return Response("", 204, {"HX-Redirect": target})
    return redirect(target)


def _attempts_of(periods: Sequence[Any]) -> dict[int, list[Any]]:
    return showing_cycles.list_attempts([period.payment_id for period in periods])


def _is_on_its_way(periods: list[Any]) -> bool:
    return any(period.status == "pending" for period in periods)


def _refused(subscription_id: int, text: str, status: int) -> tuple[str, int]:
    panel = frame.fragment("console/subscriptions/_refused.html", text=text)
    return (panel if frame.is_fragment() else _detail(subscription_id, panel)), status


def _do(action: str, subscription_id: int, by: Actor) -> None:
    because = forms.text("because", request.form)
    match action:
        case "pause":
            until, choice = forms.day("until", request.form), request.form.get("open_retries", "")
            retries = choice or pausing.OpenRetries.WITHDRAW
            pausing.pause(subscription_id, until=until, open_retries=retries, by=by)
        case "resume":
            pausing.resume(subscription_id, by=by)
        case "keep":
            cancelling.keep(subscription_id, by=by)
        case "hold":
            goes_on = bool(request.form.get("service_goes_on"))
            pausing.hold(subscription_id, service=not goes_on, because=because, by=by)
        case "release":
            pausing.release(subscription_id, because=because, by=by)
        case "cancel_at_period_end":
            cancelling.cancel_at_period_end(subscription_id, by=by)
        case "cancel":
            cancelling.cancel(subscription_id, by=by)
        case _:
            renewing.charge_now(subscription_id, by=by)


def _detail(subscription_id: int, panel: Markup | None = None) -> str:
    picture = listing_subscriptions.get_picture(subscription_id)
    blocks = blocking.list_open_blocks(subscription_id)
    done = request.args.get("done", "")
    changes = finding_changes.list_changes_of(subscription_id, limit=5)
    notes = reading_notes.list_notes("subscription", subscription_id)
    return render_template(
        "console/subscriptions/detail.html",
        picture=picture,
        attempts=_attempts_of(picture.periods),
        coming=showing_cycles.list_coming(picture.subscription, [row[0] for row in changes]),
        consents=showing_cycles.list_consents(subscription_id),
        consent_words=consent_words,
        lifted_by=LIFTED_BY,
        notes=notes,
        texts=reading_notes.read_notes(notes),
        note_id=new_ref("note"),
        panel=panel,
        subscription_id=subscription_id,
        periods=picture.periods,
        turn=0,
        is_awaited=done == "charge_now" and _is_on_its_way(picture.periods),
        done=done if done in subscription_words.DONE else "",
        taken_back=_find_taken_back(picture.timeline) if done in STOPPING else None,
        blocks=blocks,
        actions=possible_actions(picture.subscription, {block.cause for block in blocks}),
        names=staff.names_of_actors(entry.actor for entry in picture.timeline),
        changes=changes,
        told_changes=change_words,
        today=seoul_date(frame.now()),
        expires_soon=listing_subscriptions.expires_soon,
    )


def _find_taken_back(timeline: Sequence[Any]) -> dict[str, int] | None:
    """What the act that is just done has taken back, by the log."""
    stopped = (entry.detail for entry in timeline if entry.action == "subscription.stopped")
    return next(stopped, None)
