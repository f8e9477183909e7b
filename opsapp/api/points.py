"""A customer's points: what they have, how it came, and more of it."""

from flask import Blueprint

from opsapp.api import access, idempotency
from opsapp.api.access import scoped
from opsapp.api.order_schemas import Expiring, NewPoints, PointBalance, PointEntry, PointEntryList
from opsapp.api.paging import ListQuery, listed
from opsapp.insights import serving_customers, serving_orders as serving
from opsapp.kernel.errors import Invalid
from opsapp.points import earning, queries
from opsapp.programs import installing
from opsapp.programs.rules import Scope

routes = Blueprint("points", __name__, url_prefix="/customers/<customer_id>/points")

YEARS = range(2000, 2200)


@routes.get("")
@scoped(Scope.POINTS_READ, "getPoints", answers=PointBalance)
def show(customer_id: str) -> PointBalance:
    """What may be spent now; who never had points has none."""
    return _balance(customer_id, serving_customers.get_customer_id(customer_id))


@routes.post("")
@scoped(Scope.POINTS_WRITE, "earnPoints", body=NewPoints, answers=PointBalance, status=201)
def earn(customer_id: str, body: NewPoints) -> PointBalance:
    """Give points to a customer; 1 point is worth 1 won."""
    row_id = serving_customers.get_customer_id(customer_id)
    if body.last_day is not None and body.last_day.year not in YEARS:
        raise Invalid(field="last_day", reason="must be a day of this century or the next.")
    earning.earn(
        row_id,
        body.points,
        request_id=f"{access.key().ref}:{idempotency.digest()}",
        because=body.because,
        expires_on=body.last_day,
        by=access.current_actor(),
    )
    return _balance(customer_id, row_id)


@routes.get("/entries")
@scoped(Scope.POINTS_READ, "listPointEntries", query=ListQuery, answers=PointEntryList)
def list_entries(customer_id: str, query: ListQuery) -> PointEntryList:
    """Every movement, the newest first."""
    row_id = serving_customers.get_customer_id(customer_id)
    page = serving.list_point_entries(row_id, cursor=query.cursor, size=query.limit)
    return PointEntryList(
        **listed(
            page,
            lambda row: PointEntry(
                kind=row.kind,
                change=row.change,
                available_after=row.available_after,
                because=row.because,
                at=row.at,
            ),
        )
    )


def _balance(customer_ref: str, customer_id: int) -> PointBalance:
    balance = queries.find_balance(customer_id)
    return PointBalance(
        livemode=installing.is_live(),
        customer=customer_ref,
        available=balance.available,
        reserved=balance.reserved,
        expiring=[Expiring(last_day=day, points=n) for day, n in balance.expiring],
    )
