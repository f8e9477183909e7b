"""Collecting: a customer pays at once what could not be charged, with the method that stands.

As a try by staff, one that is declined leaves the automatic plan as it was.
"""

from datetime import timedelta

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.payments import queries as payments
from opsapp.recovery import queries as recoveries
from opsapp.subscriptions import recovering
from opsapp.subscriptions.errors import TooManyTries

# Issuers block a card that is asked too often.
TRIES_MAX = 3
TRIES_WITHIN = timedelta(days=1)


@within_transaction
def collect_now(recovery_id: int, *, by: Actor) -> int:
    """Try again now, a suspension is lifted by it; returns the payment's id.

    Raises NotFound, CannotRecover, TooManyTries.
    """
    payment_id = recoveries.get_recovery(recovery_id).payment_id
    payments.lock_payments([payment_id])
    since = clock.now() - TRIES_WITHIN
    if recoveries.count_tries_by(payment_id, str(by), since=since) >= TRIES_MAX:
        raise TooManyTries
    recovering.retry_now(recovery_id, by=by)
    return payment_id
