"""What waits for one person at the beginning of the day, each as many as its list shows."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ScalarSelect, Select, func, select

from opsapp.insights.listing_payments import REFUND_UNCERTAIN, UNCERTAIN
from opsapp.insights.listing_tickets import COUNTED_MAX, count_parts
from opsapp.kernel.db import db
from opsapp.payments.models import Attempt, Refund, UnmatchedMoney
from opsapp.payments.states import RefundStatus, UnmatchedStatus


@dataclass(frozen=True, slots=True)
class Waiting:
    """Each up to COUNTED_MAX. `uncertain`: charges and refunds; `unmatched`: money to decide on."""

    mine: int
    unassigned: int
    overdue: int
    uncertain_attempts: int
    uncertain_refunds: int
    without_account: int
    stuck: int
    unmatched: int

    @property
    def uncertain(self) -> int:
        return self.uncertain_attempts + self.uncertain_refunds


def count_waiting(now: datetime, account_id: int) -> Waiting:
    """In one statement."""
    parts: dict[str, Select[int]] = {
        **count_parts(now, account_id),
        "uncertain_attempts": select(Attempt.id).where(Attempt.status.in_(UNCERTAIN)),
        "uncertain_refunds": select(Refund.id).where(Refund.status.in_(REFUND_UNCERTAIN)),
        "without_account": _refunds(RefundStatus.AWAITING_ACCOUNT),
        "stuck": _refunds(RefundStatus.NEEDS_HUMAN),
        "unmatched": select(UnmatchedMoney.id).where(
            UnmatchedMoney.status == UnmatchedStatus.OPEN.value
        ),
    }
    row = db.session.execute(select(*[_capped(part).label(name) for name, part in parts.items()]))
    return Waiting(**row.one()._mapping)


def _refunds(status: RefundStatus) -> Select[int]:
    return select(Refund.id).where(Refund.status == status.value)


def _capped(part: Select[int]) -> ScalarSelect[int]:
    some = part.limit(COUNTED_MAX).subquery()
    return select(func.count()).select_from(some).scalar_subquery()
