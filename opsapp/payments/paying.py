"""Paying: who is asked for the money of an order, where, and in which way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from opsapp.customers.queries import get_charge_keys, get_customer_keys
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import ChargeBody, Flow
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.routing.choosing import choose_gateway

VIRTUAL_ACCOUNT = "virtual_account"


class Wanted(Protocol):
    """What is asked of a payment order here."""

    @property
    def customer_id(self) -> int: ...
    @property
    def payment_method_id(self) -> int | None: ...
    @property
    def method_kind(self) -> str | None: ...
    @property
    def bank(self) -> str | None: ...
    @property
    def title(self) -> str: ...
    @property
    def amount(self) -> Money: ...


@dataclass(frozen=True, slots=True)
class Payer:
    """One customer at one gateway."""

    gateway_name: str
    method_kind: str
    flow: Flow
    customer_key: str
    customer_name: str

    def charge(
        self, order: Wanted, gateway_order_id: str, *, gateway_key: str | None = None
    ) -> ChargeBody:
        return ChargeBody(
            flow=self.flow,
            method_kind=self.method_kind,
            gateway_order_id=gateway_order_id,
            title=order.title,
            amount=order.amount,
            customer_key=self.customer_key,
            customer_name=self.customer_name,
            gateway_key=gateway_key,
            bank=order.bank,
        )


def find_payers(
    orders: Sequence[Wanted], *, not_these: frozenset[str] = frozenset()
) -> list[Payer]:
    """One for each order, in the same order. Raises Invalid and NoRoute.

    A billing key is worth something at its own gateway only; an account or a window may be
    anybody's who takes that kind and amount now, and who is none of `not_these`.
    """
    methods = get_charge_keys(_known(order.payment_method_id for order in orders))
    guests = [order.customer_id for order in orders if order.payment_method_id is None]
    customers = get_customer_keys(guests) if guests else {}
    payers = []
    for order in orders:
        if order.payment_method_id is None:
            keys = customers[order.customer_id]
            gateway_name, kind = _route(order, not_these)
            flow = _flow_without_method(gateway_name, kind)
            payers.append(Payer(gateway_name, kind, flow, keys.customer_key, keys.name))
            continue
        method = methods[order.payment_method_id]
        gateway_name, flow = method.gateway_name, flow_of(method.kind)
        if gateway_name in not_these and flow is Flow.ACCOUNT:
            gateway_name = choose_gateway(method.kind, order.amount, not_these=not_these)
        payers.append(
            Payer(gateway_name, method.kind, flow, method.customer_key, method.customer_name)
        )
    return payers


def flow_of(method_kind: str) -> Flow:
    """How a registered method is asked for money."""
    return Flow.ACCOUNT if method_kind == VIRTUAL_ACCOUNT else Flow.BILLING


def _route(order: Wanted, not_these: frozenset[str]) -> tuple[str, str]:
    if order.method_kind is None:
        raise Invalid(field="method", reason="is missing: how shall it be paid?")
    return choose_gateway(order.method_kind, order.amount, not_these=not_these), order.method_kind


def _flow_without_method(gateway_name: str, method_kind: str) -> Flow:
    issues = gateway_named(gateway_name).capabilities.issues_accounts
    return Flow.ACCOUNT if method_kind == VIRTUAL_ACCOUNT and issues else Flow.WINDOW


def _known(method_ids: Iterable[int | None]) -> list[int]:
    return [method_id for method_id in method_ids if method_id is not None]
