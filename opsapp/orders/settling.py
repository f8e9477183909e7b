"""Settling: a leg is paid when its money is there, and its points are posted in the same breath.

Reactions to what payments announces; they run inside the announcer's transaction, which holds the
payments already.
"""

from collections.abc import Iterable, Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.states import RowMove
from opsapp.orders import queries
from opsapp.orders.events import LegFact, LegsPaid, LegsReopened
from opsapp.orders.models import OrderLeg
from opsapp.orders.states import LEG, SUBSCRIPTION, LegStatus
from opsapp.payments.events import AnswersRecorded, DepositsReversed, PaymentFact, PaymentsPaid
from opsapp.points import reserving
from opsapp.points.queries import lock_accounts

BY = Actor("worker", "orders.settling")


@within_transaction
def on_answers_recorded(event: AnswersRecorded) -> None:
    """Take the locks of all reactions at once, in the order of ids."""
    if wanted := payments_of_legs((*event.paid, *event.failed)):
        queries.lock_legs_of_payments(wanted)


@within_transaction
def lock_points(event: AnswersRecorded) -> None:
    """The same for points: after subscriptions, in the house order of locks."""
    legs = queries.list_legs_of_payments(payments_of_legs((*event.paid, *event.failed)))
    with_points = [leg.order_id for leg in legs.values() if leg.points]
    if with_points:
        orders = queries.list_by_id(with_points)
        lock_accounts(sorted({order.customer_id for order in orders.values()}))


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """Legs become paid, their points posted.

    The payment of one that is given up is cancelled: money for it is a case of its own.
    """
    wanted = payments_of_legs(event.payments)
    if not wanted:
        return
    paid = [leg for leg in queries.lock_legs_of_payments(wanted) if leg.status == LegStatus.OPEN]
    if not paid:
        return
    orders = queries.list_by_id([leg.order_id for leg in paid])
    customers = {order.id: order.customer_id for order in orders.values()}
    _settle(paid, "its money was collected")
    announce(LegsPaid(facts_of(paid, customers)))
    # Last: points are locked after subscriptions.
    if reservations := [leg.reservation_id for leg in paid if leg.reservation_id is not None]:
        reserving.post_reservations(reservations, by=BY)


@within_transaction
def on_deposits_reversed(event: DepositsReversed) -> None:
    reopen(payments_of_legs(event.payments), because="the bank took the deposit back", by=BY)


@within_transaction
def reopen(payment_ids: Sequence[int], *, because: str, by: Actor) -> list[OrderLeg]:
    """Their legs are owed again; points that were posted stay posted. Returns all open ones."""
    if not payment_ids:
        return []
    legs = queries.lock_legs_of_payments(payment_ids)
    reopened = [leg for leg in legs if leg.status == LegStatus.PAID]
    moves = [
        RowMove(leg.id, leg.status, LegStatus.OPEN, because, also={"settled_at": None})
        for leg in reopened
    ]
    LEG.move_many(OrderLeg, moves, by=by)
    if reopened:
        orders = queries.list_by_id([leg.order_id for leg in reopened])
        customers = {order.id: order.customer_id for order in orders.values()}
        announce(LegsReopened(facts_of(reopened, customers)))
    return [leg for leg in legs if leg.status != LegStatus.RELEASED]


def payments_of_legs(facts: Iterable[PaymentFact]) -> list[int]:
    """Those that can be of a leg: of orders, and first periods."""
    return sorted(
        fact.payment_id
        for fact in facts
        if fact.subject_type == queries.SUBJECT
        or (fact.subject_type == SUBSCRIPTION and not fact.period_index)
    )


def facts_of(legs: Sequence[OrderLeg], customers: dict[int, int]) -> tuple[LegFact, ...]:
    """`customers` by order."""
    return tuple(
        LegFact(
            leg.id,
            leg.order_id,
            customers[leg.order_id],
            leg.kind,
            leg.payment_id,
            leg.amount_minor,
            leg.points,
            leg.currency,
            leg.subscription_id,
        )
        for leg in legs
    )


def _settle(legs: Sequence[OrderLeg], because: str) -> None:
    now = clock.now()
    moves = [
        RowMove(leg.id, leg.status, LegStatus.PAID, because, also={"settled_at": now})
        for leg in legs
    ]
    LEG.move_many(OrderLeg, moves, by=BY)
