"""Probes of deposits: what arrived on virtual accounts is somebody's, to the last unit (I7)."""

from sqlalchemy import FromClause, Select, and_, case, func, or_, select

from opsapp.insights.probing_money import sentence
from opsapp.ledger.models import LedgerTransfer
from opsapp.payments.models import Attempt, Deposit, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import OPEN, AttemptStatus, RefundStatus, UnmatchedStatus
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TicketStatus

VIRTUAL_ACCOUNT = "virtual_account"
CASE = "unmatched_money"
UNDECIDED = (UnmatchedStatus.OPEN.value, UnmatchedStatus.RETURNING.value)


def deposits() -> list[Select[str]]:
    """I7: for every account and hence in total, and one ticket for every case."""
    return [_unequal_accounts(), _cases_without_ticket()]


def _unequal_accounts() -> Select[str]:
    """Deposits = captured + open cases + returned.

    While an account is open, part of the amount may have arrived. What the bank took back after a
    refund is missing until it is paid again.
    """
    arrived, held = _arrived(), _held()
    returned, missing = _returned(), _missing()
    is_paid = Attempt.status == AttemptStatus.SUCCEEDED.value
    captured = case((is_paid, Payment.captured_minor), else_=0)
    sums = [func.coalesce(part.c.minor, 0) for part in (arrived, held, returned, missing)]
    rest = sums[0] - captured - sums[1] - sums[2]
    open_ = [*(status.value for status in OPEN), AttemptStatus.NEEDS_HUMAN.value]
    is_wrong = case((Attempt.status.in_(open_), rest < 0), else_=and_(rest != 0, rest != -sums[3]))
    told = sentence(
        "attempt ", Attempt.id, " (", Attempt.status, ") of payment ", Attempt.payment_id,
        ": deposits of ", sums[0], ", captured ", captured, ", in open cases ", sums[1],
        ", returned ", sums[2],
    )  # fmt: skip
    joined = select(told).join(Payment, Payment.id == Attempt.payment_id)
    for part in (arrived, held, returned, missing):
        joined = joined.outerjoin(part, part.c.attempt_id == Attempt.id)
    is_account = Attempt.method_kind == VIRTUAL_ACCOUNT
    return joined.where(or_(is_account, arrived.c.attempt_id.is_not(None)), is_wrong)


def _cases_without_ticket() -> Select[str]:
    unresolved = (
        select(func.count())
        .where(
            Ticket.subject_type == CASE,
            Ticket.subject_id == UnmatchedMoney.id,
            Ticket.reason == CASE,
            Ticket.status != TicketStatus.RESOLVED.value,
        )
        .scalar_subquery()
    )
    wanted = case((UnmatchedMoney.status.in_(UNDECIDED), 1), else_=0)
    told = sentence(
        "unmatched money ", UnmatchedMoney.id, " (", UnmatchedMoney.status, "): ", unresolved,
        " open tickets",
    )  # fmt: skip
    return select(told).where(unresolved != wanted)


def _arrived() -> FromClause:
    return _by_attempt(select(Deposit.attempt_id, Deposit.amount_minor.label("minor")))


def _held() -> FromClause:
    return _by_attempt(
        select(UnmatchedMoney.attempt_id, UnmatchedMoney.amount_minor.label("minor")).where(
            UnmatchedMoney.deposit_id.is_not(None), UnmatchedMoney.status.in_(UNDECIDED)
        )
    )


def _returned() -> FromClause:
    return _by_attempt(
        select(Refund.attempt_id, Refund.amount_minor.label("minor"))
        .join(UnmatchedMoney, UnmatchedMoney.id == Refund.unmatched_id)
        .where(
            UnmatchedMoney.deposit_id.is_not(None),
            Refund.status == RefundStatus.SUCCEEDED.value,
        )
    )


def _missing() -> FromClause:
    is_about = and_(
        LedgerTransfer.subject_type == "deposit", LedgerTransfer.subject_id == Deposit.id
    )
    return _by_attempt(
        select(Deposit.attempt_id, LedgerTransfer.amount_minor.label("minor"))
        .join(LedgerTransfer, is_about)
        .where(LedgerTransfer.kind == "deposit_missing")
    )


def _by_attempt(rows: Select[int, int]) -> FromClause:
    each = rows.subquery()
    total = func.sum(each.c.minor).label("minor")
    return select(each.c.attempt_id, total).group_by(each.c.attempt_id).subquery()
