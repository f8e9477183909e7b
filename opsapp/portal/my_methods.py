"""A customer's payment methods: add one at the payment company's page, put one first, delete."""

from datetime import timedelta

from flask import redirect, url_for
from werkzeug.wrappers import Response

from opsapp.customers import deleting, payment_methods
from opsapp.customers.linking import issue_link
from opsapp.customers.replacing import PURPOSE
from opsapp.insights import showing_my_page as showing
from opsapp.kernel.db import transaction
from opsapp.portal import my_access, my_home, my_words as words
from opsapp.portal.my_access import by_guest, guest, shopper

routes = my_access.rooms("methods", "methods")

Answer = str | Response | tuple[str, int]
ONWARD = timedelta(hours=1)


@routes.get("/")
@shopper
def show() -> Answer:
    with transaction():
        possessions = showing.list_possessions(guest().customer_id)
    popup = my_home.popup_of(possessions.alerts)
    return my_access.page("methods.html", possessions=possessions, popup=popup)


@routes.post("/add/")
@shopper
def add() -> Answer:
    token = _onward("customer", guest().customer_id)
    return redirect(url_for("portal_payment_methods.show", token=token), 303)


@routes.post("/<ref>/replace/")
@shopper
def replace(ref: str) -> Answer:
    """Another one takes over all that is charged to it."""
    with transaction():
        method = showing.get_method(guest().customer_id, ref)
    token = _onward("payment_method", method.id)
    return redirect(url_for("portal_payment_methods.show", token=token), 303)


@routes.post("/<ref>/default/")
@shopper
def make_default(ref: str) -> Answer:
    with transaction():
        method = showing.get_method(guest().customer_id, ref)
        payment_methods.set_default(method.id, because=words.ASKED, by=by_guest())
    return redirect(url_for(".show", done="made_default"), 303)


@routes.get("/<ref>/delete/")
@shopper
def ask_delete(ref: str) -> Answer:
    with transaction():
        showing.get_method(guest().customer_id, ref)
        possessions = showing.list_possessions(guest().customer_id)
    method = next((each for each in possessions.methods if each.ref == ref), None)
    return my_access.page("delete_method.html", method=method)


@routes.post("/<ref>/delete/")
@shopper
def delete(ref: str) -> Answer:
    with transaction():
        method = showing.get_method(guest().customer_id, ref)
        deleting.delete(method.id, because=words.ASKED, by=by_guest())
    return redirect(url_for(".show", done="deleted"), 303)


def _onward(subject_type: str, subject_id: int) -> str:
    with transaction():
        return issue_link(
            guest().customer_id,
            purpose=PURPOSE,
            subject_type=subject_type,
            subject_id=subject_id,
            life=ONWARD,
            by=by_guest(),
        )
