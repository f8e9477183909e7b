"""The shop's customers. Who lacks customers:read sees them masked."""

from typing import Any

from flask import Blueprint

from opsapp.api import access
from opsapp.api.access import scoped
from opsapp.api.paging import ListQuery, listed
from opsapp.api.schemas import Customer, CustomerChange, CustomerList, NewCustomer
from opsapp.customers import queries, registering
from opsapp.customers.errors import CustomerDiffers
from opsapp.insights import serving_customers as serving
from opsapp.kernel.masking import mask_email, mask_name, mask_phone
from opsapp.programs import installing
from opsapp.programs.rules import Scope

routes = Blueprint("customers", __name__, url_prefix="/customers")


@routes.post("")
@scoped(Scope.CUSTOMERS_WRITE, "createCustomer", body=NewCustomer, answers=Customer, status=201)
def create(body: NewCustomer) -> Customer:
    """Register a customer under the shop's own number.

    One who is known already under it with the same data is answered as they are.
    """
    wish = registering.NewCustomer(body.id, body.name, body.email, body.phone, body.locale)
    ids = registering.register_customers([wish], by=access.current_actor())
    held = queries.get_customer(ids[body.id])
    if (held.name, held.email, held.phone) != (wish.name, body.email, body.phone):
        raise CustomerDiffers(field="id")
    return _customer(serving.get_customer(body.id))


@routes.get("")
@scoped(Scope.CUSTOMERS_READ, "listCustomers", query=ListQuery, answers=CustomerList)
def list_all(query: ListQuery) -> CustomerList:
    """The newest first."""
    page = serving.list_customers(cursor=query.cursor, size=query.limit)
    return CustomerList(**listed(page, _customer))


@routes.get("/<customer_id>")
@scoped(Scope.CUSTOMERS_READ, "getCustomer", answers=Customer)
def show(customer_id: str) -> Customer:
    """One customer."""
    return _customer(serving.get_customer(customer_id))


@routes.patch("/<customer_id>")
@scoped(Scope.CUSTOMERS_WRITE, "updateCustomer", body=CustomerChange, answers=Customer)
def update(customer_id: str, body: CustomerChange) -> Customer:
    """Change what is named; the rest stays."""
    held = queries.get_customer(serving.get_customer_id(customer_id))
    registering.change_contact(
        held.id,
        name=body.name or held.name,
        email=body.email or held.email,
        phone=body.phone or held.phone,
        locale=body.locale or held.locale,
        by=access.current_actor(),
    )
    return _customer(serving.get_customer(customer_id))


def _customer(row: Any) -> Customer:
    is_whole = access.may(Scope.CUSTOMERS_READ)
    return Customer(
        livemode=installing.is_live(),
        id=row.customer_ref,
        name=row.name if is_whole else mask_name(row.name),
        email=row.email if is_whole else mask_email(row.email),
        phone=row.phone if is_whole else mask_phone(row.phone),
        locale=row.locale,
        created_at=row.created_at,
    )
