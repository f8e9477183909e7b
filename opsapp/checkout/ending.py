"""Ending: a link is over when what was ordered by it is paid, or when its time is."""

from collections.abc import Sequence

from opsapp.checkout import queries
from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CHECKOUT, CheckoutStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.orders.events import LegsPaid, LegsReleased

BY = Actor("worker", "checkout.ending")
EXPIRE_MAX = 1000


@within_transaction
def on_legs_paid(event: LegsPaid) -> None:
    end_settled([leg.order_id for leg in event.legs])


@within_transaction
def on_legs_released(event: LegsReleased) -> None:
    """With the last leg that was owed the link is over, if another one was paid."""
    end_settled([leg.order_id for leg in event.legs])


@within_transaction
def end_settled(order_ids: Sequence[int]) -> None:
    """Links of orders of which nothing is owed any more."""
    because = "what was ordered is paid"
    now = clock.now()
    moves = [
        RowMove(row.id, row.status, CheckoutStatus.PAID, because, also={"ended_at": now})
        for row in queries.lock_settled(order_ids)
    ]
    CHECKOUT.move_many(Checkout, moves, by=BY)


@within_transaction
def expire() -> int:
    """Open links whose time is over; returns how many. What is under way ends by itself."""
    now = clock.now()
    moves = [
        RowMove(
            checkout_id,
            CheckoutStatus.OPEN.value,
            CheckoutStatus.EXPIRED,
            "nobody paid in time",
            also={"ended_at": now},
        )
        for checkout_id in queries.list_overdue(limit=EXPIRE_MAX)
    ]
    return len(CHECKOUT.move_many(Checkout, moves, by=BY))
