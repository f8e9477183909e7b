"""Running: one billing run per Seoul day, held by staff, done when nothing is left."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import Entry, record
from opsapp.payments import holding
from opsapp.subscriptions import finding_runs, selecting, tallying
from opsapp.subscriptions.errors import RunMoveRefused
from opsapp.subscriptions.models import BillingRun
from opsapp.subscriptions.states import RUN, RunStatus

BY = Actor("timetable", "subscriptions.renew_due")
SUBJECT = "billing_run"
REASON_LENGTH = range(5, 301)
LATELY = timedelta(minutes=1)


@within_transaction
def join_run(now: datetime) -> int | None:
    """Today's run, made or opened again if need be; None while staff hold a run.

    A held run holds those of the days after it too: what it did not take up is theirs by then.
    """
    today = clock.seoul_date(now)
    runs = finding_runs.lock_runs(today)
    if any(run.status == RunStatus.PAUSED for run in runs):
        return None
    todays = next((run for run in runs if run.run_on == today), None)
    if todays is None:
        return _start(today)
    if todays.status == RunStatus.DONE:
        RUN.move(todays, RunStatus.RUNNING, because="something else fell due", by=BY)
        todays.ended_at = None
    return todays.id


@within_transaction
def close_runs() -> int:
    """Call the runs done of which nothing is left to do, and keep their report."""
    now = clock.now()
    today = clock.seoul_date(now)
    finished = finding_runs.list_finished_runs(today, is_all_taken_up=not selecting.has_due(now))
    if not finished:
        return 0
    tallies = tallying.tally(finished, lately=now - LATELY)
    for run in finding_runs.lock_runs(today):  # a handful: one a day
        if run.id in finished and run.status == RunStatus.RUNNING:
            RUN.move(run, RunStatus.DONE, because="nothing is left to do", by=BY)
            run.ended_at = now
            run.report = tallies.get(run.id, tallying.Tally({})).as_report()
    return len(finished)


@within_transaction
def pause_run(run_id: int, *, because: str, by: Actor) -> int:
    """No new payment is made, and what was never sent waits; returns how many attempts.

    What is at the gateway goes on to its certain end, retries of the recovery policy come as
    planned, and staff may charge one by hand. Raises NotFound, Invalid, RunMoveRefused.
    """
    run = _lock_run(run_id)
    _move(run, RunStatus.PAUSED, because=because, by=by)
    return holding.hold(
        finding_runs.list_unsent_payments(run_id), because="the billing run is paused", by=by
    )


@within_transaction
def resume_run(run_id: int, *, because: str, by: Actor) -> int:
    """Go on with all that waits; returns how many attempts. Raises as pause_run does."""
    run = _lock_run(run_id)
    _move(run, RunStatus.RUNNING, because=because, by=by)
    return holding.let_go(
        finding_runs.list_unsent_payments(run_id), because="the billing run goes on", by=by
    )


def checked_reason(because: str) -> str:
    """Raises Invalid."""
    reason = " ".join(because.split())
    if len(reason) not in REASON_LENGTH:
        raise Invalid(field="because", reason="Give a reason of 5 to 300 characters.")
    return reason


def _start(today: date) -> int | None:
    row = {"run_on": today, "status": RUN.start.value}
    made: Sequence[BillingRun] = bulk_insert(BillingRun, [row], returning=("id",), or_nothing=True)
    if not made:  # another scheduler made it this moment; its next slice is ours
        return None
    entry = Entry("billing_run.running", SUBJECT, made[0].id, to_state=RUN.start.value)
    record(entry, by=BY)
    return made[0].id


def _lock_run(run_id: int) -> BillingRun:
    run = finding_runs.lock_run(run_id)
    if run is None:
        raise NotFound(noun="billing run", id=run_id)
    return run


def _move(run: BillingRun, target: RunStatus, *, because: str, by: Actor) -> None:
    reason = checked_reason(because)
    allowed = {RunStatus.PAUSED: RunStatus.RUNNING, RunStatus.RUNNING: RunStatus.PAUSED}
    if run.status != allowed[target]:
        raise RunMoveRefused(status=run.status, wanted=target.value)
    RUN.move(run, target, because=reason, by=by)
