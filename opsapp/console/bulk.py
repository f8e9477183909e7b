"""One act on many: shown first, ordered once, undone for a while, followed row by row."""

import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.approvals import queries as approvals
from opsapp.bulk import beginning, ordering, queries, rules, stopping
from opsapp.bulk.acting import ACTS, PAYMENT, SUBSCRIPTION, is_possible
from opsapp.bulk.ordering import BulkPlan, BulkWish
from opsapp.bulk.states import STOPPABLE, BulkStatus, RowStatus
from opsapp.console import access, approval_words, bulk_words, errors, forms, frame
from opsapp.console.access import requires
from opsapp.insights import listing_payments, listing_subscriptions
from opsapp.insights.reading_wishes import plain
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.money import BIGINT_MAX, Money
from opsapp.payments import finding_refunds
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("bulk", __name__, url_prefix="/jobs/bulk")

SCOPES = ("selected", "all")
DIGITS_MAX = len(str(BIGINT_MAX))
SHOWN = ("", *(status.value for status in RowStatus))
# Which list an act begins from, and whose right it is.
LISTS = {"subscriptions": SUBSCRIPTION, "payments": PAYMENT}
PAGES = {SUBSCRIPTION: "console.subscriptions.show_list", PAYMENT: "console.payments.show_list"}
# Filters that are numbers, days or choices of a closed set: of these read_wish refuses all else.
FILTERS = {
    SUBSCRIPTION: ("expiring", "method", "plan", "since", "until"),
    PAYMENT: (
        "amount_from", "amount_to", "basis", "failure", "gateway", "kind", "method", "since",
        "status", "until",
    ),
}  # fmt: skip
RIGHTS = {"refund": Permission.REFUND}


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    page = queries.list_jobs(cursor=request.args.get("cursor"))
    names = staff.names_of_actors(row.requested_by for row in page.rows)
    return render_template("console/bulk/list.html", page=page, names=names, told=bulk_words)


@routes.post("/review")
@requires(Permission.VIEW)
def review() -> str:
    """What the act would do to how many; nothing is written."""
    act = _act()
    return _review(act, _fitting(act))


@routes.post("/")
@requires(Permission.VIEW)
def order() -> Response | tuple[str, int]:
    """The filter is asked again here: what was on the screen is only compared with it."""
    act = _act()
    fitting = _fitting(act)
    ids, amounts = [row.id for row in fitting], _amounts(act, fitting)
    try:
        with transaction():
            by = access.current_actor()
            job_id = ordering.order(_wish(act), ids, amounts=amounts, by=by)
    except OpsError as error:
        return _review(act, fitting, refused=errors.told(error)), error.http_status
    return redirect(url_for(".show", job_id=job_id))


@routes.get("/<id:job_id>")
@requires(Permission.VIEW)
def show(job_id: int) -> str:
    return render_template("console/bulk/detail.html", **_picture(job_id))


@routes.get("/<id:job_id>/progress")
@requires(Permission.VIEW, polled=True)
def show_progress(job_id: int) -> str:
    return render_template("console/bulk/_progress.html", **_picture(job_id))


@routes.post("/<id:job_id>/<any(stop,begin):action>")
@requires(Permission.VIEW)
def act_on_job(job_id: int, action: str) -> Response:
    """Stop it, at any time; or give up the rest of the time to undo it."""
    access.demand(_right(queries.get_job(job_id).act))
    with transaction():
        if action == "stop":
            stopping.stop(job_id, by=access.current_actor())
        else:
            beginning.begin_now(job_id, by=access.current_actor())
    return redirect(url_for(".show", job_id=job_id))


def _right(act: str) -> Permission:
    return RIGHTS.get(act, Permission.MANAGE_SUBSCRIPTIONS)


def _act() -> str:
    """Of the list that was posted. Raises Invalid; refuses whoever may not do it."""
    subject = LISTS[_of("list", tuple(LISTS), "subscriptions")]
    allowed = tuple(name for name, act in ACTS.items() if act.subject_type == subject)
    act = _of("act", allowed, "")
    access.demand(_right(act))
    return act


def _query() -> dict[str, str]:
    """The filters of the list, as its address had them."""
    if "query" in request.form:
        return dict(parse_qsl(request.form["query"][: forms.QUERY_LENGTH_MAX]))
    return {name: forms.text(name, request.form) for name in ("tab", "q")}


def _fitting(act: str) -> list[Any]:
    """(id, status) of what the posted filter fits now. Raises Invalid."""
    ids, limit = None, rules.ROWS_MAX + 1
    if _of("scope", SCOPES, "selected") == "selected":
        ids = [_row_id(value) for value in request.form.getlist("id")[: rules.ROWS_MAX]]
    if ACTS[act].subject_type == PAYMENT:
        wanted = listing_payments.read_wish(_query())
        return listing_payments.list_fitting(wanted, ids=ids, limit=limit)
    wish = listing_subscriptions.read_wish(_query())
    return listing_subscriptions.list_fitting(wish, ids=ids, limit=limit)


def _amounts(act: str, fitting: list[Any]) -> dict[int, Money]:
    """What would go back of each."""
    if not ACTS[act].moves_money_back:
        return {}
    return finding_refunds.list_refundable([row.id for row in fitting[: rules.ROWS_MAX]])


def _wish(act: str) -> BulkWish:
    seen = forms.text("seen_total", request.form)
    return BulkWish(
        request_id=forms.text("request_id", request.form),
        act=act,
        because=forms.text("because", request.form),
        filter_text=_filter_text(ACTS[act].subject_type),
        seen_total=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 9 else -1,
        is_by_hand=True,
        seen_sums=_seen_sums(),
    )


def _filter_text(subject: str) -> str:
    """Never what was searched for: it may be a name. What the list does not read is no filter."""
    query = _query()
    told = {name: plain(query, name) for name in ("tab", *FILTERS[subject])}
    searched = "searched" if plain(query, "q") else "not searched"
    tab = told.pop("tab") or "all"
    others = [f"{name}={value}"[:60] for name, value in told.items() if value]
    return ", ".join([_of("scope", SCOPES, "selected"), tab, searched, *others])[:400]


def _seen_sums() -> dict[str, int]:
    """ "KRW 12000" for each currency."""
    sums = {}
    for text in request.form.getlist("seen_sum"):
        currency, _space, minor = text.partition(" ")
        sums[currency] = _row_id(minor)
    return sums


def _review(act: str, fitting: list[Any], *, refused: str = "") -> str:
    amounts = _amounts(act, fitting)
    moves_money = ACTS[act].moves_money_back
    possible = [
        row
        for row in fitting
        if is_possible(act, row.status) and (not moves_money or row.id in amounts)
    ]
    taken = {row.id for row in possible}
    left: dict[str, int] = {}
    for row in fitting:
        if row.id not in taken:
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
        ids=[row.id for row in fitting],
        request_id=secrets.token_urlsafe(24),
        plan=_plan(act, amounts, len(fitting)),
        **_asked(act),
    )


def _plan(act: str, amounts: dict[int, Money], total: int) -> BulkPlan:
    policy, by = approvals.get_policy(), access.current_actor()
    return ordering.plan(act, amounts, total, by=by, policy=policy)


def _asked(act: str) -> dict[str, Any]:
    """What the form carries on, and how its list is gone back to."""
    query = _query()
    subject = ACTS[act].subject_type
    kept = urlencode({name: value for name, value in query.items() if value})
    return {
        "subject": subject,
        "list_name": _of("list", tuple(LISTS), "subscriptions"),
        "query": request.form.get("query"),
        "tab": query.get("tab", ""),
        "search": query.get("q", ""),
        "scope": _of("scope", SCOPES, "selected"),
        "because_text": forms.text("because", request.form),
        "because_length": rules.BECAUSE_LENGTH_MAX,
        "back": f"{url_for(PAGES[subject])}?{kept}" if kept else url_for(PAGES[subject]),
        "told": approval_words,
    }


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
    refs = {PAYMENT: finding_refunds.list_refs, SUBSCRIPTION: listing_subscriptions.list_refs}
    approval = approvals.find_latest("bulk_job", job_id)
    people = [job.requested_by] + ([approval.decided_by or ""] if approval else [])
    return {
        "job": job,
        "word": bulk_words.ACT[job.act],
        "counts": counts,
        "ended": ended,
        "is_open": job.status in STOPPABLE,
        "is_held": job.status == BulkStatus.QUEUED and job.due_at > frame.now(),
        "may_act": access.may(_right(job.act)),
        "approval": approval,
        "page": page,
        "shown": shown,
        "all_shown": SHOWN,
        "refs": refs[job.subject_type]([row.subject_id for row in page.rows]),
        "refusals": bulk_words.REFUSAL,
        "names": staff.names_of_actors(people),
        "me": str(access.current_actor()),
        "told": approval_words,
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
