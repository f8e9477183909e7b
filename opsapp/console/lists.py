"""What stands around every list: columns, density and saved views, each account's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, forms, frame, list_words
from opsapp.console.access import requires
from opsapp.insights.listing import ListSource, get_list
from opsapp.insights.listing_columns import Column
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.paging import Page
from opsapp.staff import arranging, queries as staff, reading_views, saving_views
from opsapp.staff.reading_views import View
from opsapp.staff.rules import Permission
from opsapp.staff.saving_views import NewView

routes = Blueprint("lists", __name__, url_prefix="/lists")

# Parts of an address that say where on a list somebody is, not what it shows.
PLACES = ("cursor", "view", "done")
COUNTED_MAX = 1000
VIEWS_SHOWN = 8
ROWS_SHOWN = 30
# Where a list stands, and what its address says besides the filters.
PAGES: dict[str, tuple[str, dict[str, str]]] = {
    "payments": ("console.payments.show_list", {}),
    "refunds": ("console.refunds.show_list", {}),
    "orders": ("console.orders.show_list", {}),
    "links": ("console.orders.show_list", {"tab": "links"}),
    "subscriptions": ("console.subscriptions.show_list", {}),
    "customers": ("console.customers.show_list", {}),
    "deposits": ("console.deposits.show_list", {}),
    "cases": ("console.deposits.show_list", {"tab": "unmatched"}),
    "cash_receipts": ("console.cash_receipts.show_list", {}),
    "uncertain": ("console.uncertain.show_list", {}),
    "notifications": ("console.notifications.show_list", {}),
    "webhooks": ("console.webhooks.show_list", {}),
    "points": ("console.points.show_list", {}),
    "point_adjustments": ("console.points.show_adjustments", {}),
    "audit": ("console.audit.show_list", {}),
    "failures": ("console.failures.show_list", {}),
    "tickets": ("console.tickets.show_list", {}),
}


@dataclass(frozen=True, slots=True)
class ListFrame:
    """`view` is the saved view that is open, `query` the filters as an address holds them."""

    name: str
    columns: tuple[Column, ...]
    shown: tuple[Column, ...]
    density: str
    views: tuple[View, ...]
    view: View | None
    query: str
    start: View | None  # what the list opens with, if it was asked for without any filter
    default_view_id: int | None
    may_export: bool
    may_share: bool
    is_filtered: bool

    @property
    def is_changed(self) -> bool:
        """The filters are no longer those of the open view."""
        return self.view is not None and self.view.query != self.query

    @property
    def visible(self) -> tuple[View, ...]:
        """As many as fit beside the tabs, the open one among them."""
        first = self.views[:VIEWS_SHOWN]
        return first if self.view is None or self.view in first else (*first[:-1], self.view)

    @property
    def column_keys(self) -> str:
        return ",".join(column.key for column in self.shown)

    @property
    def sharing(self) -> dict[str, str]:
        return list_words.SHARED_WITH

    @property
    def densities(self) -> dict[str, str]:
        return list_words.DENSITY

    @property
    def days_ahead(self) -> list[tuple[str, str, str]]:
        """Periods that people ask for of what is yet to come, in Seoul days."""
        today = seoul_date(frame.now())
        month = forms.month_beside(today.replace(day=1), 1) - timedelta(days=1)
        spans = (
            (_("Today"), today, today),
            (_("Tomorrow"), today + timedelta(days=1), today + timedelta(days=1)),
            (_("Next 7 days"), today, today + timedelta(days=6)),
            (_("Rest of the month"), today, month),
        )
        return [(word, first.isoformat(), last.isoformat()) for word, first, last in spans]

    def choices(self, table: Mapping[str, Any], *but: str) -> dict[str, str]:
        """A table of words in the reader's language, for a filter."""
        told = {key: getattr(word, "text", word) for key, word in table.items()}
        return {key: _(text) for key, text in told.items() if key not in but}

    def address(self, view: View) -> str:
        return address_of(view)


@dataclass(frozen=True, slots=True)
class OpenList:
    """A list as its page shows it. `values` is what every list template needs."""

    frame: ListFrame
    wish: Any
    page: Page[Any]

    @property
    def values(self) -> dict[str, Any]:
        actors = [column for column in self.frame.shown if column.kind == "actor"]
        said = {str(c.read(row) or "") for row in self.page.rows for c in actors}
        names = staff.names_of_actors(said) if said else {}
        return {"frame": self.frame, "wish": self.wish, "page": self.page, "names": names}


def open_list(name: str) -> OpenList:
    """Asked for without any filter it goes to the view that its reader begins with.

    Raises Invalid for a filter that cannot be read, BadCursor and NotFound.
    """
    source = get_list(name)
    wish = source.read_wish(request.args)
    frame = frame_of(name)
    if frame.start is not None:
        abort(redirect(address_of(frame.start)))
    page = source.list_rows(wish, cursor=request.args.get("cursor"), size=ROWS_SHOWN)
    return OpenList(frame, wish, page)


def frame_of(name: str) -> ListFrame:
    """What the reader sees around the list; one statement. Raises NotFound."""
    source, known = get_list(name), access.visitor()
    found = reading_views.find_arrangement(known.account_id, known.role, name)
    query = query_of(request.args.to_dict())
    asked = request.args.get("view", "")
    views = {str(view.id): view for view in found.views}
    view = views.get(asked)
    start = views.get(str(found.default_view_id))
    filters = [name for name, _value in parse_qsl(query) if name != "tab"]
    return ListFrame(
        name=name,
        columns=source.columns,
        shown=source.pick((view.columns if view else ()) or found.columns),
        density=found.density,
        views=found.views,
        view=view,
        query=query,
        start=start if not request.args else None,
        default_view_id=found.default_view_id,
        may_export=access.may(Permission.EXPORT),
        may_share=access.may(Permission.SHARE_VIEWS),
        is_filtered=bool(filters),
    )


def query_of(args: dict[str, str]) -> str:
    """The filters alone, in one order, so that two addresses of the same list are equal."""
    return urlencode(sorted((k, v) for k, v in args.items() if k not in PLACES and v))


def home_of(name: str) -> str:
    endpoint, fixed = PAGES[name]
    return f"{url_for(endpoint)}?{urlencode(fixed)}".rstrip("?")


def address_of(view: View) -> str:
    endpoint, fixed = PAGES[view.list_name]
    wanted = fixed | dict(parse_qsl(view.query)) | {"view": str(view.id)}
    return f"{url_for(endpoint)}?{urlencode(wanted)}"


@routes.post("/<name>/views")
@requires(Permission.VIEW)
def save(name: str) -> Response:
    source, known = _source(name), access.visitor()
    wish = NewView(
        list_name=name,
        name=forms.text("name", request.form),
        query=_sent_query(source),
        columns=_columns(source) if request.form.get("with_columns") else (),
        shared_with=_sharing(),
    )
    with transaction():
        view_id = saving_views.save_view(wish, known.account_id)
        if request.form.get("is_default"):
            arranging.begin_with(known.account_id, known.role, name, view_id)
    return _open(view_id, "saved")


@routes.post("/views/<id:view_id>/change")
@requires(Permission.VIEW)
def change(view_id: int) -> Response:
    """Its name, with whom it is shared, and whether the list begins with it."""
    known, view = access.visitor(), _view(view_id)
    if view.is_mine and forms.text("name", request.form) != view.name:
        _demand_sharing(view)
    with transaction():
        if view.is_mine:
            saving_views.change_view(
                view_id,
                known.account_id,
                name=forms.text("name", request.form),
                shared_with=_sharing(view.shared_with),
            )
        wanted = view_id if request.form.get("is_default") else None
        arranging.begin_with(known.account_id, known.role, view.list_name, wanted)
    return _open(view_id, "changed")


@routes.post("/views/<id:view_id>/filters")
@requires(Permission.VIEW)
def change_filters(view_id: int) -> Response:
    view = _view(view_id)
    source = _source(view.list_name)
    _demand_sharing(view)
    with transaction():
        saving_views.change_filters(
            view_id,
            access.visitor().account_id,
            query=_sent_query(source),
            columns=_columns(source) if view.columns else (),
        )
    return _open(view_id, "changed")


@routes.post("/views/<id:view_id>/delete")
@requires(Permission.VIEW)
def delete(view_id: int) -> Response:
    view = _view(view_id)
    with transaction():
        saving_views.delete_view(view_id, access.visitor().account_id)
    frame.say(_(list_words.DONE["deleted"]))
    return redirect(home_of(view.list_name))


@routes.get("/views/<id:view_id>/count")
@requires(Permission.VIEW, polled=True)
def count(view_id: int) -> str:
    """How many rows a view has now; looked at when the page is there, and never all of them."""
    view = _view(view_id)
    source = _source(view.list_name)
    try:
        wish = source.read_wish(dict(parse_qsl(view.query)))
    except Invalid:  # a filter that the list no longer knows
        return render_template("console/lists/_count.html", count=None, has_more=False)
    page = source.list_rows(wish, cursor=None, size=COUNTED_MAX)
    has_more = page.next_cursor is not None
    return render_template("console/lists/_count.html", count=len(page.rows), has_more=has_more)


@routes.get("/<name>/<any(columns, saving):part>")
@requires(Permission.VIEW)
def show_menu(name: str, part: str) -> str:
    """What few ask for: which columns to show, and how to keep the filters as a view."""
    _source(name)
    here = f"{url_for(PAGES[name][0])}?{urlencode(request.args.to_dict())}".rstrip("?")
    return render_template("console/lists/_menu.html", part=part, frame=frame_of(name), here=here)


@routes.post("/<name>/arrangement")
@requires(Permission.VIEW)
def arrange(name: str) -> Response:
    source, known = _source(name), access.visitor()
    density = forms.text("density", request.form) or None
    is_reset = "reset" in request.form
    columns = [] if is_reset else _columns(source) if "columns" in request.form else None
    with transaction():
        arranging.arrange(known.account_id, name, columns=columns, density=density)
    return redirect(forms.safe_next(request.form.get("next", ""), home_of(name)))


def _source(name: str) -> ListSource:
    """Whoever may not see the list sees nothing of it. Raises NotFound."""
    source = get_list(name)
    access.demand(source.permission)
    return source


def _view(view_id: int) -> View:
    """Raises NotFound."""
    known = access.visitor()
    view = reading_views.get_view(view_id, known.account_id, known.role)
    _source(view.list_name)
    return view


def _demand_sharing(view: View) -> None:
    """What others look through is changed by nobody who may not share any more."""
    if view.shared_with:
        access.demand(Permission.SHARE_VIEWS)


def _sent_query(source: ListSource) -> str:
    """Only what the list itself understands is kept. Raises Invalid."""
    sent = request.form.get("query", "")[: saving_views.QUERY_LENGTH_MAX + 1]
    args = dict(parse_qsl(sent))
    source.read_wish(args)
    return query_of(args)


def _columns(source: ListSource) -> list[str]:
    wanted: Any = request.form.getlist("columns")
    if len(wanted) == 1:
        wanted = wanted[0].split(",")
    return [column.key for column in source.columns if column.key in wanted]


def _sharing(default: str = "") -> str:
    """Only whoever may share shares; others keep what is."""
    if not access.may(Permission.SHARE_VIEWS):
        return default
    return forms.text("shared_with", request.form)


def _open(view_id: int, done: str) -> Response:
    frame.say(_(list_words.DONE[done]))
    return redirect(address_of(_view(view_id)))
