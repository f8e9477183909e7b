"""Closing: a virtual account that nobody wants to be paid any more is closed at the gateway."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import func, update

from opsapp.gateways.values import AccountClosing, ChargeRequest
from opsapp.kernel import log
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.payments import awaiting, queries
from opsapp.payments.models import Attempt
from opsapp.payments.states import AttemptStatus

REASON = "nobody waits for this deposit any more"  # told to the gateway


class _InHand(Protocol):
    @property
    def fence(self) -> int: ...
    @property
    def request(self) -> ChargeRequest: ...


@within_transaction
def close_accounts(payment_ids: Sequence[int], *, because: str, by: Actor) -> int:
    """Let the next turn of each account close it before anybody pays in; returns how many.

    An account that is just being issued or asked about is closed when that turn has ended. Money
    that is faster than the closing is not captured: it becomes a case. Asked twice, the first
    reason stays.
    """
    if not payment_ids:
        return 0
    queries.lock_payment_states(payment_ids)
    accounts = queries.lock_open_accounts(payment_ids)
    if not accounts:
        return 0
    ids = [row.id for row in accounts]
    given_up = update(Attempt).where(Attempt.id.in_(ids))
    db.session.execute(given_up.values(close_because=because))
    waiting = [row.id for row in accounts if row.status == AttemptStatus.WAITING]
    due = update(Attempt).where(Attempt.id.in_(waiting))
    # Its own turns count anew: those that waited for a deposit are none of the closing.
    db.session.execute(
        due.values(due_at=func.ops_now(), hinted_at=None, turns=0, failure_code=None)
    )
    log.record_many(
        [
            log.Entry("attempt.close_wanted", "attempt", attempt_id, because=because)
            for attempt_id in ids
        ],
        by=by,
    )
    return len(ids)


def is_to_be_closed(row: Any, *, is_given_up: bool) -> bool:
    """Given up, or past its deadline and still open. After a contradiction the gateway is asked."""
    is_late = awaiting.is_overdue(row.deposit_due_at, row.business_now)
    return (is_given_up or is_late) and row.failure_code is None and row.gateway_key is not None


def as_request(claim: _InHand) -> AccountClosing:
    """Under a key of this turn: closing twice closes once, and a stored refusal is no answer."""
    request = claim.request
    return AccountClosing(
        gateway_key=request.gateway_key or "",
        gateway_order_id=request.gateway_order_id,
        idempotency_key=f"close:{claim.fence}:{request.idempotency_key}",
        reason=REASON,
    )
