"""A customer's orders: what of each is paid, what is not, and what happens next."""

from datetime import timedelta

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from opsapp.checkout import opening
from opsapp.customers.linking import issue_link
from opsapp.insights import listing_my_page as listing
from opsapp.kernel.db import transaction
from opsapp.orders import queries as orders
from opsapp.portal import my_access
from opsapp.portal.my_access import by_guest, guest, shopper
from opsapp.subscriptions.errors import ChangedMeanwhile

routes = my_access.rooms("orders", "orders")

Answer = str | Response | tuple[str, int]
ONWARD = timedelta(hours=1)


@routes.get("/")
@shopper
def show_all() -> Answer:
    with transaction():
        found = listing.list_orders(guest().customer_id, cursor=request.args.get("cursor"))
        pictures = orders.list_pictures([row.id for row in found.rows])
        return my_access.page("orders.html", found=found, pictures=pictures)


@routes.get("/<id:order_id>/")
@shopper
def show(order_id: int) -> Answer:
    with transaction():
        own = listing.get_order_id(guest().customer_id, order_id)
        picture = orders.get_picture(own)
        checkout_id = listing.find_open_checkout(own)
        return my_access.page("order.html", picture=picture, may_pay=checkout_id is not None)


@routes.post("/<id:order_id>/pay/")
@shopper
def pay(order_id: int) -> Answer:
    """Onward to the page where another way to pay is chosen."""
    with transaction():
        own = listing.get_order_id(guest().customer_id, order_id)
        checkout_id = listing.find_open_checkout(own)
        if checkout_id is None:
            raise ChangedMeanwhile
        token = issue_link(
            guest().customer_id,
            purpose=opening.PURPOSE,
            subject_type=opening.PURPOSE,
            subject_id=checkout_id,
            life=ONWARD,
            by=by_guest(),
        )
    return redirect(url_for("portal_paying.show", token=token), 303)
