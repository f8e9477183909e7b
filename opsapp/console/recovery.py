from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms, frame, recovery_words
from opsapp.console.access import requires
from opsapp.insights import listing_recoveries as listing
from opsapp.insights.listing_recoveries import STAGES, BoardWish
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.states import IllegalMove
from opsapp.recovery import queries, snoozing
from opsapp.recovery.drafting import check_reason
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.subscriptions import recovering
from opsapp.subscriptions.recovering import Act, why_not

routes = Blueprint("recovery", __name__, url_prefix="/recovery")

VIEWS = ("board", "list")
_ACT = "any(retry,reschedule,send_link,snooze,suspend,open_ticket):action"


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    view = forms.choice("view", VIEWS, "board")
    wish = BoardWish(
        now=frame.now(),
        stage=forms.choice("stage", STAGES, ""),
        reason=forms.choice("reason", recovery_words.REASON, ""),
        with_snoozed=forms.choice("snoozed", ("yes",), "") == "yes",
    )
    if view == "board":
        found: dict[str, Any] = {"columns": listing.list_columns(wish)}
        rows = [row for column in found["columns"] for row in column.rows]
    else:
        found = {"page": listing.list_recoveries(wish, cursor=request.args.get("cursor"))}
        rows = found["page"].rows
    return render_template(
        "console/recovery/list.html", view=view, wish=wish, **found, **_shared(rows)
    )


@routes.get("/<id:recovery_id>")
@requires(Permission.VIEW)
def show(recovery_id: int) -> str:
    return _detail(recovery_id)


@routes.get(f"/<id:recovery_id>/<{_ACT}>")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def review(recovery_id: int, action: str) -> str:
    """What the act would do; nothing is written."""
    if not frame.is_fragment():
        return _detail(recovery_id)
    card = listing.get_card(recovery_id)
    return render_template(
        "console/recovery/_act.html",
        c=card,
        act=action,
        why=why_not(Act(action), listing.situation_of(card)),
        back=forms.safe_next(forms.text("back"), ""),
        desk=recovery_words,
        today=seoul_date(frame.now()),
    )


@routes.post(f"/<id:recovery_id>/<{_ACT}>")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def act(recovery_id: int, action: str) -> Response | tuple[str, int]:
    try:
        with transaction():
            _verb(Act(action), recovery_id)(by=access.current_actor())
    except OpsError as error:
        return _refused(recovery_id, errors.told(error), error.http_status)
    except IllegalMove:
        return _refused(recovery_id, errors.changed_meanwhile(), 409)
    return _onward(recovery_id, action)


def _onward(recovery_id: int, action: str) -> Response:
    """Back to the page that the act was begun on, its filters kept; that page says it is done."""
    target = forms.safe_next(forms.text("back", request.form), "")
    if target:
        frame.say(_(recovery_words.DONE[action]))
    else:
        target = url_for(".show", recovery_id=recovery_id, done=action)
    return Response("", 204, {"HX-Redirect": target}) if frame.is_fragment() else redirect(target)


def _refused(recovery_id: int, text: str, status: int) -> tuple[str, int]:
    if frame.is_fragment():
        return render_template("console/recovery/_refused.html", text=text), status
    return _detail(recovery_id, text), status


def _verb(act: Act, recovery_id: int) -> Callable[..., None]:
    """The room's verb with what the form says. Raises Invalid."""
    match act:
        case Act.RETRY:
            return partial(recovering.retry_now, recovery_id)
        case Act.RESCHEDULE:
            return partial(recovering.reschedule, recovery_id, day=_day("day"))
        case Act.SEND_LINK:
            return partial(recovering.send_update_link, recovery_id)
        case Act.SNOOZE:
            return partial(snoozing.snooze, recovery_id, until=_day("until"))
        case Act.SUSPEND:
            return partial(recovering.suspend, recovery_id, because=_reason())
        case _:
            return partial(recovering.hand_over, recovery_id, because=_reason())


def _day(name: str) -> Any:
    found = forms.day(name, request.form)
    if found is None:
        raise Invalid(field=name, reason=_("Choose a day."))
    return found


def _reason() -> str:
    return check_reason(forms.text("because", request.form))


def _detail(recovery_id: int, refusal: str = "") -> str:
    card = listing.get_card(recovery_id)
    timeline = listing.list_timeline(recovery_id)
    done = request.args.get("done", "")
    return render_template(
        "console/recovery/detail.html",
        card=card,
        timeline=timeline,
        refusal=refusal,
        done=done if done in list(Act) else "",
        names=staff.names_of_actors(entry.actor for entry in timeline),
        today=seoul_date(frame.now()),
        **_shared([card]),
    )


def _shared(rows: Any) -> dict[str, Any]:
    """What cards say beyond their own columns."""
    rates = listing.list_rates(frame.now())
    ids = {row.policy_id for row in rows} | {rate.policy_id for rate in rates}
    return {
        "desk": recovery_words,
        "stages": STAGES,
        "acts": list(Act),
        "rates": rates,
        "policies": queries.list_policies_by_id(sorted(ids)),
        "cannot": lambda card, act: why_not(Act(act), listing.situation_of(card)),
    }
