"""Expiring: what is over is taken out of the balances; what soon will be is told beforehand."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_update, owns_transactions, transaction, within_transaction
from opsapp.kernel.events import announce
from opsapp.points import queries
from opsapp.points.events import ExpiringFact, PointsExpiring
from opsapp.points.models import PointAccount, PointLot
from opsapp.points.moving import Movement, move
from opsapp.points.rules import TOLD_BEFORE, TOLD_HOURS, last_day_of

BY = Actor("timetable", "points.expire")
BECAUSE = "their last day is over"
SLICE = 500
BUDGET_S = 1.0  # of the scheduler, which has other things to do


@owns_transactions
def expire_all() -> None:
    """Slice by slice, for a second at most: the rest waits for the next time."""
    _in_slices(expire_due)


@within_transaction
def expire_due(*, limit: int = SLICE) -> int:
    """Take out what is over; returns of how many accounts: again until it is below `limit`.

    Nobody can spend expired points before this runs either: it only tidies up.
    """
    accounts = queries.lock_accounts_with_expired(limit=limit)
    expire_of(accounts)
    return len(accounts)


@within_transaction
def expire_of(accounts: Mapping[int, PointAccount]) -> None:
    """The same for accounts that are locked."""
    lots = queries.list_expired_lots(list(accounts)) if accounts else []
    bulk_update(PointLot, [{"id": lot.id, "remaining": 0} for lot in lots])
    movements = [
        Movement(
            "expired",
            lot.customer_id,
            -lot.remaining,
            subject=("point_lot", lot.id),
            because=BECAUSE,
        )
        for lot in lots
    ]
    move(movements, accounts, by=BY)


@owns_transactions
def tell_all() -> None:
    """The same for those who are to be told, by day."""
    with transaction():
        hour = clock.now().astimezone(clock.SEOUL).hour
    if hour in TOLD_HOURS:
        _in_slices(tell_of_expiring)


@within_transaction
def tell_of_expiring(*, limit: int = SLICE) -> int:
    """Announce points whose last day is at most a week away, once; returns how many lots."""
    now = clock.now()
    lots = queries.lock_untold_lots(now + TOLD_BEFORE, limit=limit)
    bulk_update(PointLot, [{"id": lot.id, "told_at": now} for lot in lots])
    if lots:
        announce(PointsExpiring(tuple(_by_day(lots))))
    return len(lots)


def _in_slices(sweep: Callable[..., int]) -> None:
    give_way_at, count = monotonic() + BUDGET_S, SLICE
    while count == SLICE and monotonic() < give_way_at:
        with transaction():
            count = sweep(limit=SLICE)


def _by_day(lots: list[Any]) -> list[ExpiringFact]:
    """One message for a customer's points of one day, about the first of their lots."""
    of_day: dict[tuple[int, Any], list[Any]] = {}
    for lot in lots:
        of_day.setdefault((lot.customer_id, last_day_of(lot.expires_at)), []).append(lot)
    return [
        ExpiringFact(customer_id, same[0].id, sum(lot.remaining for lot in same), day)
        for (customer_id, day), same in of_day.items()
    ]
