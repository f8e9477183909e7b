"""Withdrawing: a customer takes a consent back. What follows from it is decided elsewhere."""

from opsapp.consents import queries, rules
from opsapp.consents.errors import ConsentOver
from opsapp.consents.events import ConsentFact, ConsentWithdrawn
from opsapp.consents.models import ConsentWithdrawal
from opsapp.kernel import log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.events import announce
from opsapp.kernel.log import Entry, record


@within_transaction
def withdraw(consent_id: int, *, because: str, channel: str, by: Actor) -> None:
    """It counts no more from now on. Raises NotFound, Invalid, ConsentOver."""
    reason = rules.check_reason(because)
    consent = queries.get_consent(consent_id)
    address = rules.mask_address(log.origin.get().address) if channel == "link" else ""
    row = {
        "consent_id": consent_id,
        "because": reason,
        "channel": channel,
        "address": address,
        "recorded_by": str(by),
    }
    if not bulk_insert(ConsentWithdrawal, [row], returning=("id",), or_nothing=True):
        raise ConsentOver
    detail = {"kind": consent.kind, "channel": channel}
    record(Entry("consent.withdrawn", "consent", consent_id, because=reason, detail=detail), by=by)
    fact = ConsentFact(
        consent_id,
        consent.customer_id,
        consent.subscription_id,
        consent.kind,
        consent.subject_type,
        consent.subject_id,
    )
    announce(ConsentWithdrawn(fact, by.kind, by.name))
