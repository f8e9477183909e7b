"""Choosing: the shopper says how to pay. The first choice places the order, each is an attempt."""

from opsapp.checkout import queries
from opsapp.checkout.errors import CheckoutOver, TooManyChoices
from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CheckoutStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.orders.placing import NewOrder, place_order
from opsapp.orders.queries import get_order
from opsapp.payments import presenting, queries as payments

CHOICES_MAX = 30  # each is an attempt, and may be a payment begun at the gateway


@within_transaction
def choose(checkout_id: int, *, method_kind: str, bank: str | None = None, by: Actor) -> int:
    """Returns the payment's id. `bank`: where a virtual account shall be, if there is a wish.

    Raises CheckoutOver, TooManyChoices, NotFound, NotRetryable, WindowOpen, NoRoute. A double
    click places one order: the order's number stands in line for it.
    """
    checkout = queries.get_checkout(checkout_id)
    require_open(checkout)
    if checkout.payment_id is not None:
        if payments.count_attempts(checkout.payment_id) >= CHOICES_MAX:
            raise TooManyChoices
        presenting.choose_again(checkout.payment_id, method_kind=method_kind, bank=bank, by=by)
        return checkout.payment_id
    wish = NewOrder(
        order_ref=checkout.order_ref,
        customer_id=checkout.customer_id,
        payment_method_id=None,
        title=checkout.title,
        amount=checkout.amount,
        method_kind=method_kind,
        bank=bank,
    )
    order = get_order(place_order(wish, by=by))
    held = queries.lock_checkout(checkout_id)
    require_open(held)
    held.order_id, held.payment_id = order.id, order.payment_id
    return order.payment_id


def require_open(checkout: Checkout) -> None:
    """Raises CheckoutOver; the clock counts, not the sweeper."""
    if checkout.status != CheckoutStatus.OPEN:
        raise CheckoutOver(status=checkout.status)
    if checkout.expires_at <= clock.now():
        raise CheckoutOver(status=CheckoutStatus.EXPIRED.value)
