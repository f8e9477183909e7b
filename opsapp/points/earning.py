"""Earning: a customer gets points, once per request."""

from datetime import date

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.points import granting, queries, rules
from opsapp.points.errors import TooManyPointsToday
from opsapp.points.granting import Grant
from opsapp.points.models import PointLot
from opsapp.points.moving import Movement, move

REQUEST_USED = "This request id was used for something else."


@within_transaction
def earn(
    customer_id: int,
    points: int,
    *,
    request_id: str,
    because: str,
    expires_on: date | None = None,
    by: Actor,
) -> int:
    """The lot's id; the same request again changes nothing and gives the same id.

    `expires_on` is the last day on which they can be spent, in Seoul; None: they never expire.
    Raises Invalid, TooManyPoints, TooManyPointsToday.
    """
    rules.check_points(points)
    because = rules.check_because(because)
    now = clock.now()
    today = seoul_date(now)
    request = f"earn:{rules.check_request_id(request_id)}"
    if (known := queries.find_lot_by_request(request)) is not None:
        return _same(known, customer_id, points)
    day = rules.check_expires_on(expires_on, today=today)
    account = granting.open_accounts([customer_id])[customer_id]
    if (known := queries.find_lot_by_request(request)) is not None:
        return _same(known, customer_id, points)
    earned = queries.sum_entries(customer_id, "earned", seoul_midnight(today))
    if earned + points > rules.EARNED_PER_DAY_MAX:
        raise TooManyPointsToday(field="points", most=rules.EARNED_PER_DAY_MAX)
    granting.require_room(account, points)
    until = None if day is None else rules.end_of(day)
    lots = granting.grant([Grant(customer_id, points, until, because, request)])
    if not lots:  # another customer's, a moment ago
        raise Invalid(field="request_id", reason=REQUEST_USED)
    lot_id = lots[request]
    movement = Movement(
        "earned", customer_id, points, subject=("point_lot", lot_id), because=because
    )
    move([movement], {customer_id: account}, by=by)
    return lot_id


def _same(known: PointLot, customer_id: int, points: int) -> int:
    if (known.customer_id, known.granted) != (customer_id, points):
        raise Invalid(field="request_id", reason=REQUEST_USED)
    return known.id
