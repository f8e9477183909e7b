"""Registered ways to pay. Keys and numbers never leave; a label and four digits do."""

from typing import Any

from flask import Blueprint

from opsapp.api import access
from opsapp.api.access import scoped
from opsapp.api.paging import listed
from opsapp.api.schemas import (
    MethodQuery,
    NewPaymentMethod,
    Nothing,
    PaymentMethod,
    PaymentMethodList,
)
from opsapp.customers import deleting, payment_methods, replacing
from opsapp.customers.errors import NotRegistrable
from opsapp.customers.payment_methods import VIRTUAL_ACCOUNT, NewMethod
from opsapp.insights import serving_customers as serving
from opsapp.programs import installing
from opsapp.programs.rules import Scope

routes = Blueprint("payment_methods", __name__, url_prefix="/payment-methods")


@routes.post("")
@scoped(
    Scope.METHODS_WRITE,
    "createPaymentMethod",
    body=NewPaymentMethod,
    answers=PaymentMethod,
    status=201,
)
def create(body: NewPaymentMethod) -> PaymentMethod:
    """Register what the customer agreed to at the gateway's window.

    It is `requested` until the gateway has given its billing key; a virtual account is active at
    once.
    """
    customer_id = serving.get_customer_id(body.customer)
    if body.kind != VIRTUAL_ACCOUNT and body.kind not in replacing.list_offers(body.gateway):
        raise NotRegistrable(field="kind")
    wish = NewMethod(
        customer_id=customer_id,
        kind=body.kind,
        gateway_name=body.gateway,
        auth_key=body.auth_key,
        is_default=body.is_default,
    )
    [method_id] = payment_methods.add_methods([wish], by=access.current_actor())
    return _method(serving.get_method_by_id(method_id))


@routes.get("")
@scoped(Scope.METHODS_READ, "listPaymentMethods", query=MethodQuery, answers=PaymentMethodList)
def list_all(query: MethodQuery) -> PaymentMethodList:
    """The newest first, of one customer or of all."""
    page = serving.list_methods(query.customer, cursor=query.cursor, size=query.limit)
    return PaymentMethodList(**listed(page, _method))


@routes.get("/<payment_method_id>")
@scoped(Scope.METHODS_READ, "getPaymentMethod", answers=PaymentMethod)
def show(payment_method_id: str) -> PaymentMethod:
    """One payment method, also one that was deleted."""
    return _method(serving.get_method(payment_method_id))


@routes.post("/<payment_method_id>/delete")
@scoped(Scope.METHODS_WRITE, "deletePaymentMethod", body=Nothing, answers=PaymentMethod)
def delete(payment_method_id: str, body: Nothing) -> PaymentMethod:
    """Charge nothing to it from now on; its key is deleted at the gateway, then here."""
    deleting.delete(
        serving.get_method(payment_method_id).id,
        because="deleted by the shop's program",
        by=access.current_actor(),
    )
    return _method(serving.get_method(payment_method_id))


@routes.post("/<payment_method_id>/make-default")
@scoped(Scope.METHODS_WRITE, "makeDefaultPaymentMethod", body=Nothing, answers=PaymentMethod)
def make_default(payment_method_id: str, body: Nothing) -> PaymentMethod:
    """Offer it first from now on."""
    payment_methods.set_default(serving.get_method(payment_method_id).id, by=access.current_actor())
    return _method(serving.get_method(payment_method_id))


def _method(row: Any) -> PaymentMethod:
    return PaymentMethod(
        livemode=installing.is_live(),
        id=row.ref,
        customer=row.customer_ref,
        kind=row.kind,
        gateway=row.gateway_name,
        status=row.status,
        label=row.label,
        last4=row.last4,
        expires_on=row.expires_on,
        is_default=row.is_default,
        created_at=row.created_at,
    )
