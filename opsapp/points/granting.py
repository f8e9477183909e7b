"""Granting: points come to an account in lots, each with its own last day."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsapp.kernel import clock
from opsapp.kernel.db import bulk_insert, bulk_update, within_transaction
from opsapp.points import queries
from opsapp.points.errors import TooManyPoints
from opsapp.points.models import PointAccount, PointLot
from opsapp.points.rules import BALANCE_MAX, Part, end_of_fresh


@dataclass(frozen=True, slots=True)
class Grant:
    """`request_id` is unique over all lots: what is granted once is not granted again."""

    customer_id: int
    points: int
    expires_at: datetime | None
    because: str
    request_id: str


@within_transaction
def open_accounts(customer_ids: Collection[int]) -> dict[int, PointAccount]:
    """Locked, by customer; those who never had points have an account from now on."""
    rows = [{"customer_id": customer_id} for customer_id in sorted(set(customer_ids))]
    bulk_insert(PointAccount, rows, or_nothing=True)
    return queries.lock_accounts(customer_ids)


@within_transaction
def grant(wishes: Sequence[Grant]) -> dict[str, int]:
    """Lot ids by request; a request that is known already is not among them.

    The movement is the caller's to write.
    """
    at = clock.now()
    rows = [
        {
            "customer_id": wish.customer_id,
            "granted": wish.points,
            "remaining": wish.points,
            "expires_at": wish.expires_at,
            "because": wish.because,
            "request_id": wish.request_id,
            "granted_at": at,
        }
        for wish in wishes
    ]
    written = bulk_insert(PointLot, rows, returning=("request_id", "id"), or_nothing=True)
    return {row.request_id: row.id for row in written}


@within_transaction
def give_back(parts: Mapping[str, tuple[int, Part]], *, because: str, life: timedelta) -> None:
    """Points return to their lots; those of a lot that has expired get a lot of their own.

    `parts`: (customer, part) by a request id of its own. `life`: of such a lot, in whole days.
    """
    now = clock.now()
    over = {
        request_id: (customer_id, part)
        for request_id, (customer_id, part) in parts.items()
        if part.expires_at is not None and part.expires_at <= now
    }
    alive = [part for request_id, (_, part) in parts.items() if request_id not in over]
    back: dict[int, int] = {}
    for part in alive:
        back[part.lot_id] = back.get(part.lot_id, 0) + part.points
    remaining = queries.list_remaining(back)
    rows = [{"id": lot, "remaining": remaining[lot] + points} for lot, points in back.items()]
    bulk_update(PointLot, rows)
    until = end_of_fresh(life, now)
    grant(
        [
            Grant(customer_id, part.points, until, because, request_id)
            for request_id, (customer_id, part) in over.items()
        ]
    )


def require_room(account: PointAccount, points: int) -> None:
    """Raises TooManyPoints."""
    if account.available + account.reserved + points > BALANCE_MAX:
        raise TooManyPoints(field="points", most=BALANCE_MAX)
