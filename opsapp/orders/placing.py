"""Placing: a cart becomes an order of lines and legs, however often it is placed.

All one-off lines are one leg with one payment. What recurs is one leg for each subscription; its
payment is the subscription's own first period, made before the order is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid, OpsError
from opsapp.kernel.events import announce
from opsapp.kernel.log import Entry, Origin, record_many
from opsapp.kernel.money import Money
from opsapp.orders import queries, tendering
from opsapp.orders.errors import OrderDiffers
from opsapp.orders.events import LegFact, LegsPaid
from opsapp.orders.models import Order, OrderLeg, OrderLine
from opsapp.orders.states import LEG, ON_FAILURE, ONE_OFF, SUBSCRIPTION, LegStatus
from opsapp.payments import requesting
from opsapp.payments.requesting import PaymentOrder

REF_LENGTH_MAX = 64
TITLE_LENGTH_MAX = 100  # of an order name at the gateway
LINES_MAX = 100
QUANTITY_MAX = 10_000
AMOUNT_MINOR_MAX = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LineWish:
    """One thing in a cart. `unit_price` of a subscription is its plan's, each period.

    `tax_free_minor` is part of the amount, `shipping_minor` comes on top of the unit prices.
    Raises Invalid naming the field.
    """

    kind: str
    title: str
    quantity: int
    unit_price: Money
    seller_id: int | None = None
    plan_id: int | None = None
    tax_free_minor: int = 0
    shipping_minor: int = 0
    product_ref: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (ONE_OFF, SUBSCRIPTION):
            raise Invalid(field="kind", reason=f"must be {ONE_OFF} or {SUBSCRIPTION}.")
        if not 1 <= len(self.title.strip()) <= TITLE_LENGTH_MAX:
            raise Invalid(field="title", reason=f"must have 1 to {TITLE_LENGTH_MAX} characters.")
        if not 1 <= self.quantity <= QUANTITY_MAX:
            raise Invalid(field="quantity", reason=f"must be between 1 and {QUANTITY_MAX}.")
        if not 0 < self.unit_price.minor <= AMOUNT_MINOR_MAX:
            raise Invalid(
                field="unit_price", reason=f"must be above 0 and at most {AMOUNT_MINOR_MAX}."
            )
        if not 0 <= self.shipping_minor <= AMOUNT_MINOR_MAX:
            raise Invalid(field="shipping", reason=f"must be between 0 and {AMOUNT_MINOR_MAX}.")
        if not 0 <= self.tax_free_minor <= self.amount.minor:
            raise Invalid(field="tax_free", reason="must be between 0 and the line's amount.")
        if len(self.product_ref) > REF_LENGTH_MAX:
            raise Invalid(
                field="product_ref", reason=f"must have at most {REF_LENGTH_MAX} characters."
            )
        if self.recurs != (self.plan_id is not None):
            raise Invalid(field="plan", reason="is named for a subscription, and only for one.")
        if self.recurs and self.shipping_minor:
            raise Invalid(field="shipping", reason="of a subscription is part of its price.")

    @property
    def recurs(self) -> bool:
        return self.kind == SUBSCRIPTION

    @property
    def amount(self) -> Money:
        """Of the whole line; of a subscription, each period."""
        price = self.unit_price
        return Money(price.minor * self.quantity + self.shipping_minor, price.currency)


@dataclass(frozen=True, slots=True)
class Begun:
    """The subscription that a line has become; without a payment its trial lasts."""

    line: int  # its place among the lines
    subscription_id: int
    payment_id: int | None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """`order_ref` is the shop's own number: the same one again is the same order.

    Without a registered method, `method_kind` says how the customer pays once. Without lines it
    is one line of that title and amount; with lines `amount` is their sum, or None. `points` pay
    for one-off lines. `begun`: one for each line that recurs. Raises Invalid naming the field.
    """

    order_ref: str
    customer_id: int
    payment_method_id: int | None
    title: str
    amount: Money | None = None
    method_kind: str | None = None
    bank: str | None = None  # of a virtual account, if the customer has a wish
    lines: tuple[LineWish, ...] = ()
    points: int = 0
    on_failure: str = "hold"
    hold_until: datetime | None = None
    begun: tuple[Begun, ...] = ()
    channel: str = ""  # by which it came, for the log
    asked_from: Origin | None = None  # another request than the one that writes

    def __post_init__(self) -> None:
        if not self.order_ref or len(self.order_ref) > REF_LENGTH_MAX:
            raise Invalid(field="order_ref", reason=f"must have 1 to {REF_LENGTH_MAX} characters.")
        if not self.title.strip() or len(self.title) > TITLE_LENGTH_MAX:
            raise Invalid(field="title", reason=f"must have 1 to {TITLE_LENGTH_MAX} characters.")
        if not self.lines and (self.amount is None or self.amount.minor <= 0):
            raise Invalid(field="amount", reason="must be above 0.")
        if len(self.lines) > LINES_MAX:
            raise Invalid(field="lines", reason=f"must be at most {LINES_MAX}.")
        if len({line.unit_price.currency for line in self.lines}) > 1:
            raise Invalid(field="lines", reason="must all have the same currency.")
        if sum(line.amount.minor for line in self.cart) > AMOUNT_MINOR_MAX:
            raise Invalid(field="lines", reason=f"must sum up to at most {AMOUNT_MINOR_MAX}.")
        if self.on_failure not in ON_FAILURE:
            raise Invalid(field="on_failure", reason=f"must be one of {', '.join(ON_FAILURE)}.")
        if not 0 <= self.points <= self.one_off.minor:
            raise Invalid(
                field="points", reason=f"must be between 0 and {self.one_off.minor} here."
            )

    @property
    def cart(self) -> tuple[LineWish, ...]:
        if self.lines or self.amount is None:
            return self.lines
        return (LineWish(ONE_OFF, self.title, 1, self.amount),)

    @property
    def currency(self) -> str:
        return self.cart[0].unit_price.currency

    @property
    def one_off(self) -> Money:
        """What points and money pay together for the lines that do not recur."""
        once = [line.amount.minor for line in self.cart if not line.recurs]
        return Money(sum(once), self.currency)

    @property
    def money(self) -> Money:
        return self.one_off - Money(self.points, self.currency)

    @property
    def in_trial(self) -> frozenset[int]:
        return frozenset(each.line for each in self.begun if each.payment_id is None)

    @property
    def due(self) -> Money:
        """What the whole order is about now."""
        owed = [line.amount.minor for i, line in enumerate(self.cart) if i not in self.in_trial]
        return Money(sum(owed), self.currency)


@within_transaction
def place_order(wish: NewOrder, *, by: Actor, hurry: bool = True) -> int:
    """Returns the order's id. Raises OrderDiffers if its number stands for another order."""
    return place_orders([wish], by=by, hurry=hurry)[0]


@within_transaction
def place_orders(wishes: Sequence[NewOrder], *, by: Actor, hurry: bool = False) -> list[int]:
    """Ids in the order of the wishes. `hurry`: a person waits for the charge.

    A double click waits for its first half at the unique number of the order, and finds it then.
    Raises OrderDiffers, NotFound, MethodOfAnother, MethodNotUsable, NotEnoughPoints, BelowMinimum.
    """
    first: dict[str, NewOrder] = {}
    for wish in wishes:
        _refuse_another(first.setdefault(wish.order_ref, wish), wish)
    try:
        tendering.require_payable(list(first.values()))
    except OpsError:
        # What was placed before is found, whatever has become of its card since.
        if len(ids := find_placed(list(first.values()))) < len(first):
            raise
    else:
        ids = _write([first[ref] for ref in sorted(first)], by=by, hurry=hurry)
    ids |= find_placed([wish for ref, wish in first.items() if ref not in ids])
    return [ids[wish.order_ref] for wish in wishes]


@within_transaction
def find_placed(wishes: Sequence[NewOrder]) -> dict[str, int]:
    """Ids of those that are placed already, by reference. Raises OrderDiffers."""
    held = queries.list_by_ref([wish.order_ref for wish in wishes]) if wishes else {}
    lines = queries.list_lines([order.id for order in held.values()]) if held else {}
    for wish in wishes:
        order = held.get(wish.order_ref)
        if order is not None and _contents_of(order, lines[order.id]) != _contents(wish):
            raise _differs(wish, order.amount)
    return {ref: order.id for ref, order in held.items()}


def _write(wishes: Sequence[NewOrder], *, by: Actor, hurry: bool) -> dict[str, int]:
    """Ids by reference of those that are new."""
    now = clock.now()
    rows = [_order_row(wish, now) for wish in wishes]
    written = bulk_insert(Order, rows, returning=("order_ref", "id"), or_nothing=True)
    ids = {row.order_ref: row.id for row in written}
    placed = {ids[wish.order_ref]: wish for wish in wishes if wish.order_ref in ids}
    if not placed:
        return {}
    reservations = tendering.reserve(list(placed.items()), by=by)
    payments = _request(placed, by=by, hurry=hurry)
    legs: list[dict[str, Any]] = []
    leg_of: dict[tuple[int, int], tuple[int, int]] = {}  # (order, place of a line): its leg
    for order_id, wish in placed.items():
        for leg, places in _legs(order_id, wish, payments.get(order_id), now):
            leg["reservation_id"] = reservations.get(order_id) if leg["points"] else None
            legs.append(leg)
            leg_of |= {(order_id, place): (order_id, leg["number"]) for place in places}
    written = bulk_insert(OrderLeg, legs, returning=("order_id", "number", "id"))
    leg_ids = {(row.order_id, row.number): row.id for row in written}
    bulk_insert(
        OrderLine,
        [
            _line_row(order_id, leg_ids[leg_of[order_id, place]], place, wish)
            for order_id, wish in placed.items()
            for place in range(len(wish.cart))
        ],
    )
    record_many([_placed(order_id, wish) for order_id, wish in placed.items()], by=by)
    _tell_paid([leg for leg in legs if leg["status"] == LegStatus.PAID], leg_ids, placed, by=by)
    return ids


def _placed(order_id: int, wish: NewOrder) -> Entry:
    detail = {"channel": wish.channel} if wish.channel else {}
    return Entry(
        "order.placed", queries.SUBJECT, order_id, detail=detail, asked_from=wish.asked_from
    )


def _tell_paid(
    legs: Sequence[dict[str, Any]],
    leg_ids: Mapping[tuple[int, int], int],
    placed: Mapping[int, NewOrder],
    *,
    by: Actor,
) -> None:
    """Points or a trial left nothing to be waited for."""
    if not legs:
        return
    tendering.post_whole(legs, by=by)
    facts = [
        LegFact(
            leg_ids[leg["order_id"], leg["number"]],
            leg["order_id"],
            placed[leg["order_id"]].customer_id,
            leg["kind"],
            leg["payment_id"],
            leg["amount_minor"],
            leg["points"],
            leg["currency"],
            leg["subscription_id"],
        )
        for leg in legs
    ]
    announce(LegsPaid(tuple(facts)))


def _request(placed: Mapping[int, NewOrder], *, by: Actor, hurry: bool) -> dict[int, int]:
    """The payments of the one-off legs, by order."""
    orders = [
        PaymentOrder(
            subject_type=queries.SUBJECT,
            subject_id=order_id,
            customer_id=wish.customer_id,
            payment_method_id=wish.payment_method_id,
            title=wish.title,
            amount=wish.money,
            leg=ONE_OFF,
            method_kind=wish.method_kind,
            bank=wish.bank,
            asked_from=wish.asked_from,
        )
        for order_id, wish in placed.items()
        if wish.money.minor
    ]
    made = requesting.request_payments(orders, by=by, hurry=hurry)
    return {order.subject_id: made[order.key] for order in orders}


def _legs(
    order_id: int, wish: NewOrder, payment_id: int | None, now: datetime
) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Rows of legs, each with the places of its lines."""
    begun = {each.line: each for each in wish.begun}
    once = [place for place, line in enumerate(wish.cart) if not line.recurs]
    number = 0
    if once:
        number += 1
        row = _leg_row(order_id, number, ONE_OFF, owed=wish.one_off, payment_id=payment_id, now=now)
        yield row | {"points": wish.points}, once
    for place, line in enumerate(wish.cart):
        if line.recurs:
            number += 1
            each = begun[place]
            owed = line.amount if each.payment_id is not None else Money(0, wish.currency)
            row = _leg_row(
                order_id, number, SUBSCRIPTION, owed=owed, payment_id=each.payment_id, now=now
            )
            yield row | {"subscription_id": each.subscription_id}, [place]


def _leg_row(
    order_id: int, number: int, kind: str, *, owed: Money, payment_id: int | None, now: datetime
) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "number": number,
        "kind": kind,
        "amount_minor": owed.minor,
        "points": 0,
        "currency": owed.currency,
        "payment_id": payment_id,
        "subscription_id": None,
        "reservation_id": None,
        "status": (LEG.start if payment_id is not None else LegStatus.PAID).value,
        "settled_at": None if payment_id is not None else now,
    }


def _order_row(wish: NewOrder, now: datetime) -> dict[str, Any]:
    return {
        "order_ref": wish.order_ref,
        "customer_id": wish.customer_id,
        "title": wish.title,
        "amount_minor": wish.due.minor,
        "points": wish.points,
        "currency": wish.currency,
        "on_failure": wish.on_failure,
        "hold_until": wish.hold_until,
        "placed_at": now,
    }


def _line_row(order_id: int, leg_id: int, place: int, wish: NewOrder) -> dict[str, Any]:
    line, is_free = wish.cart[place], place in wish.in_trial
    return {
        "order_id": order_id,
        "leg_id": leg_id,
        "number": place + 1,
        "kind": line.kind,
        "seller_id": line.seller_id,
        "plan_id": line.plan_id,
        "product_ref": line.product_ref,
        "title": line.title,
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price.minor,
        "shipping_minor": line.shipping_minor,
        "tax_free_minor": 0 if is_free else line.tax_free_minor,
        "amount_minor": 0 if is_free else line.amount.minor,
        "returned_minor": 0,
    }


def _refuse_another(held: NewOrder, wanted: NewOrder) -> None:
    if _contents(held) != _contents(wanted):
        raise _differs(wanted, held.due)


def _differs(wanted: NewOrder, held: Money) -> OrderDiffers:
    return OrderDiffers(field="order_ref", order_ref=wanted.order_ref, held=held, wanted=wanted.due)


def _contents(wish: NewOrder) -> tuple[Any, ...]:
    lines = [(_bought(line), line.unit_price.minor, line.shipping_minor) for line in wish.cart]
    return wish.customer_id, wish.currency, wish.points, sorted(lines)


def _contents_of(order: Order, held: Sequence[OrderLine]) -> tuple[Any, ...]:
    lines = [(_bought(line), line.unit_price_minor, line.shipping_minor) for line in held]
    return order.customer_id, order.currency, order.points, sorted(lines)


def _bought(line: LineWish | OrderLine) -> tuple[str, int, int, int]:
    """What recurs is its plan's, whoever sells that by now."""
    seller_id = None if line.kind == SUBSCRIPTION else line.seller_id
    return line.kind, seller_id or 0, line.plan_id or 0, line.quantity
