"""Describing: what an event says of its object, as columns of one statement for many.

Only references, amounts, states and codes: nothing that names or reaches a person.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from opsapp.audit.models import AuditSeal
from opsapp.catalog.models import Plan
from opsapp.checkout.models import Checkout
from opsapp.customers.models import Customer, PaymentMethod
from opsapp.kernel.log import AuditEntry
from opsapp.orders.models import Order, OrderLeg
from opsapp.orders.states import LegStatus
from opsapp.payments.models import Payment, Refund, UnmatchedMoney
from opsapp.shop_events import rules
from opsapp.shop_events.rules import TYPES, EventType
from opsapp.subscriptions.models import Subscription

COLUMNS = (
    "entry_id", "type", "object_type", "object_id", "object_ref", "occurred_at", "data",
)  # fmt: skip
_LEG = "order_leg"
_LEG_TYPES = [TYPES[f"order.leg_{what}"] for what in ("paid", "released", "reopened")]

Source = Select[*tuple[Any, ...]]
Facts = Mapping[str, Any]


def select_entries(after: int, until: int) -> Source:
    """What may be worth telling of the log between two seals."""
    sealed = (
        select(func.unnest(AuditSeal.entry_ids).label("id"))
        .where(AuditSeal.id > after, AuditSeal.id <= until)
        .subquery("sealed")
    )
    return (
        select(
            AuditEntry.id,
            AuditEntry.action,
            AuditEntry.subject_type,
            AuditEntry.subject_id,
            AuditEntry.from_state,
            AuditEntry.to_state,
            AuditEntry.at,
        )
        .join(sealed, sealed.c.id == AuditEntry.id)
        .where(AuditEntry.action.in_(rules.ACTIONS))
    )


def list_sources(entries: CTE) -> list[Source]:
    """One for each kind of object, all with COLUMNS; `entries` are those of the log."""
    return [
        _payments(entries),
        _refunds(entries),
        _deposits(entries),
        _orders(entries),
        _order_legs(entries),
        _settled_orders(entries),
        _subscriptions(entries),
        _checkouts(entries),
        _methods(entries),
    ]


def _payments(entries: CTE) -> Source:
    failed = entries.c.action == "payment.failed"
    facts = {
        "amount": Payment.amount_minor,
        "currency": Payment.currency,
        "customer": Customer.customer_ref,
        "order": Order.order_ref,
        "subscription": Subscription.ref,
        "period": case((Subscription.id.is_not(None), Payment.period_index)),
        "method_kind": Payment.method_kind,
        "failure_class": case((failed, Payment.failure_class)),
        "failure_code": case((failed, Payment.failure_code)),
    }
    of_order = and_(Payment.subject_type == "order", Order.id == Payment.subject_id)
    of_subscription = and_(
        Payment.subject_type == "subscription", Subscription.id == Payment.subject_id
    )
    return (
        _events(entries, rules.types_of("payment"), Payment.id, Payment.ref, facts)
        .join(Payment, Payment.id == entries.c.subject_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .outerjoin(Order, of_order)
        .outerjoin(Subscription, of_subscription)
    )


def _refunds(entries: CTE) -> Source:
    facts = {
        "amount": Refund.amount_minor,
        "currency": Refund.currency,
        "payment": Payment.ref,
        "customer": Customer.customer_ref,
        "failure_code": case((entries.c.action == "refund.refused", Refund.failure_code)),
    }
    return (
        _events(entries, rules.types_of("refund"), Refund.id, Refund.ref, facts)
        .join(Refund, Refund.id == entries.c.subject_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
    )


def _deposits(entries: CTE) -> Source:
    money = UnmatchedMoney
    facts = {
        "amount": money.amount_minor,
        "currency": money.currency,
        "reason": money.reason,
        "payment": Payment.ref,
        "customer": Customer.customer_ref,
    }
    return (
        _events(entries, rules.types_of("deposit"), money.id, money.ref, facts)
        .join(money, money.id == entries.c.subject_id)
        .join(Payment, Payment.id == money.payment_id)
        .join(Customer, Customer.id == money.customer_id)
    )


def _orders(entries: CTE) -> Source:
    placed = [TYPES["order.placed"]]
    return (
        _events(entries, placed, Order.id, Order.order_ref, _order_facts(), status=None)
        .join(Order, Order.id == entries.c.subject_id)
        .join(Customer, Customer.id == Order.customer_id)
    )


def _order_legs(entries: CTE) -> Source:
    facts = _order_facts() | {
        "leg": OrderLeg.number,
        "leg_kind": OrderLeg.kind,
        "leg_status": entries.c.to_state,
        "leg_amount": OrderLeg.amount_minor,
        "leg_points": OrderLeg.points,
        "payment": Payment.ref,
        "subscription": Subscription.ref,
    }
    return (
        _events(entries, _LEG_TYPES, Order.id, Order.order_ref, facts, status=None)
        .join(OrderLeg, OrderLeg.id == entries.c.subject_id)
        .join(Order, Order.id == OrderLeg.order_id)
        .join(Customer, Customer.id == Order.customer_id)
        .outerjoin(Payment, Payment.id == OrderLeg.payment_id)
        .outerjoin(Subscription, Subscription.id == OrderLeg.subscription_id)
    )


def _settled_orders(entries: CTE) -> Source:
    """Told by the last entry about its legs, once all are settled; by its placing if they were so
    from the start.
    """
    of_leg = and_(entries.c.subject_type == _LEG, OrderLeg.id == entries.c.subject_id)
    legs = OrderLeg.__table__.alias("legs")
    settled = (
        select(
            func.bool_or(legs.c.status == LegStatus.OPEN.value).label("waits"),
            func.bool_and(legs.c.status == LegStatus.PAID.value).label("is_paid"),
            func.bool_and(legs.c.status == LegStatus.RELEASED.value).label("is_released"),
        )
        .where(legs.c.order_id == Order.id)
        .correlate(Order)
        .lateral("settled")
    )
    how = case(
        (settled.c.is_paid, "paid"), (settled.c.is_released, "released"), else_="partly_paid"
    )
    return (
        select(
            entries.c.id,
            func.concat("order.", how),
            literal("order"),
            Order.id,
            Order.order_ref,
            entries.c.at,
            _data("order", Order.order_ref, {"status": how} | _order_facts()),
        )
        .select_from(entries)
        .outerjoin(OrderLeg, of_leg)
        .join(Order, Order.id == func.coalesce(OrderLeg.order_id, entries.c.subject_id))
        .join(Customer, Customer.id == Order.customer_id)
        .join(settled, true())
        .where(
            entries.c.action.in_(("order.placed", *rules.LEG_MOVED)),
            ~settled.c.waits,
            ~_moves_later(entries),
        )
    )


def _moves_later(entries: CTE) -> ColumnElement[bool]:
    leg, entry = OrderLeg.__table__.alias("later_leg"), AuditEntry.__table__.alias("later")
    return (
        exists()
        .where(
            leg.c.order_id == Order.id,
            entry.c.subject_type == _LEG,
            entry.c.subject_id == leg.c.id,
            entry.c.action.in_(rules.LEG_MOVED),
            entry.c.id > entries.c.id,
        )
        .correlate(Order, entries)
    )


def _order_facts() -> dict[str, Any]:
    return {
        "amount": Order.amount_minor,
        "points": Order.points,
        "currency": Order.currency,
        "customer": Customer.customer_ref,
    }


def _subscriptions(entries: CTE) -> Source:
    facts = {
        "amount": Subscription.amount_minor,
        "currency": Subscription.currency,
        "quantity": Subscription.quantity,
        "plan": Plan.code,
        "customer": Customer.customer_ref,
        "ends_on": Subscription.ends_on,
    }
    types = rules.types_of("subscription")
    return (
        _events(entries, types, Subscription.id, Subscription.ref, facts)
        .join(Subscription, Subscription.id == entries.c.subject_id)
        .join(Plan, Plan.id == Subscription.plan_id)
        .join(Customer, Customer.id == Subscription.customer_id)
    )


def _checkouts(entries: CTE) -> Source:
    facts = {
        "order": Checkout.order_ref,
        "amount": Checkout.amount_minor,
        "currency": Checkout.currency,
        "customer": Customer.customer_ref,
    }
    return (
        _events(entries, rules.types_of("checkout"), Checkout.id, Checkout.ref, facts)
        .join(Checkout, Checkout.id == entries.c.subject_id)
        .join(Customer, Customer.id == Checkout.customer_id)
    )


def _methods(entries: CTE) -> Source:
    method = PaymentMethod
    facts = {
        "kind": method.kind,
        "customer": Customer.customer_ref,
        "failure_code": case((entries.c.action == "payment_method.refused", method.refused_code)),
    }
    return (
        _events(entries, rules.types_of("payment_method"), method.id, method.ref, facts)
        .join(method, method.id == entries.c.subject_id)
        .join(Customer, Customer.id == method.customer_id)
    )


def _events(
    entries: CTE,
    types: Iterable[EventType],
    object_id: Any,
    object_ref: Any,
    facts: Facts,
    *,
    status: Any = "to_state",
) -> Source:
    """`status`: the column of the log that says it; None for objects that have none."""
    types = list(types)
    object_type = types[0].object_type
    states: dict[str, Any] = {}
    if status is not None:
        states = {"status": entries.c[status], "previous_status": entries.c.from_state}
    return (
        select(
            entries.c.id,
            case(*[(_is(entries, each), each.name) for each in types]),
            literal(object_type),
            object_id,
            object_ref,
            entries.c.at,
            _data(object_type, object_ref, states | dict(facts)),
        )
        .select_from(entries)
        .where(or_(*[_is(entries, each) for each in types]))
    )


def _is(entries: CTE, wanted: EventType) -> ColumnElement[bool]:
    by_action = entries.c.action.in_(wanted.actions)
    if not wanted.come_from:
        return by_action
    return and_(by_action, func.coalesce(entries.c.from_state, "").in_(wanted.come_from))


def _data(object_type: str, object_ref: Any, facts: Facts) -> ColumnElement[Any]:
    """Without what is not known: an absent field and an empty one mean the same."""
    whole = {"object": literal(object_type), "id": object_ref} | dict(facts)
    pairs = [part for name, value in whole.items() for part in (cast(literal(name), Text), value)]
    return func.jsonb_strip_nulls(func.jsonb_build_object(*pairs), type_=JSONB())
