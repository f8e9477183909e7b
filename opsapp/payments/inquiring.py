"""Inquiring first: nothing is done with money of which nobody knows where it is."""

from opsapp.kernel.db import within_transaction
from opsapp.payments import finding_refunds, jobs, recording, returning
from opsapp.payments.errors import BeingAsked, NeedsDecision
from opsapp.payments.states import AttemptStatus


def require_certain(payment_id: int) -> None:
    """Raises BeingAsked and NeedsDecision."""
    uncertain = [
        *finding_refunds.list_uncertain_attempts(payment_id),
        *finding_refunds.list_uncertain_refunds(payment_id),
    ]
    if any(row.status == AttemptStatus.NEEDS_HUMAN for row in uncertain):
        raise NeedsDecision
    if uncertain:
        raise BeingAsked


@within_transaction
def look_first(payment_id: int) -> None:
    """Ask the gateway now about whatever of this payment is uncertain."""
    for look_again, job, name, rows in (
        (
            recording.look_again,
            jobs.EXECUTE_ATTEMPTS,
            "attempt_ids",
            finding_refunds.list_uncertain_attempts(payment_id),
        ),
        (
            returning.look_again,
            jobs.EXECUTE_REFUNDS,
            "refund_ids",
            finding_refunds.list_uncertain_refunds(payment_id),
        ),
    ):
        unknown = [row for row in rows if row.status == AttemptStatus.UNKNOWN]
        if unknown:
            ids = [row.id for row in unknown]
            look_again(ids)
            job.enqueue(**{name: ids}, lane=unknown[0].gateway_name)


def is_uncertain(payment_id: int) -> bool:
    """Whether something of the payment is being asked about, so that a refund has to wait."""
    return bool(
        finding_refunds.list_uncertain_attempts(payment_id)
        or finding_refunds.list_uncertain_refunds(payment_id)
    )
