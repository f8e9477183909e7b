"""Holding: what is planned and was never sent waits, and goes on, as staff say."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.payments import queries
from opsapp.payments.models import Attempt

# A day that never comes: whoever looks for due work passes over what is held until then.
HELD_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)


@within_transaction
def hold(payment_ids: Iterable[int], *, because: str, by: Actor) -> int:
    """Keep attempts that were never sent from being sent; returns how many.

    An attempt that a worker has in hand, or that may be at the gateway, goes on to its end.
    """
    attempts = queries.lock_unsent_attempts(sorted(payment_ids), harmless=())
    _put_off([row.id for row in attempts], HELD_UNTIL)
    record_many(
        [Entry("attempt.held", "attempt", row.id, because=because) for row in attempts], by=by
    )
    return len(attempts)


@within_transaction
def let_go(payment_ids: Iterable[int], *, because: str, by: Actor) -> int:
    """What is held may be sent from now on; returns how many."""
    held = [
        row
        for row in queries.lock_unsent_attempts(sorted(payment_ids), harmless=())
        if row.due_at == HELD_UNTIL
    ]
    _put_off([row.id for row in held], clock.now())
    record_many(
        [Entry("attempt.let_go", "attempt", row.id, because=because) for row in held], by=by
    )
    return len(held)


def _put_off(attempt_ids: Sequence[int], due_at: datetime) -> None:
    bulk_update(Attempt, [{"id": id_, "due_at": due_at, "hinted_at": None} for id_ in attempt_ids])
