"""Replaying: a person has messages looked into again; the gateway is asked anew for each."""

from collections.abc import Sequence

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.payments import reading
from opsapp.payments.errors import NotReplayable
from opsapp.payments.models import GatewayEvent
from opsapp.payments.states import EVENT, EventStatus

REPLAY_MAX = 500  # messages at one go


@within_transaction
def replay_events(event_ids: Sequence[int], *, by: Actor) -> int:
    """Returns how many. Raises NotReplayable if not one of them had ended."""
    rows = reading.lock_ended_events(event_ids[:REPLAY_MAX])
    if not rows:
        raise NotReplayable
    also = {
        "due_at": clock.now(),
        "hinted_at": None,
        "turns": 0,
        "misses": 0,
        "finding": "",
        "ended_at": None,
    }
    moves = [
        RowMove(row.id, row.status, EventStatus.STORED, "staff play it again", also=also)
        for row in rows
    ]
    return len(EVENT.move_many(GatewayEvent, moves, by=by))
