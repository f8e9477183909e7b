"""Choosing: the shopper says how to pay. The first choice places the order, each is an attempt."""

from dataclasses import dataclass

from opsapp.checkout import asking_consents, ending, keeping, paying_again, pricing, queries
from opsapp.checkout.errors import (
    CheckoutOver,
    NeedsRegisteredMethod,
    PointsSettled,
    PriceChanged,
    TooManyChoices,
)
from opsapp.checkout.models import Checkout
from opsapp.checkout.placing import NewCart, at_prices_of, place_cart
from opsapp.checkout.pricing import Quote
from opsapp.checkout.states import CheckoutStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.money import Money
from opsapp.orders.queries import count_attempts, get_order, stand_in_line

CHOICES_MAX = 30  # each is an attempt, and may be a payment begun at the gateway


@dataclass(frozen=True, slots=True)
class Choice:
    """Once by `method_kind`, or by a registered method.

    `bank`: where a virtual account shall be, if there is a wish. `points` count at the first
    choice; 0 later means as they were. `consents`: keys of the words that were ticked, in
    `locale`. `seen_now_minor`: the sum on the screen that is to be paid now, points not taken
    off; `seen_cycle_minor` that of each period. Raises Invalid.
    """

    method_kind: str | None = None
    payment_method_id: int | None = None
    bank: str | None = None
    points: int = 0
    consents: frozenset[str] = frozenset()
    seen_now_minor: int | None = None
    seen_cycle_minor: int | None = None
    locale: str = "ko"

    def __post_init__(self) -> None:
        if self.method_kind is not None and self.payment_method_id is not None:
            raise Invalid(field="method", reason="is named twice.")


@within_transaction
def choose(checkout_id: int, choice: Choice, *, by: Actor) -> int:
    """Returns the order's id. A double click places one order: its number stands in line for it.

    Raises CheckoutOver, TooManyChoices, PriceChanged, ConsentsMissing, NeedsRegisteredMethod,
    NotEnoughPoints, BelowMinimum, PointsSettled, NotFound, MethodOfAnother, MethodNotUsable,
    NotRetryable, WindowOpen, NoRoute.
    """
    stand_in_line([queries.get_checkout(checkout_id).order_ref])
    checkout = queries.get_checkout(checkout_id)
    require_open(checkout)
    if checkout.order_id is not None:
        _choose_again(checkout.order_id, choice, by=by)
        return checkout.order_id
    order_id = place_cart(_cart(checkout, choice), by=by)
    held = queries.lock_checkout(checkout_id)
    require_open(held)
    held.order_id = order_id
    ending.end_settled([order_id])  # points, or a trial, may have left nothing to be waited for
    return order_id


def require_open(checkout: Checkout) -> None:
    """Raises CheckoutOver; the clock counts, not the sweeper."""
    if checkout.status != CheckoutStatus.OPEN:
        raise CheckoutOver(status=checkout.status)
    if checkout.expires_at <= clock.now():
        raise CheckoutOver(status=CheckoutStatus.EXPIRED.value)


def _cart(checkout: Checkout, choice: Choice) -> NewCart:
    lines = keeping.lines_of(checkout)
    quote = pricing.price(lines, today=clock.seoul_date(clock.now()))
    _require_seen(quote, choice)
    if choice.points and not checkout.points_allowed:
        raise Invalid(field="points", reason="cannot be used here.")
    if quote.recurring and choice.payment_method_id is None:
        raise NeedsRegisteredMethod(field="payment_method")
    asking_consents.require(quote, choice.consents, locale=choice.locale)
    return NewCart(
        checkout.order_ref,
        checkout.customer_id,
        checkout.title,
        at_prices_of(lines, quote),
        points=choice.points,
        payment_method_id=choice.payment_method_id,
        method_kind=choice.method_kind,
        bank=choice.bank,
        on_failure=checkout.on_failure,
        hold_for=checkout.expires_at - clock.now(),
        consents=(asking_consents.KIND,) if quote.recurring else (),
        locale=choice.locale,
    )


def _require_seen(quote: Quote, choice: Choice) -> None:
    """Raises PriceChanged."""
    cycle = sum(each.amount.minor for each in quote.recurring)
    pairs = ((choice.seen_now_minor, quote.now.minor), (choice.seen_cycle_minor, cycle))
    for seen, now in pairs:
        if seen is not None and seen != now:
            raise PriceChanged(seen=Money(seen, quote.currency), now=Money(now, quote.currency))


def _choose_again(order_id: int, choice: Choice, *, by: Actor) -> None:
    order = get_order(order_id)
    if choice.points not in (0, order.points):
        raise PointsSettled(field="points", points=order.points)
    if count_attempts(order_id) >= CHOICES_MAX:
        raise TooManyChoices
    paying_again.pay_again(
        order_id,
        method_kind=choice.method_kind,
        payment_method_id=choice.payment_method_id,
        bank=choice.bank,
        by=by,
    )
