"""What waits for people, for the menu: one statement, and no figure above what a menu can show."""

from sqlalchemy import ColumnElement, func, or_, select

from opsapp.approvals.models import Approval
from opsapp.approvals.states import ApprovalStatus
from opsapp.insights.listing_payments import UNCERTAIN
from opsapp.kernel.db import db
from opsapp.payments.models import Attempt, Refund, UnmatchedMoney
from opsapp.payments.states import RefundStatus, UnmatchedStatus
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TicketStatus

COUNTED_MAX = 100  # shown as 99+
AT_A_STANDSTILL = (RefundStatus.AWAITING_ACCOUNT.value, RefundStatus.NEEDS_HUMAN.value)
# Says to the database which index holds the few that have not ended.
ENDED = ("succeeded", "refused", "withdrawn")


def count_queues(account_id: int) -> dict[str, int]:
    """By name; tickets are those of this account and those of nobody."""
    waiting = (TicketStatus.OPEN.value, TicketStatus.IN_PROGRESS.value)
    parts: dict[str, ColumnElement[bool]] = {
        "tickets": Ticket.status.in_(waiting)
        & or_(Ticket.assignee_id == account_id, Ticket.assignee_id.is_(None)),
        "uncertain": Attempt.status.in_(UNCERTAIN),
        "unmatched": UnmatchedMoney.status == UnmatchedStatus.OPEN,
        "approvals": (Approval.status == ApprovalStatus.REQUESTED)
        & (Approval.requested_by != f"staff:{account_id}"),
        "refunds": Refund.status.in_(AT_A_STANDSTILL) & Refund.status.not_in(ENDED),
    }
    figures = [_counted(condition).label(name) for name, condition in parts.items()]
    return dict(db.session.execute(select(*figures)).one()._mapping)


def _counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
    rows = select(1).where(condition).limit(COUNTED_MAX).subquery()
    return select(func.count()).select_from(rows).scalar_subquery()
