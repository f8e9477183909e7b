from collections.abc import Sequence

from sqlalchemy import select

from opsapp.catalog.models import Plan
from opsapp.kernel.db import db


def list_plans_by_code(codes: Sequence[str]) -> dict[str, Plan]:
    return {
        plan.code: plan for plan in db.session.scalars(select(Plan).where(Plan.code.in_(codes)))
    }
