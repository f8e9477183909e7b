"""What my-page has besides money: points, messages, agreements, and all data about oneself."""

from datetime import UTC, datetime

from flask import make_response, redirect, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField
from wtforms.validators import InputRequired, Regexp

from opsapp.consents import queries as consents, withdrawing
from opsapp.customers import handing_over, signing_in
from opsapp.insights import exporting_own_data, listing_my_page as listing
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import NotFound
from opsapp.points import queries as points
from opsapp.portal import my_access, my_words as words
from opsapp.portal.my_access import by_guest, guest, shopper

routes = my_access.rooms("account", "")

Answer = str | Response | tuple[str, int]
ENTRIES_SHOWN = 30


class WithdrawForm(FlaskForm):
    consent_id = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,18}\Z")])


@routes.get("/points/")
@shopper
def show_points() -> Answer:
    before = request.args.get("before", type=int)
    with transaction():
        balance = points.find_balance(guest().customer_id)
        entries = points.list_entries(
            guest().customer_id, limit=ENTRIES_SHOWN + 1, before=_id(before)
        )
        more = entries[ENTRIES_SHOWN - 1].id if len(entries) > ENTRIES_SHOWN else None
        shown = entries[:ENTRIES_SHOWN]
        return my_access.page("points.html", balance=balance, entries=shown, more=more)


@routes.get("/notices/")
@shopper
def show_notices() -> Answer:
    with transaction():
        found = listing.list_notices(guest().customer_id, cursor=request.args.get("cursor"))
    return my_access.page("notices.html", found=found)


@routes.get("/consents/")
@shopper
def show_consents() -> Answer:
    with transaction():
        rows = consents.list_of_customer(guest().customer_id)
        plans = listing.list_plan_names([row[0].subscription_id for row in rows])
        return my_access.page("consents.html", rows=rows, plans=plans)


@routes.post("/consents/")
@shopper
def withdraw() -> Answer:
    form = WithdrawForm()
    if not form.validate_on_submit():
        raise NotFound(noun="consent", id="")
    with transaction():
        consent = consents.get_consent(int(form.consent_id.data or 0))
        if consent.customer_id != guest().customer_id:
            raise NotFound(noun="consent", id=consent.id)
        withdrawing.withdraw(consent.id, because=words.ASKED, channel="link", by=by_guest())
    return redirect(url_for(".show_consents", done="withdrawn"), 303)


@routes.get("/data/")
@shopper
def show_data() -> Answer:
    return my_access.page("data.html")


@routes.post("/data/")
@shopper
def hand_over() -> Answer:
    """Only after a sign-in of a moment ago: a telephone left open gives nothing away."""
    if not guest().is_fresh:
        return my_access.page("data.html"), 403
    with transaction():
        text = exporting_own_data.export(guest().customer_id)
        handing_over.note_export(guest().customer_id, by=by_guest())
    answer = make_response(text)
    answer.headers["Content-Type"] = "application/json; charset=utf-8"
    name = f"my-data-{datetime.now(UTC):%Y-%m-%d}.json"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@routes.post("/data/link/")
@shopper
def send_link() -> Answer:
    with transaction():
        signing_in.send_link(guest().customer_id)
    return redirect(url_for(".show_data", done="link_sent"), 303)


def _id(text: int | None) -> int | None:
    return text if text is not None and 0 < text < 2**63 else None
