"""Notes of staff on the page of a customer, a payment or a subscription."""

from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from opsapp.console import access, forms
from opsapp.console.access import requires
from opsapp.customers import noting
from opsapp.customers.noting import NewNote
from opsapp.insights import finding_owners
from opsapp.kernel.db import transaction
from opsapp.staff.rules import Permission

routes = Blueprint("notes", __name__, url_prefix="/notes")

PAGES = {
    "customer": ("console.customers.show", "customer_id"),
    "payment": ("console.payments.show", "payment_id"),
    "subscription": ("console.subscriptions.show", "subscription_id"),
}


@routes.post("/<any(customer,payment,subscription):subject_type>/<id:subject_id>")
@requires(Permission.WORK_TICKETS)
def write(subject_type: str, subject_id: int) -> Response:
    customer_id = finding_owners.find_customer_of(subject_type, subject_id)
    text, request_id = forms.text("text", request.form), forms.text("request_id", request.form)
    note = NewNote(request_id, customer_id, subject_type, subject_id, text)
    with transaction():
        noting.write_note(note, by=access.current_actor())
    endpoint, name = PAGES[subject_type]
    of_page: dict[str, Any] = {name: subject_id}
    return redirect(url_for(endpoint, **of_page) + "#line")
