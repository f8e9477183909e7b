"""Repricing: a new version of a plan reaches those who subscribed before it.

Whoever pays more is told and asked for consent within the 30 days before the first charge at the
new price, and is not charged without it (gating). Whoever pays less just pays less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

from sqlalchemy import Date, Select, cast, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from opsapp.catalog import versioning
from opsapp.catalog.queries import get_plan, list_applying_versions, list_versions, lock_plan
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.db import bulk_update, db, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.subscriptions import announcing, finding_changes, rules
from opsapp.subscriptions.applying_changes import NOTICE as CHANGED
from opsapp.subscriptions.errors import FiguresChanged
from opsapp.subscriptions.finding_changes import CHANGE_SUBJECT
from opsapp.subscriptions.gating import CONSENT_DAYS
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.previewing_changes import PRICE
from opsapp.subscriptions.states import CHANGE, ENDED, ChangeStatus, SubscriptionStatus

RISE = "price_change"  # kind of the notice that asks for consent
BY = Actor("timetable", "subscriptions.repricing")


class Version(Protocol):
    """A version of a plan, as the catalog keeps it."""

    @property
    def plan_id(self) -> int: ...

    @property
    def version(self) -> int: ...

    @property
    def effective_on(self) -> date: ...

    @property
    def amount_minor(self) -> int: ...


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What staff want a plan to cost from a Seoul day on."""

    amount: Money
    effective_on: date
    trial_days: int = 0
    term_periods: int | None = None
    applies_to_existing: bool = False


@dataclass(frozen=True, slots=True)
class Affected:
    """Subscriptions of a plan, by what a new price would mean for them."""

    higher: int
    lower: int
    same: int
    first_on: date | None  # the first day on which one of them pays the new price


@within_transaction
def reprice(
    plan_id: int, wish: NewVersion, *, seen_version: int | None = None, by: Actor
) -> tuple[Version, int]:
    """The new version, and how many subscriptions are to follow it.

    `seen_version`: the newest one that was on the screen. Raises NotFound, FiguresChanged,
    VersionTooEarly, OtherCurrency, Invalid.
    """
    lock_plan(plan_id)
    versions = list_versions(plan_id)
    newest = versions[0].version if versions else 1
    if seen_version not in (None, newest):
        raise FiguresChanged
    version = versioning.add_version(
        plan_id,
        amount=wish.amount,
        effective_on=wish.effective_on,
        trial_days=wish.trial_days,
        term_periods=wish.term_periods,
        applies_to_existing=wish.applies_to_existing,
        by=by,
    )
    return version, plan_price_changes(version, by=by) if wish.applies_to_existing else 0


@within_transaction
def plan_price_changes(version: Version, *, by: Actor) -> int:
    """One change of price for each subscription that paid another one; returns how many are new.

    Who has another change open gets it later, by plan_missing. Doing it again adds nothing.
    """
    _withdraw_overtaken(version, by=by)
    columns = _price_changes(version, by=by)
    written = (
        postgresql_insert(SubscriptionChange)
        .from_select(list(columns), _following(version, columns))
        .on_conflict_do_nothing()
        .returning(SubscriptionChange.id)
        .cte("written")
    )
    count = db.session.scalars(select(func.count()).select_from(written)).one()
    if not count:
        return 0
    _announce_again(version)
    entry = Entry(
        "plan.price_changes_planned",
        "plan",
        version.plan_id,
        because=f"version {version.version}, from {version.effective_on}",
        detail={"version": version.version, "subscriptions": count},
    )
    record(entry, by=by)
    return count


@within_transaction
def plan_missing() -> int:
    """For those whose other change stood in the way; once a day is soon enough."""
    return sum(plan_price_changes(version, by=BY) for version in list_applying_versions())


@within_transaction
def tell_slice(*, limit: int) -> tuple[int, int]:
    """Tell those whose price changes within the next 30 days; how many were looked at, and told.

    Not earlier: a consent to it would be too old to count. Call it again while it is full.

    The day of a change becomes that of the first period it is for.
    """
    now = clock.now()
    until = seoul_date(now) + timedelta(days=CONSENT_DAYS)
    rows = finding_changes.lock_untold(until, limit=limit)
    days = {row.id: _first_day(row) for row in rows}
    told = [row for row in rows if days[row.id] <= until]
    sending.queue_notices([_notice(row, days[row.id]) for row in told], by=BY)
    told_ids = {row.id for row in told}
    bulk_update(
        SubscriptionChange,
        [
            {
                "id": row.id,
                "effective_on": days[row.id],
                "told_at": now if row.id in told_ids else None,
            }
            for row in rows
        ],
    )
    return len(rows), len(told)


def review(plan_id: int, wish: NewVersion) -> Affected:
    """Whom the version would reach, after all that would refuse it. Nothing is written.

    Raises NotFound, VersionTooEarly, OtherCurrency, Invalid.
    """
    versioning.check_version(
        get_plan(plan_id), wish.amount, wish.effective_on, wish.trial_days, wish.term_periods
    )
    return count_affected(plan_id, wish.amount, wish.effective_on)


def count_affected(plan_id: int, amount: Money, effective_on: date) -> Affected:
    """Who would follow a version at this price from that day."""
    wanted = Subscription.quantity * amount.minor
    row = db.session.execute(
        select(
            func.count().filter(wanted > Subscription.amount_minor),
            func.count().filter(wanted < Subscription.amount_minor),
            func.count().filter(wanted == Subscription.amount_minor),
            func.min(func.greatest(_due_day(), effective_on)),
        ).where(Subscription.plan_id == plan_id, *_goes_on(effective_on))
    ).one()
    return Affected(*row)


def _following(version: Version, columns: Mapping[str, Any]) -> Select[*tuple[Any, ...]]:
    """By number: what is written together is numbered so, too."""
    rows = select(*columns.values()).where(*_follows(version))
    return rows.order_by(Subscription.id)


def _follows(version: Version) -> list[Any]:
    """Subscriptions of the plan that are to pay this version and have no such change yet."""
    theirs = exists().where(
        SubscriptionChange.subscription_id == Subscription.id,
        SubscriptionChange.kind == PRICE,
        SubscriptionChange.to_plan_id == version.plan_id,
        SubscriptionChange.to_plan_version == version.version,
        SubscriptionChange.status != ChangeStatus.WITHDRAWN.value,
    )
    return [
        Subscription.plan_id == version.plan_id,
        Subscription.plan_version < version.version,
        Subscription.amount_minor != Subscription.quantity * version.amount_minor,
        *_goes_on(version.effective_on),
        ~theirs,
    ]


def _goes_on(effective_on: date) -> list[Any]:
    ended = [status.value for status in (*ENDED, SubscriptionStatus.CANCELLING)]
    return [
        Subscription.status.not_in(ended),
        Subscription.cancel_asked_on.is_(None),
        func.coalesce(Subscription.ends_on > effective_on, True),
    ]


def _price_changes(version: Version, *, by: Actor) -> dict[str, Any]:
    """Columns of a change, as expressions over subscriptions."""
    wanted = Subscription.quantity * version.amount_minor
    return {
        "subscription_id": Subscription.id,
        "kind": literal(PRICE),
        "status": literal(CHANGE.start.value),
        "from_plan_id": Subscription.plan_id,
        "to_plan_id": Subscription.plan_id,
        "to_plan_version": literal(version.version),
        "from_quantity": Subscription.quantity,
        "to_quantity": Subscription.quantity,
        "from_amount_minor": Subscription.amount_minor,
        "to_amount_minor": wanted,
        "from_anchor_day": Subscription.anchor_day,
        "to_anchor_day": Subscription.anchor_day,
        "currency": Subscription.currency,
        "effective_on": literal(version.effective_on),
        "needs_consent": wanted > Subscription.amount_minor,
        "because": literal(f"version {version.version}"),
        "requested_by": literal(str(by)),
        "created_at": literal(clock.now()),
    }


def _withdraw_overtaken(version: Version, *, by: Actor) -> None:
    """An older price that nobody would pay any more: the next period is this version's already."""
    overtaken = (
        select(SubscriptionChange.id)
        .join(Subscription, Subscription.id == SubscriptionChange.subscription_id)
        .where(
            SubscriptionChange.status == ChangeStatus.PLANNED.value,
            SubscriptionChange.kind == PRICE,
            SubscriptionChange.to_plan_id == version.plan_id,
            SubscriptionChange.to_plan_version < version.version,
            _due_day() >= version.effective_on,
        )
    )
    ids = list(db.session.scalars(overtaken))
    because = "a later version of the plan comes first"
    moves = [RowMove(id_, CHANGE.start, ChangeStatus.WITHDRAWN, because) for id_ in ids]
    CHANGE.move_many(SubscriptionChange, moves, by=by)
    sending.revoke((RISE, CHANGED), CHANGE_SUBJECT, ids, because=because, by=by)


def _announce_again(version: Version) -> None:
    """What was announced at the old price for a period of the new one is announced anew."""
    stale = update(Subscription).where(
        Subscription.plan_id == version.plan_id,
        Subscription.is_announced,
        _due_day() >= version.effective_on,
    )
    how = {"synchronize_session": False}
    db.session.execute(stale.values(is_announced=False), execution_options=how)


def _first_day(row: Any) -> date:
    index = max(row.next_period_index, rules.first_index_on_or_after(row.effective_on, row))
    return rules.due_on(row, index)


def _notice(row: Any, day: date) -> NewNotice:
    values = {"plan": row.plan_name, "currency": row.currency, "from_on": day.isoformat()}
    if not row.needs_consent:
        kind, values = CHANGED, values | {"amount_minor": row.to_amount_minor}
    else:
        kind = RISE
        values |= {
            "old_minor": row.from_amount_minor,
            "new_minor": row.to_amount_minor,
            "method_label": announcing.method_label(row),
        }
    return NewNotice(kind, CHANGE_SUBJECT, row.id, row.customer_id, values)


def _due_day() -> Any:
    return cast(func.timezone("Asia/Seoul", Subscription.next_due_at), Date)
