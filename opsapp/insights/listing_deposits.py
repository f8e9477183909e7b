"""The desk of virtual accounts: what is awaited, and money that no payment has taken."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from opsapp.customers.models import Customer
from opsapp.insights import reading_wishes as reading
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.paging import Page, page_of
from opsapp.payments.models import (
    Attempt,
    Deposit,
    GatewayEvent,
    Payment,
    Refund,
    UnmatchedMoney,
)
from opsapp.payments.states import AttemptStatus, UnmatchedStatus
from opsapp.tickets.models import Ticket

PAGE_SIZE = 30
SHOWN_MAX = 50
CASE = "unmatched_money"
STATUSES = {
    "unmatched": (UnmatchedStatus.OPEN,),
    "returning": (UnmatchedStatus.RETURNING,),
    "done": (UnmatchedStatus.RETURNED, UnmatchedStatus.ACCEPTED),
}


@dataclass(frozen=True, slots=True)
class DepositWish:
    """The days are those on which an account was issued or a case was opened."""

    tab: str = "awaiting"
    reason: str = ""
    gateway: str = ""
    since: date | None = None
    until: date | None = None


REASONS = ("short", "over", "late", "after_cancel", "late_approval")


@dataclass(frozen=True, slots=True)
class CasePicture:
    """Our record of a case, and what the gateway has told about its account."""

    case: UnmatchedMoney
    payment: Payment
    attempt: Attempt
    attempts: list[Attempt]
    customer: Customer
    deposits: list[Deposit]
    refunds: list[Refund]
    tickets: list[Ticket]
    entries: list[AuditEntry]
    last_answer: AuditEntry | None
    last_event: GatewayEvent | None

    @property
    def deposited_minor(self) -> int:
        return sum(deposit.amount_minor for deposit in self.deposits)


def read_account_wish(query: Query) -> DepositWish:
    """Raises Invalid."""
    return replace(read_case_wish(query), tab="awaiting", reason="")


def read_case_wish(query: Query) -> DepositWish:
    """Raises Invalid."""
    since, until = reading.period(query)
    return DepositWish(
        tab=reading.choice(query, "tab", ("awaiting", *STATUSES), "unmatched"),
        reason=reading.choice(query, "reason", REASONS),
        gateway=reading.choice(query, "gateway", reading.GATEWAYS),
        since=since,
        until=until,
    )


def list_accounts(wish: DepositWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Open accounts, the newest first. Raises BadCursor and Invalid."""
    _check(wish)
    statement = (
        select(
            Attempt.id,
            Attempt.created_at,
            Attempt.payment_id,
            Attempt.account,
            Attempt.deposit_due_at,
            Attempt.close_because,
            Attempt.gateway_name,
            Payment.ref.label("payment_ref"),
            Payment.title,
            Payment.amount_minor,
            Payment.currency,
            _arrived().label("deposited_minor"),
            *_customer(),
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Attempt.status == AttemptStatus.WAITING.value)
    )
    keys = (Attempt.created_at, Attempt.id)
    return page_of(_within(statement, wish, Attempt), keys=keys, cursor=cursor, size=size)


def list_cases(wish: DepositWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """The newest first. Raises BadCursor and Invalid."""
    _check(wish)
    wanted = [status.value for status in STATUSES[wish.tab]]
    statement = (
        select(
            *UnmatchedMoney.__table__.c,
            Payment.ref.label("payment_ref"),
            Payment.title,
            *_customer(),
        )
        .join(Payment, Payment.id == UnmatchedMoney.payment_id)
        .join(Customer, Customer.id == UnmatchedMoney.customer_id)
        .where(UnmatchedMoney.status.in_(wanted))
    )
    if wish.reason:
        statement = statement.where(UnmatchedMoney.reason == wish.reason)
    keys = (UnmatchedMoney.opened_at, UnmatchedMoney.id)
    return page_of(_within(statement, wish, UnmatchedMoney), keys=keys, cursor=cursor, size=size)


def get_case(unmatched_id: int) -> CasePicture:
    """Raises NotFound."""
    found = db.session.execute(
        select(UnmatchedMoney, Payment, Attempt, Customer)
        .join(Payment, Payment.id == UnmatchedMoney.payment_id)
        .join(Attempt, Attempt.id == UnmatchedMoney.attempt_id)
        .join(Customer, Customer.id == UnmatchedMoney.customer_id)
        .where(UnmatchedMoney.id == unmatched_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="case", id=unmatched_id)
    case, payment, attempt, customer = found
    siblings = select(Attempt).where(Attempt.payment_id == payment.id).order_by(Attempt.id)
    refunds = select(Refund).where(Refund.unmatched_id == case.id).order_by(Refund.id)
    tickets = select(Ticket).where(Ticket.subject_type == CASE, Ticket.subject_id == case.id)
    return CasePicture(
        case=case,
        payment=payment,
        attempt=attempt,
        attempts=list(db.session.scalars(siblings)),
        customer=customer,
        deposits=list_of_attempts([attempt.id]),
        refunds=list(db.session.scalars(refunds)),
        tickets=list(db.session.scalars(tickets.order_by(Ticket.id))),
        entries=_entries(CASE, case.id),
        last_answer=next(iter(_entries("attempt", attempt.id, limit=1)), None),
        last_event=_last_event(attempt.id),
    )


def list_of_attempts(attempt_ids: list[int]) -> list[Deposit]:
    wanted = select(Deposit).where(Deposit.attempt_id.in_(attempt_ids)).order_by(Deposit.id)
    return list(db.session.scalars(wanted.limit(SHOWN_MAX)))


def list_of_payment(payment_id: int) -> list[Deposit]:
    wanted = select(Deposit).where(Deposit.payment_id == payment_id).order_by(Deposit.id)
    return list(db.session.scalars(wanted.limit(SHOWN_MAX)))


def list_cases_of(payment_id: int) -> list[UnmatchedMoney]:
    wanted = select(UnmatchedMoney).where(UnmatchedMoney.payment_id == payment_id)
    return list(db.session.scalars(wanted.order_by(UnmatchedMoney.id).limit(SHOWN_MAX)))


def _check(wish: DepositWish) -> None:
    if wish.since and wish.until and wish.until < wish.since:
        raise Invalid(field="until", reason="The period ends before it begins.")


def _customer() -> tuple[Any, ...]:
    return (
        Customer.id.label("customer_id"),
        Customer.name.label("customer_name"),
        (Customer.customer_ref),
    )


def _arrived() -> Any:
    arrived = func.coalesce(func.sum(Deposit.amount_minor), 0)
    return select(arrived).where(Deposit.attempt_id == Attempt.id).scalar_subquery()


def _within(
    statement: Select[*tuple[Any, ...]], wish: DepositWish, row: type[Attempt | UnmatchedMoney]
) -> Select[*tuple[Any, ...]]:
    moment = row.created_at if issubclass(row, Attempt) else row.opened_at
    if wish.gateway:
        statement = statement.where(row.gateway_name == wish.gateway)
    if wish.since:
        statement = statement.where(moment >= seoul_midnight(wish.since))
    if wish.until:
        statement = statement.where(moment < seoul_midnight(wish.until + timedelta(days=1)))
    return statement


def _entries(subject_type: str, subject_id: int, *, limit: int = SHOWN_MAX) -> list[AuditEntry]:
    wanted = select(AuditEntry).where(
        AuditEntry.subject_type == subject_type, AuditEntry.subject_id == subject_id
    )
    return list(db.session.scalars(wanted.order_by(AuditEntry.id.desc()).limit(limit)))


def _last_event(attempt_id: int) -> GatewayEvent | None:
    wanted = select(GatewayEvent).where(GatewayEvent.attempt_id == attempt_id)
    return db.session.scalar(wanted.order_by(GatewayEvent.id.desc()).limit(1))
