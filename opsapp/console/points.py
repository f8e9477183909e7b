"""Points: who has how many, what happened to them, and corrections that two people make."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, RadioField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from opsapp.console import access, errors, forms, frame, lists, point_words
from opsapp.console.access import requires
from opsapp.insights import listing_open_items, listing_people, listing_points
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.points import adjusting, queries, rules
from opsapp.points.adjusting import AdjustmentWish
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("points", __name__, url_prefix="/points")

LOTS_SHOWN = 10
# Values alone: templates give them their words.
DIRECTIONS: list[Any] = ["give", "take"]

Answer = str | Response | tuple[str, int]


class AdjustmentForm(FlaskForm):
    """`request_id` came with the form: sent twice, it asks once."""

    direction = RadioField(choices=DIRECTIONS, default="give")
    points = StringField(
        filters=[lambda text: (text or "").replace(",", "").strip()],
        validators=[Regexp(r"^[0-9]{1,9}\Z", message="Enter the points in digits.")],
    )
    reason = StringField(
        validators=[
            DataRequired(message="Say why; whoever decides reads nothing else."),
            Length(max=200, message="At most 200 characters."),
        ]
    )
    request_id = HiddenField(validators=[InputRequired(), Regexp(r"^[A-Za-z0-9_-]{16,64}\Z")])

    @property
    def signed(self) -> int:
        """Only after validation."""
        points = int(self.points.data or "0")
        return -points if self.direction.data == "take" else points


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    return render_template(
        "console/points/list.html",
        to_decide=listing_points.count_to_decide(),
        **lists.open_list("points").values,
    )


@routes.get("/adjustments")
@requires(Permission.VIEW)
def show_adjustments() -> str:
    opened = lists.open_list("point_adjustments")
    told = {
        "names": _names(opened.page.rows),
        "done": forms.choice("done", point_words.DONE, ""),
        "told": point_words,
        "me": str(access.current_actor()),
    }
    return render_template("console/points/adjustments.html", **opened.values | told)


@routes.get("/books")
@requires(Permission.VIEW)
def show_open_items() -> str:
    """What every clearing account waits for, and since when."""
    items = listing_open_items.list_open_items()
    return render_template("console/points/open_items.html", items=items, told=point_words)


@routes.get("/customers/<id:customer_id>")
@requires(Permission.VIEW)
def show(customer_id: int) -> str:
    return _customer_page(customer_id, _fresh_form())


@routes.post("/customers/<id:customer_id>/adjustments")
@requires(Permission.ADJUST_POINTS)
def ask(customer_id: int) -> Answer:
    form = AdjustmentForm()
    if not form.validate_on_submit():
        return _customer_page(customer_id, form), 422
    customer = listing_people.get_customer(customer_id)
    wish = AdjustmentWish(
        form.request_id.data or "", customer.id, form.signed, form.reason.data or ""
    )
    try:
        with transaction():
            adjusting.request(wish, by=access.current_actor())
    except OpsError as error:
        form[error.field if error.field in form else "points"].errors = [errors.told(error)]
        return _customer_page(customer_id, form), error.http_status
    return redirect(url_for(".show", customer_id=customer_id, done="requested"))


@routes.post("/adjustments/<id:adjustment_id>/<any(approve,refuse):action>")
@requires(Permission.APPROVE_POINTS)
def decide(adjustment_id: int, action: str) -> Response:
    by, because = access.current_actor(), forms.text("because", request.form)
    with transaction():
        if action == "approve":
            adjusting.approve(adjustment_id, by=by)
        else:
            adjusting.refuse(adjustment_id, because=because, by=by)
    return redirect(url_for(".show_adjustments", done=action))


@routes.post("/adjustments/<id:adjustment_id>/withdraw")
@requires(Permission.ADJUST_POINTS)
def withdraw(adjustment_id: int) -> Response:
    with transaction():
        adjusting.withdraw(adjustment_id, by=access.current_actor())
    return redirect(url_for(".show_adjustments", done="withdraw"))


def _fresh_form() -> AdjustmentForm:
    return AdjustmentForm(formdata=None, request_id=new_ref("req"))


def _customer_page(customer_id: int, form: AdjustmentForm) -> str:
    customer = listing_people.get_customer(customer_id)
    adjustments = listing_points.list_adjustments_of(customer_id)
    return render_template(
        "console/points/customer.html",
        customer=customer,
        balance=queries.find_balance(customer_id),
        lots=queries.list_lots(customer_id, limit=LOTS_SHOWN),
        last_day=rules.last_day_of,
        page=listing_points.list_entries(customer_id, cursor=request.args.get("cursor")),
        adjustments=adjustments,
        names=_names(adjustments),
        form=form,
        done=forms.choice("done", point_words.DONE, ""),
        told=point_words,
        today=seoul_date(frame.now()),
        most=rules.ADJUSTED_MAX,
        me=str(access.current_actor()),
    )


def _names(rows: Iterable[Any]) -> dict[str, str]:
    asked = [name for row in rows for name in (row.requested_by, row.decided_by) if name]
    return staff.names_of_actors(asked)
