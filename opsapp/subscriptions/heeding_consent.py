"""Heeding: who takes back the consent to be charged regularly is not charged any more."""

from opsapp.consents.events import ConsentWithdrawn
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.subscriptions import cancelling, queries, rules
from opsapp.subscriptions.states import ENDED, RECOVERABLE

_BECAUSE = "the consent to recurring payment was withdrawn"


@within_transaction
def on_consent_withdrawn(event: ConsentWithdrawn) -> None:
    """What is paid for stays; what stands still ends at once, for nothing is paid for.

    A consent to a higher price or to the end of a trial needs nothing more: without it such a
    charge is refused.
    """
    consent, by = event.consent, Actor(event.by_kind, event.by_name)
    notice = NewNotice("consent_withdrawn", "consent", consent.consent_id, consent.customer_id, {})
    sending.queue_notices([notice], by=by)
    if consent.kind != rules.RECURRING_CONSENT or consent.subscription_id is None:
        return
    status = queries.get_subscription(consent.subscription_id).status
    if status in ENDED:
        return
    # Who is leaving may be taking that back this moment: it is looked at again under the lock.
    if status in RECOVERABLE:
        cancelling.cancel_at_period_end(consent.subscription_id, because=_BECAUSE, by=by)
    else:
        cancelling.cancel(consent.subscription_id, because=_BECAUSE, by=by)
