"""Moving: one entry, one transfer in the books and one new balance for each movement of points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.money import Money
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import (
    POINTS_COST,
    POINTS_EXPIRED,
    POINTS_LIABILITY,
    POINTS_RESERVED,
    REFUNDS,
    SALES,
)
from opsapp.points.errors import NotEnoughPoints
from opsapp.points.models import PointAccount, PointEntry
from opsapp.points.rules import CURRENCY

SUBJECT = "point_entry"  # of transfers
# Debited, credited.
_BOOKED = {
    "earned": (POINTS_COST, POINTS_LIABILITY),
    "reserved": (POINTS_LIABILITY, POINTS_RESERVED),
    "posted": (POINTS_RESERVED, SALES),
    "voided": (POINTS_RESERVED, POINTS_LIABILITY),
    "restored": (REFUNDS, POINTS_LIABILITY),
    "expired": (POINTS_LIABILITY, POINTS_EXPIRED),
    "adjusted": (POINTS_COST, POINTS_LIABILITY),
}
# A reservation's own moves are in the log as such.
_LOGGED = ("earned", "restored", "expired", "adjusted")


@dataclass(frozen=True, slots=True)
class Movement:
    """`change` is of what is available, `reserved_change` of what is set aside."""

    kind: str
    customer_id: int
    change: int
    subject: tuple[str, int] = field(kw_only=True)
    because: str = field(kw_only=True)
    reserved_change: int = field(default=0, kw_only=True)
    request_id: str | None = field(default=None, kw_only=True)


@within_transaction
def move(
    movements: Sequence[Movement], accounts: Mapping[int, PointAccount], *, by: Actor
) -> list[int]:
    """Write them under their locked accounts; the ids of the entries, in no particular order.

    Raises NotEnoughPoints before anything is written.
    """
    if not movements:
        return []
    at = clock.now()
    rows = [
        _applied(movement, accounts[movement.customer_id]) | {"at": at} for movement in movements
    ]
    written = bulk_insert(PointEntry, rows, returning=("id", "kind", "change", "reserved_change"))
    post([_transfer(row) for row in written])
    record_many([_logged(m) for m in movements if m.kind in _LOGGED], by=by)
    return [row.id for row in written]


def _applied(movement: Movement, account: PointAccount) -> dict[str, Any]:
    available = account.available + movement.change
    if available < 0:
        raise NotEnoughPoints(field="points", available=account.available, wanted=-movement.change)
    account.available = available
    account.reserved += movement.reserved_change
    subject_type, subject_id = movement.subject
    return {
        "customer_id": movement.customer_id,
        "kind": movement.kind,
        "change": movement.change,
        "reserved_change": movement.reserved_change,
        "available_after": available,
        "subject_type": subject_type,
        "subject_id": subject_id,
        "because": movement.because,
        "request_id": movement.request_id,
    }


def _transfer(row: Any) -> Transfer:
    debit, credit = _BOOKED[row.kind]
    if row.kind == "adjusted" and row.change < 0:
        debit, credit = credit, debit
    amount = abs(row.change) or abs(row.reserved_change)
    return Transfer(
        kind=f"points_{row.kind}",
        debit_account=debit,
        credit_account=credit,
        amount=Money(amount, CURRENCY),
        subject_type=SUBJECT,
        subject_id=row.id,
    )


def _logged(movement: Movement) -> Entry:
    return Entry(
        action=f"points.{movement.kind}",
        subject_type="point_account",
        subject_id=movement.customer_id,
        because=movement.because,
        detail={"points": movement.change},
    )
