"""Ending: a link is over when its payment was collected, or when its time is."""

from opsapp.checkout import queries
from opsapp.checkout.models import Checkout
from opsapp.checkout.states import CHECKOUT, CheckoutStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.payments.events import PaymentsPaid

BY = Actor("worker", "checkout.ending")
EXPIRE_MAX = 1000


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """The payments are locked already."""
    paid = [fact.payment_id for fact in event.payments if fact.subject_type == "order"]
    if not paid:
        return
    because = "its payment was collected"
    now = clock.now()
    moves = [
        RowMove(row.id, row.status, CheckoutStatus.PAID, because, also={"ended_at": now})
        for row in queries.lock_of_payments(paid)
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
