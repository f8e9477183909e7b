from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, errors, forms, frame, run_words
from opsapp.console.access import requires
from opsapp.insights import listing_runs
from opsapp.insights.listing_runs import RunPicture
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission
from opsapp.subscriptions import catching_up, finding_runs, running

routes = Blueprint("runs", __name__, url_prefix="/jobs/runs")

# What staff may do in which state; the room decides again under its lock.
ACTIONS = {"running": "pause", "paused": "resume"}


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    month = forms.month("month") or seoul_date(frame.now()).replace(day=1)
    return _list(month)


@routes.get("/<id:run_id>")
@requires(Permission.VIEW)
def show(run_id: int) -> str:
    return _detail(run_id)


@routes.get("/<id:run_id>/progress")
@requires(Permission.VIEW, polled=True)
def show_progress(run_id: int) -> str:
    """The figures as they are now; asked by a timer, so it keeps no sign-in alive."""
    return render_template("console/runs/_progress.html", **_picture(run_id))


@routes.get("/<id:run_id>/<any(pause,resume):action>")
@requires(Permission.RUN_BILLING)
def preview(run_id: int, action: str) -> str:
    """What holding or letting go would mean; nothing is written."""
    return _review(run_id, action)


@routes.post("/<id:run_id>/<any(pause,resume):action>")
@requires(Permission.RUN_BILLING)
def act(run_id: int, action: str) -> Response | tuple[str, int]:
    because, by = forms.text("because", request.form), access.current_actor()
    verb = running.pause_run if action == "pause" else running.resume_run
    try:
        with transaction():
            verb(run_id, because=because, by=by)
    except OpsError as error:
        return _review(run_id, action, errors.told(error)), error.http_status
    return redirect(url_for(".show", run_id=run_id))


@routes.post("/catch-up")
@requires(Permission.RUN_BILLING)
def catch_up() -> Response | tuple[str, int]:
    """Of one subscription, if one is named, or of all that are behind."""
    because = forms.text("because", request.form)
    named = forms.whole_number("subscription_id", request.form)
    try:
        with transaction():
            catching_up.approve_catch_up(
                [named] if named else [], because=because, by=access.current_actor()
            )
    except OpsError as error:
        month = seoul_date(frame.now()).replace(day=1)
        return _list(month, errors.told(error)), error.http_status
    return redirect(url_for(".show_list"))


def _list(month: date, refused: str = "") -> str:
    rows = listing_runs.list_runs(month, now=frame.now())
    return render_template(
        "console/runs/list.html",
        rows=rows,
        month=month,
        before=forms.month_beside(month, -1),
        after=forms.month_beside(month, 1),
        total=listing_runs.total(rows),
        told=run_words,
        behind=listing_runs.count_behind(),
        refused=refused,
    )


def _detail(run_id: int) -> str:
    picture = _picture(run_id)
    run: RunPicture = picture["run"]  # type: ignore[assignment]
    names = staff.names_of_actors(entry.actor for entry in run.log)
    return render_template("console/runs/detail.html", names=names, **picture)


def _picture(run_id: int) -> dict[str, object]:
    run = listing_runs.get_run(run_id, now=frame.now())
    return {
        "run": run,
        "told": run_words,
        "is_open": run.row.status != "done",
        "action": ACTIONS.get(run.row.status),
    }


def _review(run_id: int, action: str, refused: str = "") -> str:
    run = listing_runs.get_run(run_id, now=frame.now())
    return render_template(
        "console/runs/review.html",
        run=run,
        action=action,
        told=run_words,
        is_allowed=ACTIONS.get(run.row.status) == action,
        waiting=len(finding_runs.list_unsent_payments(run_id)),
        refused=refused,
    )
