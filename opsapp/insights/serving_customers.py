"""What the shop's programs read of customers, methods, plans and sellers: by reference."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from opsapp.catalog.models import Plan, Seller
from opsapp.catalog.queries import list_all_terms_on, list_terms_on
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.kernel import clock
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of


def get_customer(customer_ref: str) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_customers().where(Customer.customer_ref == customer_ref)).first()
    if found is None:
        raise NotFound(noun="customer", id="")
    return found


def list_customers(*, cursor: str | None, size: int) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    return page_of(_customers(), keys=(Customer.id,), cursor=cursor, size=size)


def get_customer_id(customer_ref: str) -> int:
    """Raises NotFound."""
    found = db.session.scalars(_customer_id(), {"ref": customer_ref}).one_or_none()
    if found is None:
        raise NotFound(noun="customer", id="")
    return found


def get_method(method_ref: str) -> Any:
    """Raises NotFound."""
    found = db.session.execute(_methods().where(PaymentMethod.ref == method_ref)).first()
    if found is None:
        raise NotFound(noun="payment method", id="")
    return found


def get_method_by_id(method_id: int) -> Any:
    return db.session.execute(_methods().where(PaymentMethod.id == method_id)).one()


def get_method_id(method_ref: str) -> int:
    """Raises NotFound."""
    found = db.session.scalars(_method_id(), {"ref": method_ref}).one_or_none()
    if found is None:
        raise NotFound(noun="payment method", id="")
    return found


def list_ids_of_methods(method_refs: Sequence[str]) -> dict[str, tuple[int, str, int]]:
    """By reference: its id, and its customer's reference and id."""
    theirs = select(
        PaymentMethod.ref, PaymentMethod.id, Customer.customer_ref, PaymentMethod.customer_id
    ).join(Customer, Customer.id == PaymentMethod.customer_id)
    rows = db.session.execute(theirs.where(PaymentMethod.ref.in_(method_refs)))
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def list_methods(customer_ref: str, *, cursor: str | None, size: int) -> Page[Any]:
    """Raises BadCursor."""
    statement = _methods()
    if customer_ref:
        statement = statement.where(Customer.customer_ref == customer_ref)
    return page_of(statement, keys=(PaymentMethod.id,), cursor=cursor, size=size)


def get_plan_id(code: str) -> int:
    """Raises NotFound."""
    found = db.session.scalars(select(Plan.id).where(Plan.code == code)).one_or_none()
    if found is None:
        raise NotFound(noun="plan", id="")
    return found


def list_ids_of_plans(codes: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Id and name by code."""
    rows = db.session.execute(select(Plan.code, Plan.id, Plan.name).where(Plan.code.in_(codes)))
    return {row.code: (row.id, row.name) for row in rows}


def list_ids_of_sellers(refs: Sequence[str]) -> dict[str, int]:
    rows = db.session.execute(select(Seller.ref, Seller.id).where(Seller.ref.in_(refs)))
    return {row.ref: row.id for row in rows}


def list_plans(*, cursor: str | None, size: int) -> tuple[Page[Any], dict[int, Any]]:
    """Plans with their seller's reference, and the terms in force today by plan."""
    statement = select(
        Plan.id, Plan.code, Plan.name, Plan.interval, Plan.interval_count, Seller.ref
    ).outerjoin(Seller, Seller.id == Plan.seller_id)
    page = page_of(statement, keys=(Plan.id,), cursor=cursor, size=size)
    today = clock.seoul_date(clock.now())
    return page, {terms.plan_id: terms for terms in list_all_terms_on(today)}


def list_sellers(*, cursor: str | None, size: int) -> Page[Any]:
    statement = select(Seller.id, Seller.ref, Seller.name, Seller.fee_bp, Seller.created_at)
    return page_of(statement, keys=(Seller.id,), cursor=cursor, size=size)


def list_prices(plan_ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """What one of a plan costs each period from today on, by plan."""
    today = clock.seoul_date(clock.now())
    terms_of = list_terms_on(plan_ids, today)
    return {id_: (terms.amount_minor, terms.currency) for id_, terms in terms_of.items()}


@cache
def _customer_id() -> Select[int]:
    return select(Customer.id).where(Customer.customer_ref == bindparam("ref"))


@cache
def _method_id() -> Select[int]:
    return select(PaymentMethod.id).where(PaymentMethod.ref == bindparam("ref"))


def _customers() -> Select[*tuple[Any, ...]]:
    return select(
        Customer.id,
        Customer.customer_ref,
        Customer.name,
        Customer.email,
        Customer.phone,
        Customer.locale,
        Customer.created_at,
    )


def _methods() -> Select[*tuple[Any, ...]]:
    return select(
        PaymentMethod.id,
        PaymentMethod.ref,
        Customer.customer_ref,
        PaymentMethod.customer_id,
        PaymentMethod.kind,
        PaymentMethod.gateway_name,
        PaymentMethod.status,
        PaymentMethod.label,
        PaymentMethod.last4,
        PaymentMethod.expires_on,
        PaymentMethod.is_default,
        PaymentMethod.created_at,
    ).join(Customer, Customer.id == PaymentMethod.customer_id)
