from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.customers.models import Customer, LinkTry, OneTimeLink, PaymentMethod
from opsapp.customers.states import CHARGEABLE, OPEN, MethodStatus
from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.turns import is_claimable


@dataclass(frozen=True, slots=True)
class ChargeKeys:
    """What a charge needs to know of a method.

    `billing_key` is None without one, and while the method may not be charged.
    """

    kind: str
    gateway_name: str
    status: str
    billing_key: str | None = field(repr=False)
    customer_key: str = field(repr=False)
    customer_name: str
    customer_id: int


@dataclass(frozen=True, slots=True)
class CustomerKeys:
    """What a gateway is told of a customer who pays without a registered method."""

    customer_key: str = field(repr=False)
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class ClaimableMethod:
    """A method that wants a turn at its gateway, with the customer's name there, still sealed."""

    method: PaymentMethod
    customer_ref: str
    customer_key_sealed: bytes
    now: datetime  # the database's clock, for the lease


def customer_key_context(customer_ref: str) -> str:
    return f"customers.customer_key|{customer_ref}"


def auth_key_context(method_ref: str) -> str:
    return f"payment_methods.auth_key|{method_ref}"


def billing_key_context(method_ref: str) -> str:
    return f"payment_methods.billing_key|{method_ref}"


def get_charge_keys(method_ids: Sequence[int]) -> dict[int, ChargeKeys]:
    """Decrypted: for the moment of a charge only, never to be stored or logged.

    Raises crypto.Unreadable for all of them if one cannot be opened (see list_unreadable).
    """
    return {row.id: _opened(row) for row in _list_sealed(method_ids)}


def get_customer_keys(customer_ids: Sequence[int]) -> dict[int, CustomerKeys]:
    """Decrypted, as in get_charge_keys."""
    rows = db.session.scalars(select(Customer).where(Customer.id.in_(customer_ids)))
    return {row.id: _keys_of(row) for row in rows}


def list_unreadable(method_ids: Sequence[int]) -> frozenset[int]:
    """Methods whose keys cannot be opened: changed, moved, or sealed under a key that is gone."""
    return frozenset(row.id for row in _list_sealed(method_ids) if not _can_be_opened(row))


def get_customer(customer_id: int) -> Customer:
    customer = db.session.get(Customer, customer_id)
    if customer is None:
        raise NotFound(noun="customer", id=customer_id)
    return customer


def list_customers(customer_ids: Sequence[int]) -> dict[int, Customer]:
    rows = db.session.scalars(select(Customer).where(Customer.id.in_(customer_ids)))
    return {customer.id: customer for customer in rows}


def list_ids_by_ref(customer_refs: Sequence[str]) -> dict[str, int]:
    rows = db.session.execute(
        select(Customer.customer_ref, Customer.id).where(Customer.customer_ref.in_(customer_refs))
    )
    return {row.customer_ref: row.id for row in rows}


def list_methods(customer_id: int) -> list[PaymentMethod]:
    """All of a customer's methods but the deleted ones, the default first."""
    return list(
        db.session.scalars(
            select(PaymentMethod)
            .where(
                PaymentMethod.customer_id == customer_id,
                PaymentMethod.status != MethodStatus.DELETED,
            )
            .order_by(PaymentMethod.is_default.desc(), PaymentMethod.id)
        )
    )


def list_methods_by_id(method_ids: Sequence[int]) -> dict[int, PaymentMethod]:
    rows = db.session.scalars(select(PaymentMethod).where(PaymentMethod.id.in_(method_ids)))
    return {method.id: method for method in rows}


def count_methods_by_status(method_ids: Sequence[int]) -> dict[str, int]:
    counts = (
        select(PaymentMethod.status, func.count())
        .where(PaymentMethod.id.in_(method_ids))
        .group_by(PaymentMethod.status)
    )
    return dict(db.session.execute(counts).all())


def lock_customer(customer_id: int) -> Customer:
    customer = db.session.scalars(
        locked(select(Customer).where(Customer.id == customer_id))
    ).one_or_none()
    if customer is None:
        raise NotFound(noun="customer", id=customer_id)
    return customer


def lock_method(method_id: int) -> PaymentMethod:
    method = db.session.scalars(
        locked(select(PaymentMethod).where(PaymentMethod.id == method_id))
    ).one_or_none()
    if method is None:
        raise NotFound(noun="payment method", id=method_id)
    return method


def lock_methods(method_ids: Sequence[int]) -> list[PaymentMethod]:
    methods = (
        select(PaymentMethod).where(PaymentMethod.id.in_(method_ids)).order_by(PaymentMethod.id)
    )
    return list(db.session.scalars(locked(methods)))


def lock_method_by_key(gateway_name: str, billing_key_index: bytes) -> PaymentMethod | None:
    found = select(PaymentMethod).where(
        PaymentMethod.billing_key_index == billing_key_index,
        PaymentMethod.gateway_name == gateway_name,
    )
    return db.session.scalars(locked(found)).one_or_none()


def lock_claimable(method_ids: Sequence[int]) -> list[ClaimableMethod]:
    """Methods that nobody holds; rows another worker is just claiming are passed over."""
    claimable = (
        select(
            PaymentMethod,
            Customer.customer_ref,
            Customer.customer_key_sealed,
            func.clock_timestamp().label("now"),
        )
        .join(Customer, Customer.id == PaymentMethod.customer_id)
        .where(
            PaymentMethod.id.in_(method_ids),
            PaymentMethod.status.in_([status.value for status in OPEN]),
            is_claimable(PaymentMethod),
        )
        .order_by(PaymentMethod.id)
    )
    rows = db.session.execute(locked(claimable, of=PaymentMethod, skip=True))
    return [
        ClaimableMethod(method, customer_ref, customer_key_sealed, now)
        for method, customer_ref, customer_key_sealed, now in rows
    ]


def find_link(token_hash: bytes, *, purpose: str) -> OneTimeLink | None:
    return db.session.scalars(_usable_link(token_hash, purpose)).one_or_none()


def lock_link(token_hash: bytes, *, purpose: str) -> OneTimeLink | None:
    return db.session.scalars(locked(_usable_link(token_hash, purpose))).one_or_none()


def count_link_tries(address: str, *, within: timedelta) -> int:
    return db.session.scalars(
        select(func.count()).where(
            LinkTry.address == address, LinkTry.at > func.clock_timestamp() - within
        )
    ).one()


def _usable_link(token_hash: bytes, purpose: str) -> Select[OneTimeLink]:
    return select(OneTimeLink).where(
        OneTimeLink.token_hash == token_hash,
        OneTimeLink.purpose == purpose,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > func.ops_now(),
    )


def _list_sealed(method_ids: Sequence[int]) -> Sequence[Any]:
    sealed = (
        select(
            PaymentMethod.id,
            PaymentMethod.ref,
            PaymentMethod.kind,
            PaymentMethod.gateway_name,
            PaymentMethod.status,
            PaymentMethod.billing_key_sealed,
            Customer.customer_key_sealed,
            Customer.customer_ref,
            Customer.name,
            Customer.id.label("customer_id"),
        )
        .join(Customer, Customer.id == PaymentMethod.customer_id)
        .where(PaymentMethod.id.in_(method_ids))
    )
    return db.session.execute(sealed).all()


def _keys_of(row: Customer) -> CustomerKeys:
    context = customer_key_context(row.customer_ref)
    return CustomerKeys(unseal(row.customer_key_sealed, context=context), row.name, row.email)


def _opened(row: Any) -> ChargeKeys:
    sealed = row.billing_key_sealed if row.status in CHARGEABLE else None
    return ChargeKeys(
        kind=row.kind,
        gateway_name=row.gateway_name,
        status=row.status,
        billing_key=sealed and unseal(sealed, context=billing_key_context(row.ref)),
        customer_key=unseal(
            row.customer_key_sealed, context=customer_key_context(row.customer_ref)
        ),
        customer_name=row.name,
        customer_id=row.customer_id,
    )


def _can_be_opened(row: Any) -> bool:
    try:
        _opened(row)
    except (Unreadable, ValueError, IndexError):  # the last two: not even the form of a seal
        return False
    return True
