"""A customer's payments with their receipts and refunds, and what is to be paid in."""

from flask import request
from werkzeug.wrappers import Response

from opsapp.insights import listing_my_page as listing, showing_my_page as showing
from opsapp.kernel.db import transaction
from opsapp.kernel.locale import current_locale
from opsapp.payments import explaining
from opsapp.portal import my_access
from opsapp.portal.my_access import guest, shopper

routes = my_access.rooms("payments", "")

Answer = str | Response | tuple[str, int]


@routes.get("/payments/")
@shopper
def show() -> Answer:
    with transaction():
        found = listing.list_payments(guest().customer_id, cursor=request.args.get("cursor"))
    return my_access.page("payments.html", found=found)


@routes.get("/payments/<ref>/")
@shopper
def show_one(ref: str) -> Answer:
    with transaction():
        own = listing.get_payment(guest().customer_id, ref)
        payment, code = own.payment, own.payment.failure_code
        told = _hint(code, payment.gateway_name) if payment.status == "failed" else ""
        return my_access.page("payment.html", own=own, told=told)


@routes.get("/deposits/")
@shopper
def show_deposits() -> Answer:
    with transaction():
        deposits = showing.list_deposits(guest().customer_id)
    return my_access.page("deposits.html", deposits=deposits)


def _hint(code: str | None, gateway_name: str) -> str:
    if not code:
        return ""
    explaining.refresh()
    told = explaining.explain(code, gateway_name=gateway_name, locale=current_locale.get())
    return told.hint if told else ""
