"""Checkouts: a page of ours where the customer chooses how to pay."""

from datetime import timedelta
from typing import Any

from flask import Blueprint

from opsapp.api import access, carts
from opsapp.api.access import scoped
from opsapp.api.order_schemas import Checkout, CheckoutList, NewCheckout, OrderQuery
from opsapp.api.paging import listed
from opsapp.api.schemas import Nothing
from opsapp.checkout import opening
from opsapp.insights import serving_customers, serving_orders as serving
from opsapp.programs import installing
from opsapp.programs.rules import Scope
from opsapp.settings import current

routes = Blueprint("checkouts", __name__, url_prefix="/checkouts")


@routes.post("")
@scoped(Scope.CHECKOUTS_WRITE, "createCheckout", body=NewCheckout, answers=Checkout, status=201)
def create(body: NewCheckout) -> Checkout:
    """Open a page for one cart; send the customer to its `url`."""
    wish = opening.NewCheckout(
        serving_customers.get_customer_id(body.customer),
        body.title,
        order_ref=body.order,
        life=timedelta(hours=body.life_hours),
        lines=carts.read_lines(body.lines),
        on_failure=body.on_failure,
        return_url=body.return_url,
        points_allowed=body.points_allowed,
    )
    checkout_id, token = opening.open_checkout(wish, by=access.current_actor())
    url = f"{current().public_url}/pay/{token}"
    return _checkout(serving.get_checkout_by_id(checkout_id), url=url)


@routes.get("")
@scoped(Scope.CHECKOUTS_READ, "listCheckouts", query=OrderQuery, answers=CheckoutList)
def list_all(query: OrderQuery) -> CheckoutList:
    """The newest first."""
    page = serving.list_checkouts(query.customer, cursor=query.cursor, size=query.limit)
    return CheckoutList(**listed(page, _checkout))


@routes.get("/<checkout_id>")
@scoped(Scope.CHECKOUTS_READ, "getCheckout", answers=Checkout)
def show(checkout_id: str) -> Checkout:
    """One checkout, without its address."""
    return _checkout(serving.get_checkout(checkout_id))


@routes.post("/<checkout_id>/cancel")
@scoped(Scope.CHECKOUTS_WRITE, "cancelCheckout", body=Nothing, answers=Checkout)
def cancel(checkout_id: str, body: Nothing) -> Checkout:
    """Take it back; what is under way at a gateway goes on to its certain end."""
    opening.cancel(serving.get_checkout(checkout_id).id, by=access.current_actor())
    return _checkout(serving.get_checkout(checkout_id))


def _checkout(row: Any, *, url: str | None = None) -> Checkout:
    return Checkout(
        livemode=installing.is_live(),
        id=row.ref,
        customer=row.customer_ref,
        title=row.title,
        amount=row.amount_minor,
        currency=row.currency,
        status=row.status,
        url=url,
        order=row.order_ref,
        is_order_placed=row.order_id is not None,
        on_failure=row.on_failure,
        return_url=row.return_url,
        points_allowed=row.points_allowed,
        opened_at=row.opened_at,
        expires_at=row.expires_at,
    )
