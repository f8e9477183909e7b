from flask import Blueprint, render_template, request

from opsapp.console import forms, refunds, words
from opsapp.console.access import requires
from opsapp.insights import listing_payments
from opsapp.insights.listing_payments import TABS, PaymentWish
from opsapp.staff.rules import Permission

routes = Blueprint("payments", __name__, url_prefix="/payments")

BASES = {"requested": "Requested at", "paid": "Approved at"}


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    wish = PaymentWish(
        tab=forms.choice("tab", TABS, "all"),
        search=forms.text("q"),
        status=forms.choice("status", words.PAYMENT, ""),
        method=forms.choice("method", words.METHOD_KIND, ""),
        gateway=forms.choice("gateway", words.GATEWAY, ""),
        amount_from=forms.whole_number("amount_from"),
        amount_to=forms.whole_number("amount_to"),
        basis=forms.choice("basis", BASES, "requested"),
        since=forms.day("since"),
        until=forms.day("until"),
    )
    page = listing_payments.list_payments(wish, cursor=request.args.get("cursor"))
    return render_template(
        "console/payments/list.html",
        page=page,
        wish=wish,
        tabs=list(TABS),
        bases=BASES,
        totals=listing_payments.sum_payments(wish) if page.rows else None,
    )


@routes.get("/<id:payment_id>")
@requires(Permission.VIEW)
def show(payment_id: int) -> str:
    return refunds.render_detail(payment_id)
