"""What makes renewals fail, and what the workers then do."""

from sqlalchemy import select

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.payments import charging
from opsapp.payments.models import Attempt
from opsapp.recovery.models import Recovery

WORKER = Actor("worker", "test")
NO_FUNDS = {"declines": {"REJECT_CARD_PAYMENT": 1.0}}
STOPPED = {"declines": {"INVALID_STOPPED_CARD": 1.0}}
WRONG_KEY = {"declines": {"INVALID_API_KEY": 1.0}}


def work(*subscription_ids: int) -> None:
    """What the workers would do now, of these subscriptions or of all."""
    with transaction():
        due = select(Attempt.id).where(Attempt.status == "ready", Attempt.due_at <= clock.now())
        if subscription_ids:
            theirs = select(Recovery.payment_id).where(
                Recovery.subscription_id.in_(subscription_ids)
            )
            due = due.where(Attempt.payment_id.in_(theirs))
        ids = list(db.session.scalars(due))
    charging.execute_attempts(ids, by=WORKER)


def column(model: type, name: str) -> list:
    with transaction():
        return list(db.session.scalars(select(getattr(model, name)).order_by(model.id)))
