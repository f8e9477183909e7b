"""A worker that takes up whatever is due, as a process of its own: until its input ends."""

import select as sockets
import sys

from sqlalchemy import select

from opsapp import create_app
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.payments import applying, charging
from opsapp.payments.models import Attempt, GatewayEvent
from opsapp.payments.states import EVENT_OPEN, OPEN

BY = Actor("worker", "test")


def work_once():
    """What the relay would order now: messages, then attempts."""
    with transaction():
        now = clock.now()
        events = list(db.session.scalars(_due(GatewayEvent, EVENT_OPEN, now)))
        attempts = list(db.session.scalars(_due(Attempt, OPEN, now)))
    applying.read_events(events, by=BY)
    charging.execute_attempts(attempts, by=BY)
    return len(events) + len(attempts)


def _due(row, statuses, now):
    is_open = row.status.in_([status.value for status in statuses])
    return select(row.id).where(is_open, row.due_at <= now)


if __name__ == "__main__":
    with create_app().app_context():
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not sockets.select([sys.stdin], [], [], 0)[0]:
            work_once()
