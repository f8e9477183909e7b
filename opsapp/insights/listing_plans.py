"""Plans with what they cost today, what comes next, and how many subscribe to them."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, func, select

from opsapp.catalog import queries as catalog
from opsapp.catalog.models import Plan, PlanVersion
from opsapp.catalog.queries import Terms
from opsapp.kernel.db import db
from opsapp.subscriptions.models import Subscription, SubscriptionChange
from opsapp.subscriptions.states import ENDED, ChangeStatus


@dataclass(frozen=True, slots=True)
class PlanLine:
    plan: Plan
    terms: Terms
    coming: PlanVersion | None
    subscribers: int


@dataclass(frozen=True, slots=True)
class VersionLine:
    """`waiting` and `applied`: changes of price of those who subscribed before."""

    version: PlanVersion
    waiting: int
    applied: int
    subscribers: int


def list_plans(today: date) -> list[PlanLine]:
    plans = catalog.list_plans()
    terms = catalog.list_terms_on([plan.id for plan in plans], today)
    coming = catalog.list_next_versions(today)
    subscribers = _count_subscribers()
    return [
        PlanLine(plan, terms[plan.id], coming.get(plan.id), subscribers.get(plan.id, 0))
        for plan in plans
    ]


def list_versions(plan_id: int) -> tuple[list[VersionLine], int]:
    """The newest first, and how many subscribe to the plan's own row, which is version 1."""
    moved = {
        (version, status): count
        for version, status, count in db.session.execute(
            select(SubscriptionChange.to_plan_version, SubscriptionChange.status, func.count())
            .where(SubscriptionChange.to_plan_id == plan_id, SubscriptionChange.kind == "price")
            .group_by(SubscriptionChange.to_plan_version, SubscriptionChange.status)
        )
    }
    paying = _count_by_version(plan_id)
    lines = [
        VersionLine(
            version,
            moved.get((version.version, ChangeStatus.PLANNED.value), 0),
            moved.get((version.version, ChangeStatus.APPLIED.value), 0),
            paying.get(version.version, 0),
        )
        for version in catalog.list_versions(plan_id)
    ]
    return lines, paying.get(1, 0)


def _count_by_version(plan_id: int) -> dict[int, int]:
    rows = db.session.execute(
        select(Subscription.plan_version, func.count())
        .where(Subscription.plan_id == plan_id, _goes_on())
        .group_by(Subscription.plan_version)
    )
    return dict(rows.all())


def _count_subscribers() -> dict[int, int]:
    rows = db.session.execute(
        select(Subscription.plan_id, func.count()).where(_goes_on()).group_by(Subscription.plan_id)
    )
    return dict(rows.all())


def _goes_on() -> ColumnElement[bool]:
    return Subscription.status.not_in([status.value for status in ENDED])
