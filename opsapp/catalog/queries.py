from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Date, Select, Subquery, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from opsapp.catalog.models import Plan, PlanVersion, Seller
from opsapp.kernel.db import as_array, db, execute_plain, is_among, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan asks for on some day: its rhythm, and the version in force then."""

    plan_id: int
    name: str
    interval: str
    interval_count: int
    version: int
    amount_minor: int
    currency: str
    trial_days: int
    term_periods: int | None

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


def list_plans_by_code(codes: Sequence[str]) -> dict[str, Plan]:
    return {
        plan.code: plan for plan in db.session.scalars(select(Plan).where(Plan.code.in_(codes)))
    }


def list_terms_on(plan_ids: Sequence[int], day: date) -> dict[int, Terms]:
    """Terms of these plans on a Seoul day, by plan; an unknown plan is not in the answer."""
    named = {"day": day, "ids": as_array(sorted(set(plan_ids)))}
    found: list[Any] = list(execute_plain(_terms_of_named(), named))
    return {row[0]: Terms(*row) for row in found}


def list_terms_of(versions: Collection[tuple[int, int]]) -> dict[tuple[int, int], Terms]:
    """By (plan, version): as they were agreed to, whatever came after."""
    wanted = [number for number in versions if number[1] > 1]
    added = select(PlanVersion).where(tuple_(PlanVersion.plan_id, PlanVersion.version).in_(wanted))
    found = {(v.plan_id, v.version): v for v in db.session.scalars(added)} if wanted else {}
    plans = select(Plan).where(Plan.id.in_(sorted({plan_id for plan_id, _ in versions})))
    by_id = {plan.id: plan for plan in db.session.scalars(plans)}
    return {
        (plan_id, version): _terms(by_id[plan_id], found.get((plan_id, version)))
        for plan_id, version in versions
    }


def list_all_terms_on(day: date) -> list[Terms]:
    """Of every plan, by name: there are as many as a shop can show."""
    found: list[Any] = list(execute_plain(_terms_on(), {"day": day}))
    return sorted((Terms(*row) for row in found), key=lambda terms: (terms.name, terms.plan_id))


def get_plan(plan_id: int) -> Plan:
    """Raises NotFound."""
    plan = db.session.get(Plan, plan_id)
    if plan is None:
        raise NotFound(noun="plan", id=plan_id)
    return plan


def list_plans() -> list[Plan]:
    return list(db.session.scalars(select(Plan).order_by(Plan.name, Plan.id)))


def list_versions(plan_id: int) -> list[PlanVersion]:
    """Those after the plan's own row, the newest first."""
    added = select(PlanVersion).where(PlanVersion.plan_id == plan_id)
    return list(db.session.scalars(added.order_by(PlanVersion.version.desc())))


def get_version(plan_id: int, version: int) -> PlanVersion:
    """Raises NotFound."""
    found = db.session.scalars(
        select(PlanVersion).where(PlanVersion.plan_id == plan_id, PlanVersion.version == version)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="plan version", id=version)
    return found


def list_next_versions(day: date) -> dict[int, PlanVersion]:
    """The first version after `day`, by plan."""
    coming = (
        select(PlanVersion)
        .ext(distinct_on(PlanVersion.plan_id))
        .where(PlanVersion.effective_on > day)
        .order_by(PlanVersion.plan_id, PlanVersion.effective_on)
    )
    return {version.plan_id: version for version in db.session.scalars(coming)}


def list_applying_versions() -> list[PlanVersion]:
    """The newest version of each plan, where those who subscribed before pay it too."""
    newest = (
        select(PlanVersion)
        .ext(distinct_on(PlanVersion.plan_id))
        .order_by(PlanVersion.plan_id, PlanVersion.version.desc())
    )
    return [version for version in db.session.scalars(newest) if version.applies_to_existing]


def get_seller(seller_id: int) -> Seller:
    """Raises NotFound."""
    seller = db.session.get(Seller, seller_id)
    if seller is None:
        raise NotFound(noun="seller", id=seller_id)
    return seller


def get_seller_by_ref(ref: str) -> Seller:
    """Raises NotFound."""
    seller = db.session.scalar(select(Seller).where(Seller.ref == ref))
    if seller is None:
        raise NotFound(noun="seller", id=ref)
    return seller


def list_sellers() -> list[Seller]:
    return list(db.session.scalars(select(Seller).order_by(Seller.name, Seller.id)))


def list_sellers_by_id(seller_ids: Collection[int]) -> dict[int, Seller]:
    if not seller_ids:
        return {}
    wanted = select(Seller).where(Seller.id.in_(sorted(seller_ids)))
    return {seller.id: seller for seller in db.session.scalars(wanted)}


def list_sellers_by_ref(refs: Collection[str]) -> dict[str, Seller]:
    if not refs:
        return {}
    wanted = select(Seller).where(Seller.ref.in_(sorted(refs)))
    return {seller.ref: seller for seller in db.session.scalars(wanted)}


def list_plan_sellers(plan_ids: Collection[int]) -> dict[int, int | None]:
    """By plan; None: the house itself."""
    wanted = select(Plan.id, Plan.seller_id).where(Plan.id.in_(sorted(set(plan_ids))))
    return {row.id: row.seller_id for row in db.session.execute(wanted)}


def lock_seller(seller_id: int) -> Seller:
    """Raises NotFound."""
    wanted = locked(select(Seller).where(Seller.id == seller_id))
    seller = db.session.scalars(wanted).one_or_none()
    if seller is None:
        raise NotFound(noun="seller", id=seller_id)
    return seller


def lock_plan(plan_id: int) -> Plan:
    """Raises NotFound. Whoever adds a version holds it: versions are counted under it."""
    plan = db.session.scalars(locked(select(Plan).where(Plan.id == plan_id))).one_or_none()
    if plan is None:
        raise NotFound(noun="plan", id=plan_id)
    return plan


def _terms(plan: Plan, version: PlanVersion | None) -> Terms:
    return Terms(
        plan.id,
        plan.name,
        plan.interval,
        plan.interval_count,
        version.version if version else 1,
        version.amount_minor if version else plan.amount_minor,
        plan.currency,
        version.trial_days if version else 0,
        version.term_periods if version else None,
    )


@cache
def _terms_on() -> Select[*tuple[Any, ...]]:
    """As `Terms` has them, on the parameter `day`."""
    version = _version_on_day()
    return select(
        Plan.id,
        Plan.name,
        Plan.interval,
        Plan.interval_count,
        func.coalesce(version.c.version, 1),
        func.coalesce(version.c.amount_minor, Plan.amount_minor),
        Plan.currency,
        func.coalesce(version.c.trial_days, 0),
        version.c.term_periods,
    ).outerjoin(version, version.c.plan_id == Plan.id)


@cache
def _terms_of_named() -> Select[*tuple[Any, ...]]:
    return _terms_on().where(is_among(Plan.id, "ids"))


def _version_on_day() -> Subquery:
    return (
        select(
            PlanVersion.plan_id,
            PlanVersion.version,
            PlanVersion.amount_minor,
            PlanVersion.trial_days,
            PlanVersion.term_periods,
        )
        .ext(distinct_on(PlanVersion.plan_id))
        .where(PlanVersion.effective_on <= bindparam("day", type_=Date()))
        .order_by(PlanVersion.plan_id, PlanVersion.effective_on.desc())
        .subquery()
    )
