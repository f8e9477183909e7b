"""Finding billing runs: those that go on, and what of them has not gone out."""

from datetime import date

from sqlalchemy import exists, or_, select

from opsapp.kernel.db import db, locked
from opsapp.payments.models import Attempt
from opsapp.payments.states import AttemptStatus
from opsapp.subscriptions.models import BillingPeriod, BillingRun
from opsapp.subscriptions.states import RunStatus

_UNDER_WAY = (AttemptStatus.READY, AttemptStatus.INFLIGHT, AttemptStatus.UNKNOWN)


def lock_runs(today: date) -> list[BillingRun]:
    """Today's run and those of other days that are not done."""
    runs = select(BillingRun).where(
        or_(BillingRun.run_on == today, BillingRun.status != RunStatus.DONE.value)
    )
    return list(db.session.scalars(locked(runs.order_by(BillingRun.id))))


def lock_run(run_id: int) -> BillingRun | None:
    return db.session.scalars(
        locked(select(BillingRun).where(BillingRun.id == run_id))
    ).one_or_none()


def has_paused_run() -> bool:
    paused = exists().where(BillingRun.status == RunStatus.PAUSED.value)
    return bool(db.session.scalars(select(paused)).one())


def list_finished_runs(today: date, *, is_all_taken_up: bool) -> list[int]:
    """Ids of running runs whose first attempts have all come to an end."""
    first = (
        select(Attempt.id)
        .join(BillingPeriod, BillingPeriod.payment_id == Attempt.payment_id)
        .where(
            BillingPeriod.run_id == BillingRun.id,
            Attempt.number == 1,
            Attempt.status.in_([status.value for status in _UNDER_WAY]),
        )
        .exists()
    )
    done = select(BillingRun.id).where(BillingRun.status == RunStatus.RUNNING.value, ~first)
    if not is_all_taken_up:
        done = done.where(BillingRun.run_on < today)
    return list(db.session.scalars(done.order_by(BillingRun.id)))


def list_unsent_payments(run_id: int) -> list[int]:
    """Payments of the run whose first attempt has never been sent."""
    unsent = (
        select(Attempt.payment_id)
        .join(BillingPeriod, BillingPeriod.payment_id == Attempt.payment_id)
        .where(
            BillingPeriod.run_id == run_id,
            Attempt.number == 1,
            Attempt.status == AttemptStatus.READY.value,
            Attempt.first_sent_at.is_(None),
        )
    )
    return list(db.session.scalars(unsent))
