"""Returning: the shopper comes back from the gateway's window by one of our two addresses."""

from dataclasses import dataclass

from opsapp.checkout import queries
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import owns_transactions, transaction, within_transaction
from opsapp.kernel.money import Money
from opsapp.payments import presenting
from opsapp.payments.errors import NoWindow


@dataclass(frozen=True, slots=True)
class Told:
    """What the address says, in the browser's hands: gateways name different parts of it.

    A payment is named by our number or by the gateway's key.
    """

    gateway_order_id: str | None = None
    gateway_key: str | None = None
    amount_minor: int | None = None


@owns_transactions
def come_back(checkout_id: int, told: Told, *, by: Actor) -> None:
    """The shopper says that they agreed. Raises NoWindow and AmountDiffers.

    A window that is none of this link's is no window.
    """
    with transaction():
        window = queries.find_window(checkout_id, told.gateway_order_id, told.gateway_key)
    if window is None:
        raise NoWindow
    amount = None if told.amount_minor is None else Money(told.amount_minor, window.currency)
    # Our number alone proves nothing: where it is all we are told, there is no key to keep.
    presenting.come_back(
        window.gateway_order_id, gateway_key=told.gateway_key, amount=amount, by=by
    )


@within_transaction
def give_up(checkout_id: int, told: Told, *, by: Actor) -> None:
    """The shopper says that they did not pay; the gateway is asked."""
    window = queries.find_window(checkout_id, told.gateway_order_id, told.gateway_key)
    if window is not None:
        presenting.give_up(window.gateway_order_id, by=by)
