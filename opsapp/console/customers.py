from flask import Blueprint, render_template, request

from opsapp.console import forms
from opsapp.console.access import requires
from opsapp.insights import listing_payments, listing_people
from opsapp.staff.rules import Permission

routes = Blueprint("customers", __name__, url_prefix="/customers")


@routes.get("/")
@requires(Permission.VIEW)
def show_list() -> str:
    search = forms.text("q")
    page = listing_people.list_customers(search=search, cursor=request.args.get("cursor"))
    return render_template("console/customers/list.html", page=page, search=search)


@routes.get("/<id:customer_id>")
@requires(Permission.VIEW)
def show(customer_id: int) -> str:
    return render_template(
        "console/customers/detail.html",
        customer=listing_people.get_customer(customer_id),
        methods=listing_people.list_methods(customer_id),
        subscriptions=listing_people.list_subscriptions_of(customer_id),
        payments=listing_payments.list_of_customer(customer_id),
        tickets=listing_people.list_tickets_of(customer_id),
    )
