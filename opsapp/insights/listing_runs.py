"""Billing runs: those of a month, and one as it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.subscriptions import selecting, tallying
from opsapp.subscriptions.models import AdvanceNotice, BillingRun, Subscription
from opsapp.subscriptions.running import LATELY, SUBJECT
from opsapp.subscriptions.states import RunStatus
from opsapp.subscriptions.tallying import OUTCOMES, Part, Tally

ENTRIES_MAX = 20


@dataclass(frozen=True, slots=True)
class RunRow:
    id: int
    run_on: date
    status: str
    started_at: datetime
    ended_at: datetime | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class RunPicture:
    """`left`: subscriptions that it will still take up. `held_back`: charges that were not
    announced in time on its day, and wait for their message.
    """

    row: RunRow
    left: int
    failures: list[Any]
    held_back: int
    log: list[AuditEntry]

    @property
    def total(self) -> int:
        return self.row.tally.made.count + self.left

    @property
    def settled(self) -> int:
        return self.row.tally.made.count - self.row.tally.part("under_way").count

    @property
    def rate_per_s(self) -> float:
        """Payments collected in the last minute."""
        return self.row.tally.paid_lately / LATELY.total_seconds()

    @property
    def time_left(self) -> timedelta | None:
        """At that rate; None while there is none, or nothing is left."""
        open_ = self.total - self.settled
        return timedelta(seconds=open_ / self.rate_per_s) if self.rate_per_s and open_ else None


def list_runs(month: date, *, now: datetime, afresh: bool = False) -> list[RunRow]:
    """Those of the month that begins on `month`, the latest first.

    A run that is done shows what had come of it by then; `afresh` counts it as it is now, with
    what recovery has collected since.
    """
    after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    wanted = select(BillingRun).where(BillingRun.run_on >= month, BillingRun.run_on < after)
    runs = list(db.session.scalars(wanted.order_by(BillingRun.run_on.desc())))
    counted = [run.id for run in runs if afresh or run.report is None]
    tallies = tallying.tally(counted, lately=now - LATELY) if counted else {}
    return [_row(run, tallies) for run in runs]


def get_run(run_id: int, *, now: datetime) -> RunPicture:
    """Counted as it is now. Raises NotFound."""
    run = db.session.get(BillingRun, run_id)
    if run is None:
        raise NotFound(noun="billing run", id=run_id)
    tallies = tallying.tally([run_id], lately=now - LATELY)
    is_today = run.run_on == seoul_date(now) and run.status != RunStatus.DONE
    midnight = seoul_midnight(run.run_on)
    late = select(func.count()).where(
        AdvanceNotice.is_late,
        AdvanceNotice.made_at >= midnight,
        AdvanceNotice.made_at < midnight + timedelta(days=1),
    )
    entries = select(AuditEntry).where(
        AuditEntry.subject_type == SUBJECT, AuditEntry.subject_id == run_id
    )
    asked = select(late.scalar_subquery(), selecting.due_by(now).scalar_subquery())
    held_back, due = db.session.execute(asked).one()
    return RunPicture(
        _row(run, tallies, afresh=True),
        left=due if is_today else 0,
        failures=tallying.list_failures(run_id),
        held_back=held_back,
        log=list(db.session.scalars(entries.order_by(AuditEntry.id.desc()).limit(ENTRIES_MAX))),
    )


def count_behind() -> Part:
    """Subscriptions that are more than one period behind, and the sum of their next periods."""
    row = db.session.execute(
        select(
            func.count().label("subscriptions"),
            func.coalesce(func.sum(Subscription.amount_minor), 0).label("sum_minor"),
        ).where(Subscription.is_behind, selecting.is_chargeable())
    ).one()
    return Part(row.subscriptions, int(row.sum_minor))


def total(rows: Sequence[RunRow]) -> Tally:
    """All of them together."""
    tallies = [row.tally for row in rows]
    return Tally(
        {
            outcome: Part(
                sum(t.part(outcome).count for t in tallies),
                sum(t.part(outcome).sum_minor for t in tallies),
            )
            for outcome in OUTCOMES
        },
        refunded_minor=sum(t.refunded_minor for t in tallies),
    )


def _row(run: BillingRun, tallies: dict[int, Tally], *, afresh: bool = False) -> RunRow:
    kept = None if afresh or run.report is None else tallying.of_report(run.report)
    found = tallies.get(run.id)
    return RunRow(
        run.id,
        run.run_on,
        run.status,
        run.started_at,
        run.ended_at,
        found or kept or Tally({}),
    )
