"""Snoozing: a card leaves the board until a day; what is planned goes on."""

from datetime import date

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record
from opsapp.recovery import queries
from opsapp.recovery.errors import NothingToRecover
from opsapp.recovery.states import COLLECTED

DAYS_MAX = 60


@within_transaction
def snooze(recovery_id: int, *, until: date, by: Actor) -> None:
    """Raises NotFound, NothingToRecover, Invalid."""
    row = queries.lock_recovery(recovery_id)
    if row.status in COLLECTED:
        raise NothingToRecover
    days = (until - clock.seoul_date(clock.now())).days
    if not 1 <= days <= DAYS_MAX:
        raise Invalid(field="until", reason="Choose a day from tomorrow to 60 days ahead.")
    row.snoozed_until = clock.seoul_midnight(until)
    detail = {"until": until.isoformat()}
    record(Entry("recovery.snoozed", "recovery", recovery_id, detail=detail), by=by)
