from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, forms, frame, method_words
from opsapp.console.access import requires
from opsapp.customers import deleting, issuing, payment_methods, queries
from opsapp.insights import listing_payments, listing_people
from opsapp.insights.listing_subscriptions import expires_soon
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.locale import gettext as _
from opsapp.points import queries as points
from opsapp.staff.rules import Permission

routes = Blueprint("customers", __name__, url_prefix="/customers")

REASON_LENGTH = range(3, 201)
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
    search = forms.text("q")
    page = listing_people.list_customers(search=search, cursor=request.args.get("cursor"))
    return render_template("console/customers/list.html", page=page, search=search)


@routes.get("/<id:customer_id>")
@requires(Permission.VIEW)
def show(customer_id: int) -> str:
    return render_template(
        "console/customers/detail.html",
        customer=listing_people.get_customer(customer_id),
        methods=listing_people.list_methods(customer_id),
        subscriptions=listing_people.list_subscriptions_of(customer_id),
        payments=listing_payments.list_of_customer(customer_id),
        tickets=listing_people.list_tickets_of(customer_id),
        points=points.find_balance(customer_id),
        actions=ACTIONS,
        told=method_words,
        done=forms.choice("done", method_words.DONE, ""),
        today=seoul_date(frame.now()),
        expires_soon=expires_soon,
    )


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
