"""Cash receipts: the list, and what staff do about one on the page of its payment."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from opsapp.cash_receipts import asking, cancelling, queries, rules
from opsapp.cash_receipts.rules import Registration
from opsapp.console import access, forms, lists, order_words
from opsapp.console.access import requires
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.locale import gettext as _
from opsapp.staff.rules import Permission

routes = Blueprint("cash_receipts", __name__, url_prefix="/cash-receipts")

REASON_LENGTH = range(3, 201)


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    opened = lists.open_list("cash_receipts")
    return render_template("console/cash_receipts/list.html", **opened.values)


@routes.post("/payments/<id:payment_id>")
@requires(Permission.MANAGE_RECEIPTS)
def ask(payment_id: int) -> Response:
    registration = _registration()
    if registration is None:
        raise Invalid(field="receipt_number", reason=_("Enter the number in digits."))
    with transaction():
        asking.ask(payment_id, registration, by=access.current_actor())
    return _back(payment_id)


@routes.post("/<id:receipt_id>/cancel")
@requires(Permission.MANAGE_RECEIPTS)
def cancel(receipt_id: int) -> Response:
    reason = " ".join(forms.text("reason", request.form).split())
    if len(reason) not in REASON_LENGTH:
        raise Invalid(field="reason", reason=_("Say why, in 3 to 200 characters."))
    with transaction():
        cancelling.cancel(receipt_id, reason=reason, by=access.current_actor())
    return _back(queries.get_receipt(receipt_id).payment_id)


@routes.post("/<id:receipt_id>/again")
@requires(Permission.MANAGE_RECEIPTS)
def ask_again(receipt_id: int) -> Response:
    registration = _registration()
    with transaction():
        asking.ask_again(receipt_id, registration, by=access.current_actor())
    return _back(queries.get_receipt(receipt_id).payment_id)


def _registration() -> Registration | None:
    """None when no number was given. Raises Invalid."""
    number = forms.text("receipt_number", request.form)
    kind = forms.text("receipt", request.form)
    if not number:
        return None
    if kind not in order_words.RECEIPT_KIND:
        raise Invalid(field="receipt", reason=_("Choose what the receipt is for."))
    try:
        return rules.read_registration(kind, number)
    except Invalid as error:
        raise Invalid(field=error.field, reason=_(str(error.values["reason"]))) from error


def _back(payment_id: int) -> Response:
    return redirect(url_for("console.payments.show", payment_id=payment_id) + "#receipts")
