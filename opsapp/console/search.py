"""The search box and the palette: hits, what was found lately, what one may do and where to go.

What was found lately is kept as kinds and numbers in the session of the sign-in: no name is in it,
and it ends with the sign-in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, navigation, search_words
from opsapp.console.access import requires
from opsapp.insights import finding
from opsapp.insights.finding import Hit, HitGroup
from opsapp.insights.finding_people import initials_of, read_typed
from opsapp.kernel.errors import NotFound
from opsapp.kernel.locale import gettext as _
from opsapp.staff.rules import Permission

routes = Blueprint("search", __name__, url_prefix="/search")

RECENT = "found"
RECENT_MAX = 8
PLACES_MAX = 6
# Where a hit is looked at, and the name of its id there.
PAGES = {
    "customer": ("console.customers.show", "customer_id"),
    "order": ("console.order_page.show", "order_id"),
    "link": ("console.orders.show", "checkout_id"),
    "subscription": ("console.subscriptions.show", "subscription_id"),
    "ticket": ("console.tickets.show", "ticket_id"),
    "unmatched_money": ("console.deposits.show", "unmatched_id"),
}
# The lists that search in the same way, for the rest of what was found.
LISTS = {
    "customer": "console.customers.show_list",
    "payment": "console.payments.show_list",
    "subscription": "console.subscriptions.show_list",
}


ICONS = {
    "customer": "person",
    "payment": "credit-card",
    "order": "bag",
    "subscription": "arrow-repeat",
    "ticket": "inbox",
    "refund": "arrow-counterclockwise",
    "deposit": "bank",
    "link": "link-45deg",
    "cash_receipt": "receipt",
    "unmatched_money": "question-diamond",
}


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do, and the list on which it is done; `key` is that of its words."""

    key: str
    icon: str
    endpoint: str
    permission: Permission
    query: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return search_words.ACT[self.key]


P = Permission
ACTS = (
    Act(
        "refund", "arrow-counterclockwise", "console.payments.show_list", P.REFUND,
        {"tab": "approved"},
    ),
    Act("retry", "bandaid", "console.recovery.show_list", P.MANAGE_SUBSCRIPTIONS),
    Act(
        "pause", "pause-circle", "console.subscriptions.show_list", P.MANAGE_SUBSCRIPTIONS,
        {"tab": "active"},
    ),
    Act("decide", "question-diamond", "console.uncertain.show_list", P.DECIDE_UNCERTAIN),
    Act("answer", "inbox", "console.tickets.show_list", P.WORK_TICKETS),
    Act("ask", "link-45deg", "console.customers.show_list", P.MANAGE_ORDERS),
    Act("points", "coin", "console.points.show_list", P.ADJUST_POINTS),
    Act("run", "list-task", "console.runs.show_list", P.RUN_BILLING),
    Act("invite", "person-plus", "console.staff.show_list", P.MANAGE_STAFF),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What a box shows. `places` are menu entries, `acts` what this visitor may do."""

    text: str
    groups: list[HitGroup]
    recent: list[Hit]
    acts: list[Act]
    places: list[navigation.Entry]


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str | Response:
    """A single hit is opened at once: whoever typed a whole number wants that page."""
    found = _look()
    hits = [hit for group in found.groups for hit in group.hits]
    if len(hits) == 1 and not read_typed(found.text).name:
        return redirect(url_for(".open_hit", kind=hits[0].kind, row_id=hits[0].id))
    return _render("console/search/page.html", found)


@routes.get("/hits")
@requires(Permission.VIEW)
def show_hits() -> str:
    return _render("console/search/_hits.html", _look())


@routes.get("/open/<kind>/<id:row_id>")
@requires(Permission.VIEW)
def open_hit(kind: str, row_id: int) -> Response:
    hits = finding.describe(kind, [row_id]) if kind in finding.KINDS else []
    if not hits:
        raise NotFound(noun="record", id=row_id)
    here = [kind, row_id]
    session[RECENT] = [here, *(each for each in _recent() if each != here)][:RECENT_MAX]
    return redirect(page_of(hits[0]))


def page_of(hit: Hit) -> str:
    """A payment's page also shows what belongs to it and has no page of its own."""
    if hit.kind in PAGES:
        endpoint, name = PAGES[hit.kind]
        named: dict[str, Any] = {name: hit.id}
        return url_for(endpoint, **named)
    return url_for("console.payments.show", payment_id=hit.of_id or hit.id)


def _look() -> Found:
    text = request.args.get("q", "").strip()
    return Found(
        text,
        groups=finding.find(text),
        recent=[] if text else _describe(_recent()),
        acts=[act for act in ACTS if access.may(act.permission) and _is_meant(act.label, text)],
        places=[*_places(text)][:PLACES_MAX],
    )


def _render(template: str, found: Found) -> str:
    return render_template(
        template, found=found, groups=search_words.GROUP, icons=ICONS, lists=LISTS
    )


def _places(text: str) -> Iterator[navigation.Entry]:
    for group in navigation.NAVIGATION:
        for entry in group.entries:
            if access.may(entry.permission) and _is_meant(entry.label, text):
                yield entry


def _is_meant(label: str, text: str) -> bool:
    """By a part of the label, or by its initial consonants; all of them while nothing is typed."""
    wanted, word = read_typed(text).name, read_typed(_(label)).name
    return not text or (bool(wanted) and (wanted in word or wanted in initials_of(word)))


def _recent() -> list[Any]:
    kept = session.get(RECENT)
    return kept if isinstance(kept, list) else []


def _describe(recent: list[Any]) -> list[Hit]:
    """In the order in which they were opened; what is gone is left out."""
    kinds = {kind for kind, _row_id in recent}
    known = {
        (hit.kind, hit.id): hit
        for kind in sorted(kinds & {*finding.KINDS})
        for hit in finding.describe(kind, [row_id for k, row_id in recent if k == kind])
    }
    return [known[kind, row_id] for kind, row_id in recent if (kind, row_id) in known]
