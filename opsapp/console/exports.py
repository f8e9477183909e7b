"""Files of lists: chosen, handed over at once or followed until they are ready."""

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import (
    Blueprint,
    Response,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse
from werkzeug.wsgi import FileWrapper

from opsapp.console import access, errors, export_rows, export_words, forms
from opsapp.console.access import requires
from opsapp.exports import exporting, handing_over, queries, rules, stopping
from opsapp.exports.exporting import Exported
from opsapp.exports.ordering import ExportWish
from opsapp.exports.queries import ExportOrder
from opsapp.exports.states import OPEN
from opsapp.insights.listing import LISTS, ListSource, get_list
from opsapp.kernel import locale
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.staff.rules import Permission

routes = Blueprint("exports", __name__, url_prefix="/exports")

KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
NOT_THE_FILTER = ("list", "cursor", "view", "columns", "density")
Answer = str | AnyResponse | tuple[str, int]


@routes.get("/")
@requires(Permission.EXPORT)
def show_list() -> str:
    page = queries.list_own(str(access.current_actor()), cursor=request.args.get("cursor"))
    return render_template(
        "console/exports/list.html", page=page, lists=LISTS, export_words=export_words
    )


@routes.get("/new")
@requires(Permission.EXPORT)
def show_new() -> str:
    query = _filters(request.args)
    chosen = tuple(filter(None, request.args.get("columns", "").split(",")))
    return _form(_listed(forms.text("list")), query, chosen=chosen)


@routes.post("/")
@requires(Permission.EXPORT)
def order() -> Answer:
    listed = _listed(forms.text("list", request.form))
    query = _filters(dict(parse_qsl(request.form.get("query", "")[: rules.QUERY_LENGTH_MAX])))
    try:
        wish = _wish(listed, query)
        source = export_rows.open_source(_order_of(wish))
        exported = exporting.export(wish, source, by=access.current_actor())
    except OpsError as error:
        refused = errors.told(error)
        chosen = tuple(request.form.getlist("column"))
        return _form(listed, query, chosen=chosen, refused=refused), error.http_status
    if exported.file is None:
        return redirect(url_for(".show", export_id=exported.export_id))
    return _at_once(exported, wish.format)


@routes.get("/<id:export_id>")
@requires(Permission.EXPORT)
def show(export_id: int) -> str:
    return render_template("console/exports/detail.html", **_picture(export_id))


@routes.get("/<id:export_id>/state")
@requires(Permission.EXPORT, polled=True)
def show_state(export_id: int) -> str:
    return render_template("console/exports/_state.html", **_picture(export_id))


@routes.post("/<id:export_id>/file")
@requires(Permission.EXPORT)
def fetch(export_id: int) -> Response:
    """By POST: every copy that leaves is written into the log."""
    export = queries.get_own(export_id, str(access.current_actor()))
    _refuse_unseen(export.list_name, is_revealed=export.is_revealed)
    with transaction():
        found = handing_over.hand_over(export_id, by=access.current_actor())
        name, format_, size = found.file_name, found.format, found.bytes
    # It is read after the view has ended, piece by piece: the context stays open for that long.
    body = stream_with_context(queries.read_parts(export_id))
    return _attached(Response(body), name, format_, size)


@routes.post("/<id:export_id>/stop")
@requires(Permission.EXPORT)
def stop(export_id: int) -> AnyResponse:
    with transaction():
        stopping.cancel(export_id, by=access.current_actor())
    return redirect(url_for(".show", export_id=export_id))


def _listed(name: str) -> ListSource:
    """Raises NotFound; a list that the person may not see is none to export."""
    listed = get_list(name)
    access.demand(listed.permission)
    return listed


def _filters(args: Mapping[str, str]) -> dict[str, str]:
    """What else an address may hold is no filter, and its name none that the log should keep."""
    return {k: v for k, v in args.items() if k not in NOT_THE_FILTER and rules.is_filter(k)}


def _wish(listed: ListSource, query: Mapping[str, str]) -> ExportWish:
    """Raises Invalid."""
    is_revealed = forms.text("is_revealed", request.form) == "yes"
    _refuse_unseen(listed.name, is_revealed=is_revealed)
    known = [column.key for column in listed.columns]
    asked = set(request.form.getlist("column"))
    return ExportWish(
        request_id=forms.text("request_id", request.form),
        list_name=listed.name,
        query=query,
        columns=tuple(key for key in known if key in asked),
        format=forms.text("format", request.form),
        zone=forms.text("zone", request.form),
        locale=locale.current_locale.get(),
        because=forms.text("because", request.form),
        is_revealed=is_revealed,
    )


def _refuse_unseen(list_name: str, *, is_revealed: bool) -> None:
    """Rights are asked at the order and again for each copy: a role may have changed between."""
    access.demand(get_list(list_name).permission)
    if is_revealed:
        access.demand(Permission.REVEAL)


def _order_of(wish: ExportWish) -> ExportOrder:
    return ExportOrder(
        list_name=wish.list_name,
        query=dict(wish.query),
        columns=wish.columns,
        format=wish.format,
        zone=wish.zone,
        locale=wish.locale,
        is_revealed=wish.is_revealed,
    )


def _form(
    listed: ListSource, query: Mapping[str, str], *, chosen: tuple[str, ...], refused: str = ""
) -> str:
    """Raises Invalid for a filter that the list cannot read."""
    listed.read_wish(query)
    return render_template(
        "console/exports/new.html",
        listed=listed,
        query=urlencode(query),
        filters=[name for name, value in query.items() if value],
        chosen={column.key for column in listed.pick(chosen)},
        refused=refused,
        form=request.form,
        export_words=export_words,
        at_once_max=rules.AT_ONCE_MAX,
        because_length=rules.BECAUSE_LENGTH_MAX,
        kept_days=rules.KEPT.days,
        has_personal=any(column.is_personal for column in listed.columns),
        request_id=secrets.token_urlsafe(24),
    )


def _picture(export_id: int) -> dict[str, Any]:
    """Raises NotFound, also for an export of somebody else."""
    export = queries.get_own(export_id, str(access.current_actor()))
    listed = LISTS.get(export.list_name)
    keys = export.columns.split(",")
    return {
        "export": export,
        "listed": listed,
        "columns": [c for c in listed.columns if c.key in keys] if listed else [],
        "is_open": export.status in OPEN,
        "export_words": export_words,
    }


def _at_once(exported: Exported, format_: str) -> Response:
    if exported.file is None:
        raise ValueError("a worker writes this one")
    size = exported.file.seek(0, 2)
    exported.file.seek(0)
    return _attached(Response(FileWrapper(exported.file)), exported.name, format_, size)


def _attached(answer: Response, name: str, format_: str, size: int) -> Response:
    answer.headers["Content-Type"] = KINDS[format_]
    answer.headers["Content-Length"] = str(size)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
