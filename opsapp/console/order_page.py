"""One order: what was bought, what is paid of it, whose it is, and giving it back."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.exceptions import NotFound as NoSuchPage
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import Regexp

from opsapp.console import access, approval_words, errors, forms, sale_words, words
from opsapp.console.access import requires
from opsapp.console.forms import RefundForm
from opsapp.insights import previewing_refunds, showing_orders
from opsapp.insights.previewing_refunds import Item
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.orders import refunding, releasing, weighing
from opsapp.orders.queries import LegPicture
from opsapp.orders.refunding import OrderRefundPlan, OrderRefundWish
from opsapp.staff import queries as staff
from opsapp.staff.rules import Permission

routes = Blueprint("order_page", __name__, url_prefix="/orders")

Answer = str | Response | tuple[str, int]


class OrderRefundForm(RefundForm):
    """`line` is empty for all of the leg; `seen` is what the screen showed of the leg, money and
    points together.
    """

    line = StringField(default="", validators=[Regexp(r"^[0-9]{0,18}\Z")])

    def name_apart(self, leg_id: int) -> None:
        """An order may have several of these forms on its page."""
        for name in ("line", "kind", "amount", "reason_code", "reason_text"):
            self[name].id = f"{name}-{leg_id}"

    @property
    def line_id(self) -> int | None:
        return int(self.line.data) if self.line.data else None


@routes.get("/<id:order_id>")
@requires(Permission.VIEW)
def show(order_id: int) -> str:
    return _page(order_id)


@routes.post("/<id:order_id>/legs/<id:leg_id>/refunds/<any(review,request):action>")
@requires(Permission.REFUND)
def refund(order_id: int, leg_id: int, action: str) -> Answer:
    """First what would happen, nothing written; then the same form once more."""
    leg, form = _leg(order_id, leg_id), OrderRefundForm()
    if not form.validate_on_submit():
        return _page(order_id, {leg_id: form}), 422
    try:
        wish = _wish(order_id, leg, form)
        if action == "review":
            planned = refunding.plan(leg_id, wish, by=access.current_actor())
            return _page(order_id, {leg_id: form}, planned)
        refunding.request_or_look(leg_id, wish, by=access.current_actor())
    except OpsError as error:
        return _page(order_id, notice=errors.told(error)), error.http_status
    return redirect(url_for(".show", order_id=order_id, done="refunded"))


@routes.post("/<id:order_id>/legs/<id:leg_id>/give-up")
@requires(Permission.MANAGE_ORDERS)
def give_up(order_id: int, leg_id: int) -> Answer:
    leg = _leg(order_id, leg_id)
    try:
        with transaction():
            releasing.give_up(leg.leg.id, by=access.current_actor())
    except OpsError as error:
        return _page(order_id, notice=errors.told(error)), error.http_status
    return redirect(url_for(".show", order_id=order_id, done="given_up"))


def _leg(order_id: int, leg_id: int) -> LegPicture:
    leg = showing_orders.find_leg(order_id, leg_id)
    if leg is None:
        raise NoSuchPage
    return leg


def _wish(order_id: int, leg: LegPicture, form: OrderRefundForm) -> OrderRefundWish:
    """In full: all that is left of the line, or of the leg. Raises NotFound."""
    seen = int(form.seen.data or 0)
    amount = form.wished
    if form.kind.data == "full" and form.line_id is not None:
        left = weighing.left_of_line(leg.leg.id, form.line_id)
        amount = Money(min(left, seen), leg.leg.currency)
    request_id, reason = form.request_id.data or "", form.reason
    return OrderRefundWish(request_id, amount, form.line_id, reason, seen, is_by_hand=True)


def _fresh_form(leg: LegPicture) -> OrderRefundForm:
    seen = leg.refundable.minor + leg.refundable_points
    data = {"request_id": new_ref("req"), "seen": str(seen), "currency": leg.leg.currency}
    return OrderRefundForm(formdata=None, data=data | {"kind": "full"})


def _page(
    order_id: int,
    filled: dict[int, OrderRefundForm] | None = None,
    planned: OrderRefundPlan | None = None,
    *,
    notice: str = "",
) -> str:
    page = showing_orders.get_page(order_id)
    refundable = [
        leg for leg in page.picture.legs if leg.refundable.minor + leg.refundable_points > 0
    ]
    drawn = {leg.leg.id: _fresh_form(leg) for leg in refundable} | (filled or {})
    for leg_id, form in drawn.items():
        form.name_apart(leg_id)
    values: dict[str, Any] = {
        "forms": drawn,
        "preview": planned.falls if planned else None,
        "planned": planned,
        "approval_words": approval_words,
        "planned_items": _items(page, planned),
        "message": _message(planned, page.customer.id) if planned else "",
        "notice": notice,
        "done": forms.choice("done", sale_words.PAGE_DONE, ""),
        "reasons": words.REFUND_REASONS,
        "told": sale_words,
    }
    actors = {e.actor for e in page.timeline} | {r.requested_by for r, _ in page.refunds}
    names = staff.names_of_actors(actors)
    return render_template("console/orders/detail.html", page=page, names=names, **values)


def _items(page: showing_orders.OrderPage, planned: OrderRefundPlan | None) -> Sequence[Item]:
    if planned is None:
        return ()
    lines, currency = page.picture.lines, planned.falls.amount.currency
    return previewing_refunds.list_items(lines, planned.falls.lines, currency)


def _message(planned: OrderRefundPlan, customer_id: int) -> str:
    """Points that go back are told by nothing but the page of points."""
    if planned.money is None:
        return ""
    return previewing_refunds.word_message(planned.money, customer_id)
