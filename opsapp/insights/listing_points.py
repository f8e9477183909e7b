"""Points as staff see them: who has how many, every movement, and adjustments to be decided."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.customers.models import Customer
from opsapp.insights import reading_wishes as reading
from opsapp.insights.finding_people import people_like
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.db import db
from opsapp.kernel.paging import Page, page_of
from opsapp.points.models import PointAccount, PointAdjustment, PointEntry
from opsapp.points.states import AdjustmentStatus

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class PointsWish:
    search: str = ""


@dataclass(frozen=True, slots=True)
class AdjustmentsWish:
    status: str = ""


def read_wish(query: Query) -> PointsWish:
    return PointsWish(reading.search(query))


def read_adjustments_wish(query: Query) -> AdjustmentsWish:
    """Raises Invalid."""
    return AdjustmentsWish(reading.choice(query, "status", AdjustmentStatus))


def list_accounts(wish: PointsWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Customers who have or had points, the newest customer first. Raises BadCursor."""
    statement = select(
        Customer.id, Customer.customer_ref, Customer.name, PointAccount.available,
        PointAccount.reserved,
    )  # fmt: skip
    if search := wish.search:
        # Whoever was looked for may be given their first points.
        statement = statement.outerjoin(PointAccount).where(Customer.id.in_(people_like(search)))
    else:
        statement = statement.join(PointAccount)
    return page_of(statement, keys=(Customer.id,), cursor=cursor, size=size)


def list_entries(customer_id: int, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """The newest first. Raises BadCursor."""
    statement = select(
        PointEntry.id, PointEntry.kind, PointEntry.change, PointEntry.reserved_change,
        PointEntry.available_after, PointEntry.subject_type, PointEntry.subject_id,
        PointEntry.because, PointEntry.at,
    ).where(PointEntry.customer_id == customer_id)  # fmt: skip
    return page_of(statement, keys=(PointEntry.id,), cursor=cursor, size=size)


def list_adjustments(
    wish: AdjustmentsWish, *, cursor: str | None, size: int = PAGE_SIZE
) -> Page[Any]:
    """The newest first; all without a `status`. Raises BadCursor."""
    statement = _adjustments()
    if wish.status:
        statement = statement.where(PointAdjustment.status == wish.status)
    return page_of(statement, keys=(PointAdjustment.id,), cursor=cursor, size=size)


def list_adjustments_of(customer_id: int, *, limit: int = 10) -> list[Any]:
    wanted = _adjustments().where(PointAdjustment.customer_id == customer_id)
    return list(db.session.execute(wanted.order_by(PointAdjustment.id.desc()).limit(limit)))


def count_to_decide(*, ceiling: int = 1000) -> int:
    some = select(PointAdjustment.id).where(
        PointAdjustment.status == AdjustmentStatus.REQUESTED.value
    )
    counted = select(func.count()).select_from(some.limit(ceiling).subquery())
    return db.session.scalars(counted).one()


def _adjustments() -> Select[*tuple[Any, ...]]:
    return select(
        PointAdjustment.id, PointAdjustment.customer_id, PointAdjustment.points,
        PointAdjustment.expires_on, PointAdjustment.reason, PointAdjustment.status,
        PointAdjustment.requested_by, PointAdjustment.requested_at, PointAdjustment.decided_by,
        PointAdjustment.decided_at, PointAdjustment.decided_because, Customer.customer_ref,
        Customer.name.label("customer_name"),
    ).join(Customer, Customer.id == PointAdjustment.customer_id)  # fmt: skip
