"""What one customer has agreed to: shown with its words, taken back on their wish, exported."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField, StringField
from wtforms.validators import InputRequired

from opsapp.consents import agreeing, exporting, queries, withdrawing
from opsapp.console import access, consent_words, errors, forms, frame
from opsapp.console.access import requires
from opsapp.insights import listing_people
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import NotFound, OpsError
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("consents", __name__, url_prefix="/customers/<id:customer_id>/consents")

FORMATS: list[Any] = ["csv", "json"]
Answer = AnyResponse | tuple[str, int]


class WithdrawForm(FlaskForm):
    because = StringField()


class ExportForm(FlaskForm):
    format = RadioField(choices=FORMATS, default="csv", validators=[InputRequired()])
    because = StringField()


@routes.get("/")
@requires(Permission.VIEW)
def show_list(customer_id: int) -> str:
    return _page(customer_id)


@routes.post("/<id:consent_id>/withdraw")
@requires(Permission.MANAGE_SUBSCRIPTIONS)
def withdraw(customer_id: int, consent_id: int) -> Answer:
    """The customer has said so on the telephone or in writing: the reason names where."""
    form, by = WithdrawForm(), access.current_actor()
    try:
        with transaction():
            if queries.get_consent(consent_id).customer_id != customer_id:
                raise NotFound(noun="consent", id=consent_id)
            because = form.because.data or ""
            withdrawing.withdraw(consent_id, because=because, channel="staff", by=by)
    except OpsError as error:
        return _page(customer_id, trouble=errors.told(error)), error.http_status
    return redirect(url_for(".show_list", customer_id=customer_id, done="withdrawn"))


@routes.post("/export")
@requires(Permission.EXPORT_CONSENTS)
def export(customer_id: int) -> Answer:
    form, by = ExportForm(), access.current_actor()
    customer = listing_people.get_customer(customer_id)
    try:
        with transaction():
            rows = exporting.export_consents(customer_id, because=form.because.data or "", by=by)
    except OpsError as error:
        return _page(customer_id, trouble=errors.told(error)), error.http_status
    is_json = form.format.data == "json"
    body = exporting.as_json(rows) if is_json else exporting.as_csv(rows)
    day = seoul_date(frame.now())
    name = f"consents-{customer.customer_ref}-{day}.{'json' if is_json else 'csv'}"
    return _file(body, name, "application/json" if is_json else "text/csv")


def _file(body: str, name: str, kind: str) -> Response:
    answer = Response(body.encode(), mimetype=kind)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _page(customer_id: int, *, trouble: str = "") -> str:
    customer = listing_people.get_customer(customer_id)
    rows = queries.list_of_customer(customer_id)
    shown = {consent.id: agreeing.show_again(consent, terms) for consent, terms, _ in rows if terms}
    actors = [consent.recorded_by for consent, _, _ in rows]
    actors += [each.recorded_by for _, _, each in rows if each]
    return render_template(
        "console/consents/list.html",
        customer=customer,
        rows=rows,
        shown=shown,
        trouble=trouble,
        say=consent_words,
        names=staff.names_of_actors(actors),
        done=forms.choice("done", consent_words.DONE, "") if request.method == "GET" else "",
    )
