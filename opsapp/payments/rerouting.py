"""Rerouting: a gateway failed by its own fault before any money moved, so another one is asked.

Only for new attempts, and only where the first certainly did not charge: a decline of the
customer's own stays a decline, an uncertain outcome is inquired to its end.
"""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.payments import queries, requesting
from opsapp.payments.events import PaymentFact
from opsapp.routing.errors import NoRoute


@within_transaction
def ask_elsewhere(facts: Sequence[PaymentFact], *, by: Actor) -> frozenset[int]:
    """Plan each failed payment again at a gateway it has not met; returns the attempts replaced.

    Who has met all of them stays failed.
    """
    if not facts:
        return frozenset()
    met = queries.list_gateways_met([fact.payment_id for fact in facts])
    replaced = set()
    for fact in facts:
        try:
            requesting.request_another_attempt(
                fact.payment_id,
                payment_method_id=fact.payment_method_id,
                method_kind=fact.method_kind,
                not_these=met[fact.payment_id],
                due_at=clock.now(),
                by=by,
                hurry=True,
            )
        except NoRoute:
            continue
        replaced.add(fact.attempt_id)
    return frozenset(replaced)
