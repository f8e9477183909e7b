"""The first look around: real rows of the demo shop, step by step, remembered for each account."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, forms, frame, tour_words
from opsapp.insights import finding_examples
from opsapp.kernel.db import transaction
from opsapp.kernel.locale import gettext as _
from opsapp.settings import current
from opsapp.staff import arranging, reading_views
from opsapp.staff.rules import Permission

routes = Blueprint("tour", __name__, url_prefix="/tour")

OVER = "tour"
MARK = "tour."
# Where each step is: an endpoint, the name of its argument if it shows a row, the right it needs.
PLACES: dict[str, tuple[str, str, Permission]] = {
    "home": ("console.home.show", "", Permission.VIEW),
    "payments": ("console.payments.show_list", "", Permission.VIEW),
    "failed_payment": ("console.payments.show", "payment_id", Permission.VIEW),
    "customer": ("console.customers.show", "customer_id", Permission.VIEW),
    "refunded_payment": ("console.payments.show", "payment_id", Permission.VIEW),
    "ticket": ("console.tickets.show", "ticket_id", Permission.VIEW),
    "jobs": ("console.jobs.show", "", Permission.VIEW),
    "audit": ("console.audit.show_list", "", Permission.READ_LOG),
}
STEPS = tuple(PLACES)
SHOWN = {
    "payments": ".tools, .filters",
    "failed_payment": ".verdict",
    "customer": "#case",
    "refunded_payment": "#line-box",
    "ticket": "main h1",
    "jobs": ".health",
    "audit": "main table",
}


@dataclass(frozen=True, slots=True)
class Step:
    """`shown` is where on its page to look: a CSS selector."""

    key: str
    number: int
    total: int
    title: str
    text: str
    address: str
    is_here: bool
    shown: str


@routes.post("/begin")
@access.signed_in
def begin() -> Response:
    """Again from its first step, however far it was."""
    _refuse_elsewhere()
    with transaction():
        arranging.restore(access.visitor().account_id, [OVER, *(MARK + key for key in STEPS)])
    return redirect(url_for("console.home.show"))


@routes.post("/next")
@access.signed_in
def go_on() -> Response:
    """The step was seen; on to the page of the next one."""
    _refuse_elsewhere()
    key = request.form.get("step", "")
    if key not in STEPS:
        abort(400)
    with transaction():
        arranging.dismiss(access.visitor().account_id, MARK + key)
    step = find_step()
    if step is not None:
        return redirect(step.address)
    with transaction():
        arranging.dismiss(access.visitor().account_id, OVER)
    frame.say(_("That was the tour. The help (?) starts it again."))
    return redirect(url_for("console.home.show"))


@routes.post("/end")
@access.signed_in
def end() -> Response:
    _refuse_elsewhere()
    with transaction():
        arranging.dismiss(access.visitor().account_id, OVER)
    return redirect(forms.safe_next(request.form.get("next", ""), url_for("console.home.show")))


def find_step() -> Step | None:
    """The next step that this account has not seen; None when the tour is over or not here.

    A step whose row the demo does not have yet is passed over.
    """
    known = access.find_visitor()
    if current().mode != "demo" or known is None:
        return None
    seen = set(reading_views.list_dismissed(known.account_id))
    if OVER in seen:
        return None
    rows = finding_examples.find_examples()
    possible = [key for key in STEPS if _is_possible(key, rows)]
    key = next((key for key in possible if MARK + key not in seen), None)
    if key is None:
        return None
    title, text = tour_words.STEP[key]
    endpoint, argument, _right = PLACES[key]
    values: dict[str, Any] = {argument: rows[key]} if argument else {}
    return Step(
        key=key,
        number=possible.index(key) + 1,
        total=len(possible),
        title=title,
        text=text,
        address=url_for(endpoint, **values),
        is_here=request.endpoint == endpoint and (request.view_args or {}) == values,
        shown=SHOWN.get(key, ""),
    )


def _is_possible(key: str, rows: Any) -> bool:
    _endpoint, argument, right = PLACES[key]
    return access.may(right) and (not argument or key in rows)


def _refuse_elsewhere() -> None:
    if current().mode != "demo":
        abort(404)


# The frame of every page asks for it, and the tour speaks through the frame: so it is hung in here.
routes.add_app_template_global(find_step, "tour_step")
