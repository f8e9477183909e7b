"""Expiring: whoever pays with a card that ends is asked for another one before a charge fails."""

from typing import Any

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.recovery.queries import get_policy
from opsapp.subscriptions import announcing, finding_methods
from opsapp.subscriptions.finding_methods import EXPIRED

BY = Actor("timetable", "subscriptions.tell_of_expiring")
COMING, OVER = "method_expiring", "method_expired_update"


@within_transaction
def tell_of_expiring(*, limit: int = 500) -> int:
    """Ask for another method at each of the policy's days before the end, and once after it.

    Once per method and step; of several steps that have passed unseen only the last is told.
    Returns how many were told: call it again until it returns fewer than `limit`.
    """
    rows = finding_methods.list_ending(
        clock.seoul_date(clock.now()),
        get_policy().expiring_days,
        kinds=(COMING, OVER),
        limit=limit,
    )
    return sending.queue_notices([_notice(row) for row in rows], by=BY)


def _notice(row: Any) -> NewNotice:
    values = {
        "method_label": announcing.method_label(row),
        "link_subject": {"type": "payment_method", "id": row.id},
    }
    if row.expires_on is not None:
        values["expires_on"] = row.expires_on.isoformat()
    kind = OVER if row.about == EXPIRED else COMING
    return NewNotice(kind, row.about, row.id, row.customer_id, values)
