from flask import Blueprint, render_template

from opsapp.console import list_words, lists, refunds
from opsapp.console.access import requires
from opsapp.insights import listing_events, listing_payments
from opsapp.kernel.errors import NotFound
from opsapp.staff.rules import Permission

routes = Blueprint("payments", __name__, url_prefix="/payments")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    opened = lists.open_list("payments")
    totals = listing_payments.sum_payments(opened.wish) if opened.page.rows else None
    return render_template(
        "console/payments/list.html", totals=totals, told=list_words, **opened.values
    )


@routes.get("/<id:payment_id>")
@requires(Permission.VIEW)
def show(payment_id: int) -> str:
    return refunds.render_detail(payment_id)


@routes.get("/<id:payment_id>/messages/<id:event_id>")
@requires(Permission.VIEW)
def show_message(payment_id: int, event_id: int) -> str:
    """What a gateway's message said, without what is personal: for the timeline."""
    picture = listing_events.get_picture(event_id, is_whole=False)
    if picture.payment is None or picture.payment.id != payment_id:
        raise NotFound(noun="message", id=event_id)
    return render_template("console/payments/_message.html", picture=picture)
