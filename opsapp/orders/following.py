"""Following: a leg has failed, and the order's own policy says what comes of it.

"hold" leaves it to the shopper until the order is held no longer, "retry" tries the registered
method again, "release" gives the leg up at once. No leg touches another one.
"""

from collections.abc import Sequence
from datetime import datetime

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.orders import queries, releasing, rules, settling
from opsapp.orders.models import Order, OrderLeg
from opsapp.payments import requesting
from opsapp.payments.events import PaymentFact, PaymentsFailed
from opsapp.payments.requesting import Again

BY = Actor("worker", "orders.following")
# Of the failure table: the same method may do it another time.
_MAY_WORK_LATER = ("later", "query_then_retry", "same_request")


@within_transaction
def on_payments_failed(event: PaymentsFailed) -> None:
    facts = {fact.payment_id: fact for fact in event.payments}
    wanted = settling.payments_of_legs(event.payments)
    if not wanted:
        return
    legs = settling.reopen(wanted, because="the gateway has shown that no money moved", by=BY)
    if not legs:
        return
    orders = queries.list_by_id([leg.order_id for leg in legs])
    now = clock.now()
    over = [leg.id for leg in legs if _is_over(orders[leg.order_id], now)]
    left = [leg for leg in legs if leg.id not in over]
    requesting.request_other_attempts(_retries(left, orders, facts, now), by=BY)
    releasing.release(over, because="its charge failed", by=BY)


def _is_over(order: Order, now: datetime) -> bool:
    is_late = order.hold_until is not None and order.hold_until <= now
    return is_late or order.on_failure == "release"


def _retries(
    legs: Sequence[OrderLeg],
    orders: dict[int, Order],
    facts: dict[int, PaymentFact],
    now: datetime,
) -> list[Again]:
    wishes = []
    for leg in legs:
        fact = facts[leg.payment_id or 0]
        wait = rules.retry_after(fact.attempt_number)
        if (
            orders[leg.order_id].on_failure == "retry"
            and fact.payment_method_id is not None
            and fact.retry_mode in _MAY_WORK_LATER
            and wait is not None
        ):
            method_id = fact.payment_method_id
            wishes.append(Again(fact.payment_id, leg.order_id, method_id, now + wait))
    return wishes
