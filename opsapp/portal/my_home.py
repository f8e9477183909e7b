"""The first page of my-page: what wants doing, what is charged next, and the way to all else."""

from flask import redirect, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField
from wtforms.validators import InputRequired, Length

from opsapp.customers import sessions
from opsapp.insights import showing_my_page as showing
from opsapp.insights.showing_my_page import Alert
from opsapp.kernel.db import transaction
from opsapp.points import queries as points
from opsapp.portal import my_access
from opsapp.portal.my_access import guest, shopper

routes = my_access.rooms("home", "")

Answer = str | Response | tuple[str, int]
DISMISSED_AT_ONCE = 10


class DismissForm(FlaskForm):
    """`what`: the names of what was popped up, apart by spaces."""

    what = HiddenField(validators=[InputRequired(), Length(max=2000)])


@routes.get("/")
@shopper
def show() -> Answer:
    own = guest().customer_id
    with transaction():
        possessions = showing.list_possessions(own)
        deposits = showing.list_deposits(own)
        balance = points.find_balance(own)
    return my_access.page(
        "home.html",
        possessions=possessions,
        alerts=possessions.alerts,
        popup=popup_of(possessions.alerts),
        deposits=deposits,
        balance=balance,
    )


@routes.post("/dismiss/")
@shopper
def dismiss() -> Answer:
    form = DismissForm()
    if form.validate_on_submit():
        names = (form.what.data or "").split()[:DISMISSED_AT_ONCE]
        with transaction():
            sessions.dismiss(guest().session_id, names)
    if request.headers.get("X-Requested-With") == "fetch":
        return Response(status=204)
    return redirect(url_for(".show"), 303)


def popup_of(alerts: list[Alert]) -> list[Alert]:
    """Those that were not waved away during this sign-in."""
    return [alert for alert in alerts if alert.name not in guest().dismissed]
