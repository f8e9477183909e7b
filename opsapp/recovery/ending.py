"""Ending: a subscription stands still or is over, and with it whatever was done about its debts."""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.recovery import queries
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import Next
from opsapp.recovery.states import OPEN, RECOVERY, RecoveryStatus


@within_transaction
def end_for(
    subscription_ids: Sequence[int],
    *,
    outcome: RecoveryStatus = RecoveryStatus.ENDED,
    because: str,
    by: Actor,
) -> int:
    """Nothing more is done by itself about what they owe; returns how many recoveries ended.

    ENDED: cancelled or paused. EXHAUSTED: the policy's last step was taken.
    """
    is_over = outcome is RecoveryStatus.ENDED
    statuses = (*OPEN, RecoveryStatus.EXHAUSTED) if is_over else OPEN
    rows = queries.lock_of_subscriptions(subscription_ids, statuses)
    also = {
        "next_at": None,
        "closed_at": clock.now(),
        "snoozed_until": None,
        "next_step": Next.FINAL.value,
    }
    moves = [RowMove(row.id, row.status, outcome, because, also=also) for row in rows]
    return len(RECOVERY.move_many(Recovery, moves, by=by))
