"""One-off orders, and the payment links that customers are sent.

An address is shown once, when it is made: nobody can read it again, but another one can be made.
"""

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from opsapp.checkout import opening, queries, sending
from opsapp.checkout.opening import NewCheckout
from opsapp.console import access, errors, forms, lists, order_words
from opsapp.console.access import requires
from opsapp.insights import listing_orders, listing_people
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.locale import gettext as _
from opsapp.kernel.money import parse_money
from opsapp.settings import current
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("orders", __name__, url_prefix="/orders")

Answer = str | Response | tuple[str, int]
LIVES: list[Any] = list(order_words.LIFE)


class LinkForm(FlaskForm):
    """`request_id` becomes the order's number: a form sent twice is one link."""

    title = StringField(
        validators=[
            DataRequired(message="Say what it is for."),
            Length(max=100, message="At most 100 characters."),
        ]
    )
    amount = StringField(filters=[forms.bare], validators=[Length(max=30)])
    life = SelectField(choices=LIVES, default="3")
    request_id = HiddenField(validators=[InputRequired(), Regexp(r"^[A-Za-z0-9_-]{16,64}\Z")])


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    tab = forms.choice("tab", order_words.TABS, "orders")
    opened = lists.open_list(tab)
    is_summed = tab == "orders" and opened.page.rows
    totals = listing_orders.sum_orders(opened.wish) if is_summed else None
    return render_template("console/orders/list.html", totals=totals, **opened.values)


@routes.get("/customers/<id:customer_id>/links/new")
@requires(Permission.MANAGE_ORDERS)
def show_form(customer_id: int) -> str:
    form = LinkForm(formdata=None, data={"request_id": new_ref("link")})
    return _form(customer_id, form)


@routes.post("/customers/<id:customer_id>/links")
@requires(Permission.MANAGE_ORDERS)
def open_link(customer_id: int) -> Answer:
    form = LinkForm()
    if not form.validate_on_submit():
        return _form(customer_id, form), 422
    if (known := listing_orders.find_link(form.request_id.data or "")) is not None:
        return redirect(url_for(".show", checkout_id=known, done="again"))
    try:
        with transaction():
            checkout_id, token = opening.open_checkout(
                _wish(customer_id, form), by=access.current_actor()
            )
    except Invalid:
        form.amount.errors = [_("Enter the amount in digits, for example 12,000.")]
        return _form(customer_id, form), 422
    return _detail(checkout_id, address=_address(token))


@routes.get("/links/<id:checkout_id>")
@requires(Permission.VIEW)
def show(checkout_id: int) -> str:
    return _detail(checkout_id)


@routes.post("/links/<id:checkout_id>/<any(address,send,cancel):action>")
@requires(Permission.MANAGE_ORDERS)
def act(checkout_id: int, action: str) -> Answer:
    try:
        token = _do(action, checkout_id)
    except OpsError as error:
        return _detail(checkout_id, notice=errors.told(error)), error.http_status
    if token:
        return _detail(checkout_id, address=_address(token))
    done = {"send": "sent", "cancel": "cancelled"}[action]
    return redirect(url_for(".show", checkout_id=checkout_id, done=done))


def _do(action: str, checkout_id: int) -> str:
    by = access.current_actor()
    with transaction():
        match action:
            case "address":
                return opening.link_to(queries.get_checkout(checkout_id), by=by)
            case "send":
                sending.send(checkout_id, by=by)
            case _:
                opening.cancel(checkout_id, by=by)
    return ""


def _wish(customer_id: int, form: LinkForm) -> NewCheckout:
    """Raises Invalid."""
    return NewCheckout(
        customer_id,
        form.title.data or "",
        parse_money(form.amount.data or "", "KRW"),
        order_ref=form.request_id.data,
        life=timedelta(days=int(form.life.data or "3")),
    )


def _form(customer_id: int, form: LinkForm) -> str:
    customer = listing_people.get_customer(customer_id)
    template = "console/orders/new.html"
    return render_template(template, customer=customer, form=form, told=order_words)


def _detail(checkout_id: int, *, address: str = "", notice: str = "") -> str:
    picture = listing_orders.get_link(checkout_id)
    return render_template(
        "console/orders/link.html",
        picture=picture,
        address=address,
        notice=notice,
        done=forms.choice("done", order_words.DONE, ""),
        names=staff.names_of_actors({entry.actor for entry in picture.entries}),
        told=order_words,
    )


def _address(token: str) -> str:
    return f"{current().public_url}/pay/{token}"
