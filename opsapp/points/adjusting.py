"""Adjusting: one person asks for a correction with a reason, another one decides."""

from dataclasses import dataclass
from datetime import date

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import seoul_date, seoul_midnight
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.points import expiring, granting, queries, reserving, rules
from opsapp.points.errors import (
    AdjustmentDecided,
    NotEnoughPoints,
    NotYourAdjustment,
    OwnAdjustment,
    TooManyPointsToday,
)
from opsapp.points.granting import Grant
from opsapp.points.models import PointAccount, PointAdjustment
from opsapp.points.moving import Movement, move
from opsapp.points.states import ADJUSTMENT, AdjustmentStatus

FORM_USED = "This form was used; open it again."


@dataclass(frozen=True, slots=True)
class AdjustmentWish:
    """`points` above 0 are given, below 0 taken away. `request_id` comes with the form.

    `expires_on`: the last day of points that are given; None: a year from the decision.
    """

    request_id: str
    customer_id: int
    points: int
    reason: str
    expires_on: date | None = None


@within_transaction
def request(wish: AdjustmentWish, *, by: Actor) -> int:
    """Ask for it; nothing moves yet. The same form again gives the same id.

    Raises Invalid, NotEnoughPoints, TooManyPoints, TooManyPointsToday.
    """
    rules.check_request_id(wish.request_id)
    rules.check_points(abs(wish.points), most=rules.ADJUSTED_MAX)
    reason = rules.check_reason(wish.reason)
    today = seoul_date(clock.now())
    day = rules.check_expires_on(wish.expires_on if wish.points > 0 else None, today=today)
    account = granting.open_accounts([wish.customer_id])[wish.customer_id]
    if (known := queries.find_adjustment_by_request(wish.request_id)) is not None:
        return _same(known, wish)
    _require_within_limits(wish, today, by=by)
    _require_possible(account, wish.points)
    row = {
        "ref": new_ref("adj"),
        "request_id": wish.request_id,
        "customer_id": wish.customer_id,
        "points": wish.points,
        "expires_on": day,
        "reason": reason,
        "status": ADJUSTMENT.start.value,
        "requested_by": str(by),
        "requested_at": clock.now(),
    }
    written = bulk_insert(PointAdjustment, [row], returning=("id",), or_nothing=True)
    if not written:
        raise Invalid(field="request_id", reason=FORM_USED)
    adjustment_id: int = written[0].id
    entry = Entry(
        "point_adjustment.requested",
        "point_adjustment",
        adjustment_id,
        because=reason,
        to_state=ADJUSTMENT.start.value,
        detail={"customer_id": wish.customer_id, "points": wish.points},
    )
    record(entry, by=by)
    return adjustment_id


@within_transaction
def approve(adjustment_id: int, *, because: str = "approved", by: Actor) -> None:
    """Move the points. Raises NotFound, AdjustmentDecided, OwnAdjustment, NotEnoughPoints,
    TooManyPoints.
    """
    account, adjustment = _lock(adjustment_id)
    _require_second_person(adjustment, by=by)
    _decide(adjustment, AdjustmentStatus.APPROVED, because, by=by)
    subject = ("point_adjustment", adjustment.id)
    movement = Movement(
        "adjusted",
        adjustment.customer_id,
        adjustment.points,
        subject=subject,
        because=adjustment.reason,
    )
    if adjustment.points > 0:
        granting.require_room(account, adjustment.points)
        _grant(adjustment)
    else:
        expiring.expire_of({account.customer_id: account})
        reserving.take_from(account, -adjustment.points)
    move([movement], {account.customer_id: account}, by=by)


@within_transaction
def refuse(adjustment_id: int, *, because: str, by: Actor) -> None:
    """Raises Invalid, NotFound, AdjustmentDecided, OwnAdjustment."""
    _, adjustment = _lock(adjustment_id)
    _require_second_person(adjustment, by=by)
    _decide(adjustment, AdjustmentStatus.REFUSED, rules.check_reason(because), by=by)


@within_transaction
def withdraw(adjustment_id: int, *, by: Actor) -> None:
    """Whoever asked takes it back. Raises NotFound, AdjustmentDecided, NotYourAdjustment."""
    _, adjustment = _lock(adjustment_id)
    _require_open(adjustment)
    if adjustment.requested_by != str(by):
        raise NotYourAdjustment
    _decide(adjustment, AdjustmentStatus.WITHDRAWN, "withdrawn", by=by)


def _lock(adjustment_id: int) -> tuple[PointAccount, PointAdjustment]:
    customer_id = queries.get_adjustment(adjustment_id).customer_id
    account = queries.lock_accounts([customer_id])[customer_id]
    return account, queries.lock_adjustment(adjustment_id)


def _require_open(adjustment: PointAdjustment) -> None:
    if adjustment.status != AdjustmentStatus.REQUESTED:
        raise AdjustmentDecided


def _require_second_person(adjustment: PointAdjustment, *, by: Actor) -> None:
    _require_open(adjustment)
    if adjustment.requested_by == str(by):
        raise OwnAdjustment


def _decide(adjustment: PointAdjustment, to: AdjustmentStatus, because: str, *, by: Actor) -> None:
    at = clock.now()  # before anything is set: a row half decided is refused by the database
    adjustment.decided_by, adjustment.decided_at = str(by), at
    adjustment.decided_because = because
    ADJUSTMENT.move(adjustment, to, because=because, by=by)


def _grant(adjustment: PointAdjustment) -> None:
    today = seoul_date(clock.now())
    last_day = adjustment.expires_on or today + rules.ADJUSTED_LIFE
    wish = Grant(
        adjustment.customer_id,
        adjustment.points,
        rules.end_of(max(last_day, today)),  # it may have waited for longer
        adjustment.reason,
        f"adjustment:{adjustment.id}",
    )
    granting.grant([wish])


def _require_within_limits(wish: AdjustmentWish, today: date, *, by: Actor) -> None:
    since, points = seoul_midnight(today), abs(wish.points)
    of_customer = queries.sum_adjusted(since, customer_id=wish.customer_id)
    if of_customer + points > rules.ADJUSTED_PER_DAY_MAX:
        raise TooManyPointsToday(field="points", most=rules.ADJUSTED_PER_DAY_MAX)
    if queries.sum_adjusted(since, by=str(by)) + points > rules.ASKED_PER_DAY_MAX:
        raise TooManyPointsToday(field="points", most=rules.ASKED_PER_DAY_MAX)


def _require_possible(account: PointAccount, points: int) -> None:
    """Looked at again when it is decided."""
    if points > 0:
        granting.require_room(account, points)
    elif -points > account.available:
        raise NotEnoughPoints(field="points", available=account.available, wanted=-points)


def _same(known: PointAdjustment, wish: AdjustmentWish) -> int:
    if (known.customer_id, known.points) != (wish.customer_id, wish.points):
        raise Invalid(field="request_id", reason=FORM_USED)
    return known.id
