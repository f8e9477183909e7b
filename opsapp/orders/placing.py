"""Placing one-off orders: each becomes one payment, however often it is placed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Text, cast, func, select

from opsapp.customers.errors import MethodNotUsable, MethodOfAnother
from opsapp.customers.queries import list_methods_by_id
from opsapp.customers.states import MethodStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.money import Money
from opsapp.orders import queries
from opsapp.orders.errors import OrderDiffers
from opsapp.orders.models import Order
from opsapp.payments import requesting
from opsapp.payments.requesting import PaymentOrder

REF_LENGTH_MAX = 64
TITLE_LENGTH_MAX = 100  # of an order name at the gateway


@dataclass(frozen=True, slots=True)
class NewOrder:
    """`order_ref` is the shop's own number: the same one again is the same order.

    Without a registered method, `method_kind` says how the customer pays once.
    Raises Invalid naming the field.
    """

    order_ref: str
    customer_id: int
    payment_method_id: int | None
    title: str
    amount: Money
    method_kind: str | None = None
    bank: str | None = None  # of a virtual account, if the customer has a wish

    def __post_init__(self) -> None:
        if not self.order_ref or len(self.order_ref) > REF_LENGTH_MAX:
            raise Invalid(field="order_ref", reason=f"must have 1 to {REF_LENGTH_MAX} characters.")
        if not self.title.strip() or len(self.title) > TITLE_LENGTH_MAX:
            raise Invalid(field="title", reason=f"must have 1 to {TITLE_LENGTH_MAX} characters.")
        if self.amount.minor <= 0:
            raise Invalid(field="amount", reason="must be above 0.")


@within_transaction
def place_order(wish: NewOrder, *, by: Actor, hurry: bool = True) -> int:
    """Returns the order's id. Raises OrderDiffers if its number stands for another order."""
    return place_orders([wish], by=by, hurry=hurry)[0]


@within_transaction
def place_orders(wishes: Sequence[NewOrder], *, by: Actor, hurry: bool = False) -> list[int]:
    """Ids in the order of the wishes. `hurry`: a person waits for the charge.

    Raises OrderDiffers, NotFound, MethodOfAnother, MethodNotUsable.
    """
    _stand_in_line([wish.order_ref for wish in wishes])
    held = queries.list_by_ref([wish.order_ref for wish in wishes])
    first: dict[str, NewOrder] = {}
    for wish in wishes:
        if wish.order_ref in held:
            _refuse_another(_as_wish(held[wish.order_ref], wish), wish)
        else:
            _refuse_another(first.setdefault(wish.order_ref, wish), wish)
    _require_own_methods(list(first.values()))
    new = _write(list(first.values()), by=by, hurry=hurry)
    return [held[w.order_ref].id if w.order_ref in held else new[w.order_ref] for w in wishes]


def _require_own_methods(wishes: Sequence[NewOrder]) -> None:
    named = [wish for wish in wishes if wish.payment_method_id is not None]
    methods = list_methods_by_id([w.payment_method_id for w in named if w.payment_method_id])
    for wish in named:
        if (method := methods.get(wish.payment_method_id or 0)) is None:
            raise NotFound(noun="payment method", id=wish.payment_method_id)
        if method.customer_id != wish.customer_id:
            raise MethodOfAnother(field="payment_method")
        if method.status != MethodStatus.ACTIVE:
            raise MethodNotUsable(field="payment_method", status=method.status)


def _write(wishes: Sequence[NewOrder], *, by: Actor, hurry: bool) -> dict[str, int]:
    if not wishes:
        return {}
    ids = queries.take_ids(len(wishes))  # the payment names the order, and the order the payment
    orders = [
        PaymentOrder(
            subject_type=queries.SUBJECT,
            subject_id=order_id,
            customer_id=wish.customer_id,
            payment_method_id=wish.payment_method_id,
            title=wish.title,
            amount=wish.amount,
            method_kind=wish.method_kind,
            bank=wish.bank,
        )
        for order_id, wish in zip(ids, wishes, strict=True)
    ]
    payments = requesting.request_payments(orders, by=by, hurry=hurry)
    now = clock.now()
    bulk_insert(
        Order,
        [
            {
                "id": order.subject_id,
                "order_ref": wish.order_ref,
                "customer_id": wish.customer_id,
                "title": wish.title,
                "amount_minor": wish.amount.minor,
                "currency": wish.amount.currency,
                "payment_id": payments[order.key],
                "placed_at": now,
            }
            for order, wish in zip(orders, wishes, strict=True)
        ],
    )
    record_many([Entry("order.placed", queries.SUBJECT, order_id) for order_id in ids], by=by)
    return {wish.order_ref: order_id for wish, order_id in zip(wishes, ids, strict=True)}


def _stand_in_line(order_refs: Sequence[str]) -> None:
    """A double click waits here for its first half, and then finds its order."""
    refs = select(func.unnest(cast(sorted(set(order_refs)), ARRAY(Text))).label("ref")).subquery()
    number = func.hashtextextended(refs.c.ref, 0)
    db.session.execute(select(func.pg_advisory_xact_lock(number)))


def _as_wish(order: Order, wish: NewOrder) -> NewOrder:
    return NewOrder(
        order.order_ref, order.customer_id, wish.payment_method_id, order.title, order.amount
    )


def _refuse_another(held: NewOrder, wanted: NewOrder) -> None:
    if (held.customer_id, held.amount) != (wanted.customer_id, wanted.amount):
        raise OrderDiffers(
            field="order_ref", order_ref=held.order_ref, held=held.amount, wanted=wanted.amount
        )
