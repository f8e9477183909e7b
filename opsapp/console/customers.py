from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import (
    access,
    case_words,
    consent_words,
    errors,
    forms,
    frame,
    lists,
    method_words,
    point_words,
    recovery_words,
)
from opsapp.console.access import requires
from opsapp.customers import deleting, issuing, payment_methods, queries, revealing
from opsapp.insights import listing_history, listing_people, reading_notes, showing_customers
from opsapp.insights.listing_recoveries import situation_of
from opsapp.insights.listing_subscriptions import expires_soon
from opsapp.insights.showing_customers import CustomerPicture
from opsapp.insights.showing_subscriptions import next_charge_on
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, NotFound, OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.locale import gettext as _
from opsapp.staff.rules import Permission
from opsapp.subscriptions.recovering import Act, why_not

routes = Blueprint("customers", __name__, url_prefix="/customers")

REASON_LENGTH = range(3, 201)
LOOKS_MAX = 20  # then the page rests until somebody loads it again
# What staff may do with a payment method in which state; the room decides again under its lock.
ACTIONS: dict[str, tuple[str, ...]] = {
    "set_default": ("active",),
    "replace": ("active", "expired", "blocked"),
    "block": ("active", "expired"),
    "unblock": ("blocked",),
    "ask_again": ("needs_human",),
    "delete": ("requested", "active", "expired", "refused", "blocked"),
}


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    return render_template("console/customers/list.html", **lists.open_list("customers").values)


@routes.get("/<id:customer_id>")
@requires(Permission.VIEW)
def show(customer_id: int) -> str:
    return _page(customer_id)


@routes.get("/<id:customer_id>/cases")
@requires(Permission.VIEW, polled=True)
def show_cases(customer_id: int) -> str:
    """The case as it is now: asked again while a charge is on its way."""
    turn = min(forms.whole_number("turn") or 0, LOOKS_MAX)
    picture = showing_customers.get_picture(customer_id, frame.now())
    return render_template("console/customers/_cases.html", **_case_of(picture, turn + 1))


@routes.get("/<id:customer_id>/history")
@requires(Permission.VIEW, polled=True)
def show_history(customer_id: int) -> str:
    return render_template("console/customers/_history.html", **_history_of(customer_id))


@routes.post("/<id:customer_id>/reveal")
@requires(Permission.REVEAL)
def reveal(customer_id: int) -> str | tuple[str, int]:
    """Shown in this answer and nowhere again: no address leads to it, and it is not kept."""
    because, by = forms.text("because", request.form), access.current_actor()
    identity, trouble = None, ""
    try:
        with transaction():
            identity = revealing.reveal(customer_id, because=because, by=by)
    except OpsError as error:
        trouble = errors.told(error)
    shown = {"identity": identity, "trouble": trouble, "typed": because}
    if frame.is_fragment():
        customer = listing_people.get_customer(customer_id)
        panel = render_template("console/customers/_identity.html", customer=customer, **shown)
    else:
        panel = _page(customer_id, **shown)
    return panel, 422 if trouble else 200


@routes.post(
    "/<id:customer_id>/methods/<id:method_id>/"
    "<any(set_default,replace,block,unblock,ask_again,delete):action>"
)
@requires(Permission.MANAGE_METHODS)
def act(customer_id: int, method_id: int, action: str) -> Response:
    because, by = _reason(), access.current_actor()
    with transaction():
        found = queries.list_methods_by_id([method_id]).get(method_id)
        if found is None or found.customer_id != customer_id:
            raise NotFound(noun="payment method", id=method_id)
        _do(action, method_id, because, by)
    return redirect(url_for(".show", customer_id=customer_id, done=action) + "#cards")


def _page(customer_id: int, **shown: Any) -> str:
    picture = showing_customers.get_picture(customer_id, frame.now())
    return render_template(
        "console/customers/detail.html",
        actions=ACTIONS,
        told=method_words,
        done=forms.choice("done", method_words.DONE, ""),
        today=seoul_date(frame.now()),
        expires_soon=expires_soon,
        next_charge_on=next_charge_on,
        note_id=new_ref("note"),
        **_case_of(picture, 0),
        **_history_of(customer_id),
        **shown,
    )


def _case_of(picture: CustomerPicture, turn: int) -> dict[str, Any]:
    return {
        "picture": picture,
        "customer": picture.customer,
        "turn": turn,
        "is_awaited": turn < LOOKS_MAX and any(c.status == "processing" for c in picture.cases),
        "desk": recovery_words,
        "case_words": case_words,
        "cannot": lambda card, act: why_not(Act(act), situation_of(card)),
    }


def _history_of(customer_id: int) -> dict[str, Any]:
    kind = forms.choice("kind", listing_history.KINDS, "")
    page = listing_history.list_history(customer_id, kind=kind, cursor=request.args.get("cursor"))
    return {
        "customer_id": customer_id,
        "history": page,
        "kind": kind,
        "kinds": listing_history.KINDS,
        "notes": reading_notes.read_notes(page.rows),
        "consent_words": consent_words,
        "point_words": point_words,
        "names": {row.actor: row.actor_name for row in page.rows if row.actor_name},
    }


def _reason() -> str:
    """Raises Invalid: without a reason the log would not tell why."""
    because = " ".join(forms.text("because", request.form).split())
    if len(because) not in REASON_LENGTH:
        raise Invalid(field="because", reason=_("Give a reason of 3 to 200 characters."))
    return because


def _do(action: str, method_id: int, because: str, by: Actor) -> None:
    match action:
        case "set_default":
            payment_methods.set_default(method_id, because=because, by=by)
        case "replace":
            chosen = forms.text("by_method", request.form)
            is_number = chosen.isascii() and chosen.isdigit() and len(chosen) <= 18
            by_method_id = int(chosen) if is_number else 0
            payment_methods.replace(method_id, by_method_id=by_method_id, because=because, by=by)
        case "block":
            payment_methods.block(method_id, because=because, by=by)
        case "unblock":
            payment_methods.unblock(method_id, because=because, by=by)
        case "ask_again":
            issuing.ask_again(method_id, because=because, by=by)
        case _:
            deleting.delete(method_id, because=because, by=by)
