from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, func, literal, select

from opsapp.customers.models import (
    Customer,
    LinkTry,
    OneTimeLink,
    PaymentMethod,
    PushAddress,
)
from opsapp.customers.states import CHARGEABLE, OPEN, MethodStatus
from opsapp.kernel.crypto import Unreadable, unseal
from opsapp.kernel.db import as_array, db, is_among, kept_in_transaction, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.turns import is_claimable

HEIRS_MAX = 50  # a chain that is longer is none of a person's


_OPENED = "customers.queries.opened"


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


def push_address_context(customer_id: int, channel: str) -> str:
    return f"push_addresses.address|{channel}:{customer_id}"


def auth_key_context(method_ref: str) -> str:
    return f"payment_methods.auth_key|{method_ref}"


def billing_key_context(method_ref: str) -> str:
    return f"payment_methods.billing_key|{method_ref}"


def get_charge_keys(method_ids: Sequence[int]) -> dict[int, ChargeKeys]:
    """Decrypted: for the moment of a charge only, never to be stored or logged.

    Raises crypto.Unreadable for all of them if one cannot be opened (see list_unreadable).
    """
    opened: dict[int, ChargeKeys] = kept_in_transaction().get(_OPENED, {})
    if missing := [method_id for method_id in method_ids if method_id not in opened]:
        opened = opened | {row.id: _opened(row) for row in _list_sealed(missing)}
    return opened


def get_billing_keys(method_ids: Sequence[int]) -> dict[int, str | None]:
    """get_charge_keys reduced to the billing keys, for a run of thousands."""
    return {row.id: _billing_key(row) for row in _list_sealed(method_ids)}


def get_customer_keys(customer_ids: Sequence[int]) -> dict[int, CustomerKeys]:
    """Decrypted, as in get_charge_keys."""
    rows = db.session.scalars(select(Customer).where(Customer.id.in_(customer_ids)))
    return {row.id: _keys_of(row) for row in rows}


def list_unreadable(method_ids: Sequence[int]) -> frozenset[int]:
    """Methods whose keys cannot be opened: changed, moved, or sealed under a key that is gone.

    The others are kept open for this transaction, where get_charge_keys is asked next.
    """
    opened, unreadable = {}, set()
    for row in _list_sealed(method_ids):
        try:
            opened[row.id] = _opened(row)
        except Unreadable:
            unreadable.add(row.id)
    kept_in_transaction()[_OPENED] = opened
    return frozenset(unreadable)


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


def list_registered_by(link_id: int) -> list[PaymentMethod]:
    """Methods that were given through this link, the newest first."""
    given = select(PaymentMethod).where(PaymentMethod.link_id == link_id)
    return list(db.session.scalars(given.order_by(PaymentMethod.id.desc())))


def count_registered(customer_id: int, *, since: datetime) -> int:
    """How many methods the customer has tried to give through links."""
    given = select(func.count()).where(
        PaymentMethod.customer_id == customer_id,
        PaymentMethod.link_id.is_not(None),
        PaymentMethod.created_at > since,
    )
    return db.session.scalars(given).one()


def find_method_by_request(customer_id: int, idempotency_key: str) -> int | None:
    """The method that was asked for under this key, by this customer."""
    asked = select(PaymentMethod.id).where(
        PaymentMethod.customer_id == customer_id, PaymentMethod.idempotency_key == idempotency_key
    )
    return db.session.scalars(asked).one_or_none()


def list_replacing(method_ids: Sequence[int]) -> list[PaymentMethod]:
    """Those of them that are active and were given to take another one's place."""
    wanted = select(PaymentMethod).where(
        PaymentMethod.id.in_(method_ids),
        PaymentMethod.replaces_id.is_not(None),
        PaymentMethod.status == MethodStatus.ACTIVE.value,
    )
    fresh = wanted.order_by(PaymentMethod.id).execution_options(populate_existing=True)
    return list(db.session.scalars(fresh))


def find_heir(method_id: int) -> int:
    """The last of those that took each other's place, beginning with this one."""
    chain = (
        select(PaymentMethod.id, PaymentMethod.replaced_by_id, literal(0).label("step"))
        .where(PaymentMethod.id == method_id)
        .cte("chain", recursive=True)
    )
    nexts = (
        select(PaymentMethod.id, PaymentMethod.replaced_by_id, chain.c.step + 1)
        .join(chain, chain.c.replaced_by_id == PaymentMethod.id)
        .where(chain.c.step < HEIRS_MAX)
    )
    chain = chain.union_all(nexts)
    last = select(chain.c.id).order_by(chain.c.step.desc()).limit(1)
    heir_id: int = db.session.scalars(last).one()
    return heir_id


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
    rows = db.session.execute(_lock_claimable(), {"ids": as_array(method_ids)})
    return [
        ClaimableMethod(method, customer_ref, customer_key_sealed, now)
        for method, customer_ref, customer_key_sealed, now in rows
    ]


@cache
def _lock_claimable() -> Select[*tuple[Any, ...]]:
    claimable = (
        select(
            PaymentMethod,
            Customer.customer_ref,
            Customer.customer_key_sealed,
            func.clock_timestamp().label("now"),
        )
        .join(Customer, Customer.id == PaymentMethod.customer_id)
        .where(
            is_among(PaymentMethod.id, "ids"),
            PaymentMethod.status.in_([status.value for status in OPEN]),
            is_claimable(PaymentMethod),
        )
        .order_by(PaymentMethod.id)
    )
    return locked(claimable, of=PaymentMethod, skip=True)


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


def list_push_addresses(
    customer_ids: Sequence[int], channels: Sequence[str]
) -> dict[tuple[int, str], tuple[int, bytes]]:
    """By customer and channel: the id and the sealed address of the newest one."""
    rows = db.session.execute(
        select(
            PushAddress.customer_id,
            PushAddress.channel,
            PushAddress.id,
            PushAddress.address_sealed,
        )
        .where(PushAddress.customer_id.in_(customer_ids), PushAddress.channel.in_(channels))
        .order_by(PushAddress.id)
    )
    return {(row.customer_id, row.channel): (row.id, row.address_sealed) for row in rows}


def list_push_addresses_beyond(customer_id: int, count: int) -> list[int]:
    """Ids of all but the newest `count` of a customer."""
    of_customer = select(PushAddress.id).where(PushAddress.customer_id == customer_id)
    return list(db.session.scalars(of_customer.order_by(PushAddress.id.desc()).offset(count)))


def is_push_address_of(customer_id: int, channel: str, address_index: bytes) -> bool:
    same = select(PushAddress.id).where(
        PushAddress.customer_id == customer_id,
        PushAddress.channel == channel,
        PushAddress.address_index == address_index,
    )
    return db.session.scalars(same).first() is not None


def _usable_link(token_hash: bytes, purpose: str) -> Select[OneTimeLink]:
    return select(OneTimeLink).where(
        OneTimeLink.token_hash == token_hash,
        OneTimeLink.purpose == purpose,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > func.ops_now(),
    )


def _list_sealed(method_ids: Sequence[int]) -> Sequence[Any]:
    return db.session.execute(_sealed(), {"ids": as_array(method_ids)}).all()


@cache
def _sealed() -> Select[*tuple[Any, ...]]:
    return (
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
        .where(is_among(PaymentMethod.id, "ids"))
    )


def _keys_of(row: Customer) -> CustomerKeys:
    context = customer_key_context(row.customer_ref)
    return CustomerKeys(unseal(row.customer_key_sealed, context=context), row.name, row.email)


def _billing_key(row: Any) -> str | None:
    sealed = row.billing_key_sealed if row.status in CHARGEABLE else None
    return sealed and unseal(sealed, context=billing_key_context(row.ref))


def _opened(row: Any) -> ChargeKeys:
    return ChargeKeys(
        kind=row.kind,
        gateway_name=row.gateway_name,
        status=row.status,
        billing_key=_billing_key(row),
        customer_key=unseal(
            row.customer_key_sealed, context=customer_key_context(row.customer_ref)
        ),
        customer_name=row.name,
        customer_id=row.customer_id,
    )
