from collections.abc import Sequence

from sqlalchemy import select

from opsapp.catalog.models import Plan
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound


def find_plan(code: str) -> Plan | None:
    return db.session.scalars(select(Plan).where(Plan.code == code)).one_or_none()


def get_plan(plan_id: int) -> Plan:
    plan = db.session.get(Plan, plan_id)
    if plan is None:
        raise NotFound(noun="plan", id=plan_id)
    return plan


def list_plans(*, limit: int, after_code: str = "") -> list[Plan]:
    """A page by code."""
    page = select(Plan).where(Plan.code > after_code).order_by(Plan.code).limit(limit)
    return list(db.session.scalars(page))


def list_plans_by_code(codes: Sequence[str]) -> dict[str, Plan]:
    return {
        plan.code: plan for plan in db.session.scalars(select(Plan).where(Plan.code.in_(codes)))
    }


def list_plans_by_id(plan_ids: Sequence[int]) -> dict[int, Plan]:
    return {plan.id: plan for plan in db.session.scalars(select(Plan).where(Plan.id.in_(plan_ids)))}
