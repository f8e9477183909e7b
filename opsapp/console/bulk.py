"""One act on many subscriptions: shown first, ordered once, followed row by row."""

import secrets
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.bulk import ordering, queries, rules, stopping
from opsapp.bulk.acting import ACTS, is_possible
from opsapp.bulk.ordering import BulkWish
from opsapp.bulk.states import OPEN, RowStatus
from opsapp.console import access, bulk_words, errors, forms
from opsapp.console.access import requires
from opsapp.insights import listing_subscriptions
from opsapp.insights.listing_subscriptions import TABS
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.money import BIGINT_MAX
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("bulk", __name__, url_prefix="/jobs/bulk")

SCOPES = ("selected", "all")
DIGITS_MAX = len(str(BIGINT_MAX))
SHOWN = ("", *(status.value for status in RowStatus))


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    page = queries.list_jobs(cursor=request.args.get("cursor"))
    names = staff.names_of_actors(row.requested_by for row in page.rows)
    return render_template("console/bulk/list.html", page=page, names=names)


@routes.post("/review")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def review() -> str:
    """What the act would do to how many; nothing is written."""
    return _review(_fitting())


@routes.post("/")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def order() -> Response | tuple[str, int]:
    """The filter is asked again here: what was on the screen is only compared with it."""
    fitting = _fitting()
    try:
        with transaction():
            job_id = ordering.order(_wish(), [row.id for row in fitting], by=access.current_actor())
    except OpsError as error:
        return _review(fitting, refused=errors.told(error)), error.http_status
    return redirect(url_for(".show", job_id=job_id))


@routes.get("/<id:job_id>")
@requires(Permission.VIEW)
def show(job_id: int) -> str:
    return render_template("console/bulk/detail.html", **_picture(job_id))


@routes.get("/<id:job_id>/progress")
@requires(Permission.VIEW, polled=True)
def show_progress(job_id: int) -> str:
    return render_template("console/bulk/_progress.html", **_picture(job_id))


@routes.post("/<id:job_id>/stop")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def stop(job_id: int) -> Response:
    with transaction():
        stopping.stop(job_id, by=access.current_actor())
    return redirect(url_for(".show", job_id=job_id))


def _fitting() -> list[Any]:
    """(id, status) of what the posted filter fits now. Raises Invalid."""
    tab, ids = _of("tab", TABS, "all"), None
    if _of("scope", SCOPES, "selected") == "selected":
        ids = [_row_id(value) for value in request.form.getlist("id")[: rules.ROWS_MAX]]
    return listing_subscriptions.list_fitting(
        tab=tab, search=forms.text("q", request.form), ids=ids, limit=rules.ROWS_MAX + 1
    )


def _wish() -> BulkWish:
    scope, tab = _of("scope", SCOPES, "selected"), _of("tab", TABS, "all")
    searched = "searched" if forms.text("q", request.form) else "not searched"
    seen = forms.text("seen_total", request.form)
    return BulkWish(
        request_id=forms.text("request_id", request.form),
        act=_of("act", tuple(ACTS), ""),
        because=forms.text("because", request.form),
        filter_text=f"{scope}, {tab}, {searched}",  # never what was searched for: it may be a name
        seen_total=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 9 else -1,
    )


def _review(fitting: list[Any], *, refused: str = "") -> str:
    act = _of("act", tuple(ACTS), "")
    possible = [row for row in fitting if is_possible(act, row.status)]
    left: dict[str, int] = {}
    for row in fitting:
        if not is_possible(act, row.status):
            left[row.status] = left.get(row.status, 0) + 1
    return render_template(
        "console/bulk/review.html",
        act=act,
        word=bulk_words.ACT[act],
        total=len(fitting),
        most=rules.ROWS_MAX,
        possible=len(possible),
        left=left,
        refused=refused,
        because_text=forms.text("because", request.form),
        because_length=rules.BECAUSE_LENGTH_MAX,
        scope=_of("scope", SCOPES, "selected"),
        tab=_of("tab", TABS, "all"),
        search=forms.text("q", request.form),
        ids=[row.id for row in fitting],
        request_id=secrets.token_urlsafe(24),
    )


def _picture(job_id: int) -> dict[str, Any]:
    """Raises NotFound, Invalid."""
    job = queries.get_job(job_id)
    shown = forms.choice("status", SHOWN, "")
    counts = queries.count_rows(job_id)
    page = queries.list_rows(
        job_id,
        status=RowStatus(shown) if shown else None,
        cursor=request.args.get("cursor"),
    )
    ended = job.total - counts.get(RowStatus.WAITING, 0)
    return {
        "job": job,
        "word": bulk_words.ACT[job.act],
        "counts": counts,
        "ended": ended,
        "is_open": job.status in OPEN,
        "page": page,
        "shown": shown,
        "all_shown": SHOWN,
        "refs": listing_subscriptions.list_refs([row.subject_id for row in page.rows]),
        "refusals": bulk_words.REFUSAL,
        "names": staff.names_of_actors([job.requested_by]),
    }


def _of(name: str, allowed: tuple[str, ...], default: str) -> str:
    """Raises Invalid."""
    value = forms.text(name, request.form) or default
    if value not in allowed:
        raise Invalid(field=name, reason=_("{value} is not one of the choices.", value=value[:50]))
    return value


def _row_id(value: str) -> int:
    """Raises Invalid."""
    is_number = value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX
    if not is_number or not 0 < int(value) <= BIGINT_MAX:
        raise Invalid(field="id", reason=_("{value} is not a whole number.", value=value[:50]))
    return int(value)
