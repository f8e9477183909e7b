"""Placing: a cart of things bought once and of subscriptions becomes one order, in one go."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from opsapp.catalog.queries import list_plan_sellers
from opsapp.checkout import pricing
from opsapp.checkout.asking_consents import KIND as RECURRING_CONSENT
from opsapp.checkout.errors import (
    ConsentsMissing,
    NeedsRegisteredMethod,
    OrderRefTaken,
    PriceChanged,
)
from opsapp.checkout.queries import list_refs_of_links
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Origin
from opsapp.kernel.money import Money
from opsapp.orders import placing
from opsapp.orders.placing import Begun, LineWish, NewOrder
from opsapp.orders.queries import stand_in_line
from opsapp.orders.tendering import require_payable
from opsapp.subscriptions import beginning
from opsapp.subscriptions.subscribing import NewSubscription

HOLD_FOR = timedelta(days=3)
LINK = "checkout"


@dataclass(frozen=True, slots=True)
class NewCart:
    """`order_ref` is the shop's own number: the same one again is the same order.

    `points` pay for what is bought once; whatever recurs needs `payment_method_id`, a registered
    method that works. `hold_for`: how long a leg that failed may be paid in another way.
    `consents`: kinds that the shopper has agreed to. Raises Invalid naming the field.
    """

    order_ref: str
    customer_id: int
    title: str
    lines: tuple[LineWish, ...]
    points: int = 0
    payment_method_id: int | None = None
    method_kind: str | None = None
    bank: str | None = None
    on_failure: str = "hold"
    hold_for: timedelta = HOLD_FOR
    consents: tuple[str, ...] = ()
    by_channel: str = LINK
    locale: str = "ko"  # of the words that were agreed to
    asked_from: Origin | None = None  # another request than the one that writes

    def __post_init__(self) -> None:
        self.as_order(hold_until=None)

    @property
    def recurs(self) -> bool:
        return any(line.recurs for line in self.lines)

    def as_order(self, *, hold_until: datetime | None) -> NewOrder:
        return NewOrder(
            self.order_ref,
            self.customer_id,
            self.payment_method_id,
            self.title,
            method_kind=self.method_kind,
            bank=self.bank,
            lines=self.lines,
            points=self.points,
            on_failure=self.on_failure,
            hold_until=hold_until,
            channel=self.by_channel,
            asked_from=self.asked_from,
        )


@within_transaction
def place_cart(cart: NewCart, *, by: Actor, hurry: bool = True) -> int:
    """Returns the order's id, of a cart placed before too. All of it is written or nothing.

    Raises OrderDiffers, NotFound, MethodOfAnother, MethodNotUsable, NeedsRegisteredMethod,
    PriceChanged, ConsentsMissing, NotEnoughPoints, BelowMinimum, NoRoute, and OrderRefTaken for
    the number of a payment link that this cart does not come by.
    """
    if cart.by_channel != LINK:
        require_no_links([cart.order_ref])
    wish = _wish(cart)
    if not cart.recurs:
        return placing.place_order(wish, by=by, hurry=hurry)
    stand_in_line([cart.order_ref])
    if placed := placing.find_placed([wish]):
        return placed[cart.order_ref]
    if RECURRING_CONSENT not in cart.consents:
        raise ConsentsMissing(kinds=(RECURRING_CONSENT,), keys=())
    if cart.payment_method_id is None:
        raise NeedsRegisteredMethod(field="payment_method")
    _require_prices_of_today(cart.lines)
    require_payable([wish])
    begun = _begin(cart, cart.payment_method_id, by=by)
    return placing.place_order(replace(wish, begun=begun), by=by, hurry=hurry)


@within_transaction
def place_goods(carts: Sequence[NewCart], *, by: Actor) -> list[int]:
    """The same for many carts in which nothing recurs; what one is refused for refuses all."""
    require_no_links([cart.order_ref for cart in carts if cart.by_channel != LINK])
    return placing.place_orders([_wish(cart) for cart in carts], by=by)


@within_transaction
def require_no_links(order_refs: Sequence[str]) -> None:
    """Raises OrderRefTaken: what a payment link is for is ordered by that link."""
    for order_ref in list_refs_of_links(order_refs):
        raise OrderRefTaken(field="order_ref", order_ref=order_ref)


def at_prices_of(lines: Sequence[LineWish], quote: pricing.Quote) -> tuple[LineWish, ...]:
    """What recurs costs what its plan costs today."""
    prices = {each.place: each.amount.minor // each.quantity for each in quote.recurring}
    return tuple(
        replace(line, unit_price=Money(prices[place], quote.currency)) if place in prices else line
        for place, line in enumerate(lines)
    )


def _wish(cart: NewCart) -> NewOrder:
    cart = replace(cart, lines=_of_their_sellers(cart.lines))
    # Nothing is held where a failed leg is given up at once.
    is_held = cart.on_failure != "release"
    return cart.as_order(hold_until=clock.now() + cart.hold_for if is_held else None)


def _of_their_sellers(lines: Sequence[LineWish]) -> tuple[LineWish, ...]:
    """What recurs belongs to the seller of its plan, from the first period on. Raises Invalid."""
    plans = [line.plan_id for line in lines if line.plan_id is not None]
    sellers = list_plan_sellers(plans) if plans else {}
    for line in lines:
        if line.recurs and line.seller_id not in (None, sellers.get(line.plan_id or 0)):
            raise Invalid(field="seller", reason="of a subscription is that of its plan.")
    return tuple(
        replace(line, seller_id=sellers.get(line.plan_id or 0)) if line.recurs else line
        for line in lines
    )


def _require_prices_of_today(lines: Sequence[LineWish]) -> None:
    quote = pricing.price(lines, today=clock.seoul_date(clock.now()))
    for each in quote.recurring:
        if (seen := lines[each.place].amount) != each.amount:
            raise PriceChanged(field="unit_price", seen=seen, now=each.amount)


def _begin(cart: NewCart, method_id: int, *, by: Actor) -> tuple[Begun, ...]:
    places = [place for place, line in enumerate(cart.lines) if line.recurs]
    wishes = [
        NewSubscription(
            cart.customer_id,
            cart.lines[place].plan_id or 0,
            method_id,
            quantity=cart.lines[place].quantity,
            locale=cart.locale,
        )
        for place in places
    ]
    begun = beginning.begin(wishes, by=by)
    return tuple(
        Begun(place, each.subscription_id, each.payment_id)
        for place, each in zip(places, begun, strict=True)
    )
