"""What can be subscribed to, and whose goods are sold."""

from flask import Blueprint

from opsapp.api.access import scoped
from opsapp.api.paging import ListQuery, listed
from opsapp.api.schemas import Plan, PlanList, Seller, SellerList
from opsapp.insights import serving_customers as serving
from opsapp.programs import installing
from opsapp.programs.rules import Scope

routes = Blueprint("catalog", __name__)


@routes.get("/plans")
@scoped(Scope.CATALOG_READ, "listPlans", query=ListQuery, answers=PlanList)
def list_plans(query: ListQuery) -> PlanList:
    """Plans with the price, trial and term in force today."""
    page, terms = serving.list_plans(cursor=query.cursor, size=query.limit)
    data = [
        Plan(
            livemode=installing.is_live(),
            id=row.code,
            name=row.name,
            amount=terms[row.id].amount_minor,
            currency=terms[row.id].currency,
            interval=row.interval,
            interval_count=row.interval_count,
            trial_days=terms[row.id].trial_days,
            term_periods=terms[row.id].term_periods,
            seller=row.ref,
        )
        for row in page.rows
    ]
    return PlanList(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor)


@routes.get("/sellers")
@scoped(Scope.CATALOG_READ, "listSellers", query=ListQuery, answers=SellerList)
def list_sellers(query: ListQuery) -> SellerList:
    """Sellers whose goods are sold besides the house's own."""
    page = serving.list_sellers(cursor=query.cursor, size=query.limit)
    live = installing.is_live()
    return SellerList(
        **listed(
            page,
            lambda row: Seller(
                livemode=live,
                id=row.ref,
                name=row.name,
                fee_bp=row.fee_bp,
                created_at=row.created_at,
            ),
        )
    )
