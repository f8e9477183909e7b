from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from opsapp.gateways.values import Flow
from opsapp.kernel.db import as_array, db, execute_plain, is_among, locked, once
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.turns import is_claimable
from opsapp.payments.models import (
    Attempt,
    Deposit,
    GatewayEvent,
    Payment,
    Refund,
    UnmatchedMoney,
)
from opsapp.payments.rules import WINDOW_LIFE
from opsapp.payments.states import (
    OPEN,
    REFUND_ENDED,
    AttemptStatus,
    RefundStatus,
    UnmatchedStatus,
)

VIRTUAL_ACCOUNT = "virtual_account"


def lock_payment(payment_id: int) -> Payment:
    """Raises NotFound."""
    found = db.session.scalar(locked(select(Payment).where(Payment.id == payment_id)))
    if found is None:
        raise NotFound(noun="payment", id=payment_id)
    return found


def lock_payments(payment_ids: Sequence[int]) -> list[Payment]:
    """By ascending id: the house order of locks within a table."""
    wanted = select(Payment).where(Payment.id.in_(payment_ids)).order_by(Payment.id)
    return list(db.session.scalars(locked(wanted)))


def lock_claimable_attempts(attempt_ids: Sequence[int]) -> list[Any]:
    """Attempts that nobody holds, with what their turn needs of the payment.

    Rows that another worker is just claiming are passed over.
    """
    return list(execute_plain(_lock_claimable(), {"ids": as_array(attempt_ids)}))


@cache
def _lock_claimable() -> Select[*tuple[Any, ...]]:
    claimable = (
        select(
            Attempt.id,
            Attempt.payment_id,
            Attempt.number,
            Attempt.payment_method_id,
            Attempt.gateway_order_id,
            Attempt.idempotency_key,
            Attempt.request_sealed,
            Attempt.status,
            Attempt.fence,
            Attempt.turns,
            Attempt.misses,
            Attempt.first_sent_at,
            Attempt.gateway_key,
            Attempt.close_because,
            Attempt.failure_code,
            Attempt.deposit_due_at,
            Payment.subject_type,
            Payment.subject_id,
            Payment.period_index,
            Payment.customer_id,
            Payment.amount_minor,
            Payment.currency,
            Attempt.gateway_name,
            Attempt.method_kind,
            Attempt.flow,
            Attempt.requested_by,
            Attempt.created_at,
            once(func.ops_now()).label("business_now"),
            once(func.clock_timestamp()).label("now"),
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            is_among(Attempt.id, "ids"),
            Attempt.status.in_([status.value for status in OPEN]),
            is_claimable(Attempt),
        )
        .order_by(Attempt.id)
    )
    return locked(claimable, of=Attempt, skip=True)


def lock_payment_states(payment_ids: Sequence[int]) -> dict[int, Any]:
    """Status and amounts of payments, locked before their attempts (house order)."""
    rows = execute_plain(_lock_states(), {"ids": as_array(payment_ids)})
    return {row.id: row for row in rows}


@cache
def _lock_states() -> Select[*tuple[Any, ...]]:
    return locked(
        select(Payment.id, Payment.status, Payment.captured_minor, Payment.method_kind)
        .where(is_among(Payment.id, "ids"))
        .order_by(Payment.id)
    )


def list_unsent(attempt_ids: Sequence[int]) -> list[Any]:
    """What the attempts are for, of those that have never left the building."""
    return list(execute_plain(_unsent(), {"ids": as_array(attempt_ids)}))


@cache
def _unsent() -> Select[*tuple[Any, ...]]:
    return (
        select(Attempt.payment_id, Payment.subject_type, Payment.subject_id)
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            is_among(Attempt.id, "ids"),
            Attempt.status == AttemptStatus.READY.value,
            Attempt.first_sent_at.is_(None),
        )
    )


def list_live_attempts(payment_ids: Sequence[int]) -> list[Any]:
    """Attempts that may still bring money: `is_sent` when nobody can hold them back any more."""
    live = (*OPEN, AttemptStatus.NEEDS_HUMAN)
    is_sent = or_(Attempt.status != AttemptStatus.READY.value, Attempt.first_sent_at.is_not(None))
    wanted = select(
        Attempt.id,
        Attempt.payment_id,
        Attempt.number,
        Attempt.status,
        Attempt.close_because,
        is_sent.label("is_sent"),
    ).where(
        Attempt.payment_id.in_(payment_ids), Attempt.status.in_([status.value for status in live])
    )
    return list(db.session.execute(wanted)) if payment_ids else []


def lock_unsent_attempts(payment_ids: Sequence[int], *, harmless: Sequence[str]) -> list[Any]:
    """Attempts of which nothing has ever left the building.

    At the window of one of the `harmless` gateways no money moves before our confirm.
    """
    is_unsent = and_(Attempt.status == AttemptStatus.READY.value, Attempt.first_sent_at.is_(None))
    is_at_window = and_(
        Attempt.status == AttemptStatus.AT_WINDOW.value, Attempt.gateway_name.in_(harmless)
    )
    wanted = (
        select(
            Attempt.id,
            Attempt.payment_id,
            Attempt.status,
            Attempt.due_at,
            func.ops_now().label("now"),
        )
        .where(Attempt.payment_id.in_(payment_ids), or_(is_unsent, is_at_window))
        .order_by(Attempt.id)
    )
    return list(db.session.execute(locked(wanted)))


def lock_window(gateway_order_id: str) -> Attempt | None:
    """The attempt of a window, after its payment (house order of locks)."""
    named = Attempt.gateway_order_id == gateway_order_id
    payment_id = db.session.scalar(select(Attempt.payment_id).where(named))
    if payment_id is None:
        return None
    lock_payment(payment_id)
    return db.session.scalars(locked(select(Attempt).where(named))).one()


def find_window(payment_id: int) -> Any | None:
    """The attempt that waits for the customer, with what the gateway's page is told."""
    return db.session.execute(
        select(
            Attempt.id,
            Attempt.gateway_name,
            Attempt.gateway_order_id,
            Attempt.idempotency_key,
            Attempt.method_kind,
            Payment.customer_id,
            Payment.title,
            Payment.amount_minor,
            Payment.currency,
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            Attempt.payment_id == payment_id,
            Attempt.status == AttemptStatus.AT_WINDOW.value,
            func.ops_now() < Attempt.created_at + WINDOW_LIFE,
        )
    ).one_or_none()


def lock_attempt(attempt_id: int) -> Attempt:
    return db.session.scalars(locked(select(Attempt).where(Attempt.id == attempt_id))).one()


def lock_attempt_status(attempt_id: int) -> str:
    """Held against the turn that may be recording it just now."""
    wanted = select(Attempt.status).where(Attempt.id == attempt_id)
    return db.session.scalars(locked(wanted)).one()


def get_payment_of(attempt_id: int) -> Payment:
    of = select(Payment).join(Attempt, Attempt.payment_id == Payment.id)
    return db.session.scalars(of.where(Attempt.id == attempt_id)).one()


def get_succeeded_attempt(payment_id: int) -> Attempt:
    """The one whose money a refund gives back: a paid payment has exactly one."""
    paid = Attempt.status == AttemptStatus.SUCCEEDED.value
    found = select(Attempt).where(Attempt.payment_id == payment_id, paid)
    return db.session.scalars(found).one()


def list_gateways_met(
    payment_ids: Sequence[int], *, failed_as: Collection[str] | None = None
) -> dict[int, frozenset[str]]:
    """At which gateways a payment has been tried, or has failed in one of these classes."""
    wanted = (
        select(Attempt.payment_id, func.array_agg(Attempt.gateway_name.distinct()).label("names"))
        .where(Attempt.payment_id.in_(payment_ids))
        .group_by(Attempt.payment_id)
    )
    if failed_as is not None:
        wanted = wanted.where(Attempt.failure_class.in_(failed_as))
    return {row.payment_id: frozenset(row.names) for row in db.session.execute(wanted)}


def is_noted(action: str, attempt_id: int) -> bool:
    """Whether the log tells of this act upon the attempt."""
    of_attempt = (AuditEntry.subject_type == "attempt", AuditEntry.subject_id == attempt_id)
    noted = select(AuditEntry.id).where(*of_attempt, AuditEntry.action == action)
    return db.session.scalar(noted.limit(1)) is not None


def count_attempts(payment_id: int) -> int:
    return db.session.scalars(select(func.count()).where(Attempt.payment_id == payment_id)).one()


def count_attempts_of(payment_ids: Sequence[int]) -> dict[int, int]:
    counts = select(Attempt.payment_id, func.count()).where(Attempt.payment_id.in_(payment_ids))
    return {row[0]: row[1] for row in db.session.execute(counts.group_by(Attempt.payment_id))}


def find_open_refund(payment_id: int) -> Refund | None:
    """Of the payment's own money; a return of money beside it is none of it."""
    ended = [status.value for status in REFUND_ENDED]
    return db.session.scalar(
        select(Refund).where(
            Refund.payment_id == payment_id,
            Refund.unmatched_id.is_(None),
            Refund.status.not_in(ended),
        )
    )


def count_unsigned(gateway_name: str, attempt_id: int | None, *, within: timedelta) -> int:
    """Messages that nobody signed about the attempt, or about nothing of ours."""
    return db.session.scalars(
        select(func.count()).where(
            GatewayEvent.gateway_name == gateway_name,
            GatewayEvent.attempt_id.is_(None)
            if attempt_id is None
            else GatewayEvent.attempt_id == attempt_id,
            GatewayEvent.is_signed.is_(False),
            GatewayEvent.received_at > func.ops_now() - within,
        )
    ).one()


def may_have_moved_money() -> ColumnElement[bool]:
    """Sent by us, or paid in a window, where nothing need be sent."""
    return or_(Attempt.first_sent_at.is_not(None), Attempt.flow == Flow.WINDOW.value)


def read_real_time() -> datetime:
    """Gateways know nothing of a test clock."""
    now: datetime = db.session.scalars(select(func.clock_timestamp())).one()
    return now


def find_sending_span(gateway_name: str) -> tuple[datetime, datetime] | None:
    """First and present moment of sending to a gateway, real time; None if nothing was sent.

    A window was opened before it was first asked about. Business time that was moved on may make
    its birth later than that.
    """
    at_window = func.least(Attempt.created_at, Attempt.last_sent_at)
    began_at = case((Attempt.last_sent_at.is_(None), None), else_=at_window)
    first = db.session.scalar(
        select(func.min(func.coalesce(Attempt.first_sent_at, began_at))).where(
            Attempt.gateway_name == gateway_name, may_have_moved_money()
        )
    )
    return None if first is None else (first, db.session.scalars(func.clock_timestamp()).one())


def list_deposits(attempt_ids: Sequence[int]) -> list[Any]:
    """Whatever arrived for these attempts and was taken back, in the order it was written."""
    known = select(Deposit.id, Deposit.attempt_id, Deposit.amount_minor)
    of_these = known.where(Deposit.attempt_id.in_(attempt_ids)).order_by(Deposit.id)
    return list(db.session.execute(of_these)) if attempt_ids else []


def list_deposit_keys(deposit_keys: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Which of these names are used already, and by which gateway."""
    used = select(Deposit.gateway_name, Deposit.deposit_key)
    rows = db.session.execute(used.where(Deposit.deposit_key.in_(deposit_keys)))
    return frozenset((row.gateway_name, row.deposit_key) for row in rows)


def sum_cases(attempt_ids: Sequence[int], *, but: Sequence[UnmatchedStatus] = ()) -> dict[int, int]:
    """Deposits that cases hold or have given back, by attempt: not what its payment took."""
    given_back = (
        select(Refund.id)
        .where(
            Refund.unmatched_id == UnmatchedMoney.id,
            Refund.status == RefundStatus.SUCCEEDED.value,
        )
        .exists()
    )
    held = (UnmatchedStatus.OPEN.value, UnmatchedStatus.RETURNING.value)
    rows = db.session.execute(
        select(UnmatchedMoney.attempt_id, func.sum(UnmatchedMoney.amount_minor).label("minor"))
        .where(
            UnmatchedMoney.attempt_id.in_(attempt_ids),
            UnmatchedMoney.deposit_id.is_not(None),
            UnmatchedMoney.status.not_in([status.value for status in but]),
            or_(
                UnmatchedMoney.status.in_(held),
                and_(UnmatchedMoney.status == UnmatchedStatus.RETURNED.value, given_back),
            ),
        )
        .group_by(UnmatchedMoney.attempt_id)
    )
    return {row.attempt_id: int(row.minor) for row in rows}


def list_given_up(attempt_ids: Sequence[int]) -> frozenset[int]:
    """Virtual accounts that nobody wants to be paid any more."""
    if not attempt_ids:
        return frozenset()
    given_up = select(Attempt.id).where(
        Attempt.id.in_(attempt_ids), Attempt.close_because.is_not(None)
    )
    return frozenset(db.session.scalars(given_up))


def lock_open_accounts(payment_ids: Sequence[int]) -> list[Any]:
    """Virtual accounts that are or may yet be paid into, and that nobody has given up."""
    wanted = (
        select(Attempt.id, Attempt.status)
        .where(
            Attempt.payment_id.in_(payment_ids),
            Attempt.method_kind == VIRTUAL_ACCOUNT,
            Attempt.status.in_([status.value for status in OPEN]),
            Attempt.close_because.is_(None),
        )
        .order_by(Attempt.id)
    )
    return list(db.session.execute(locked(wanted)))


def lock_attempts_of(payment_id: int) -> list[Attempt]:
    of_payment = select(Attempt).where(Attempt.payment_id == payment_id).order_by(Attempt.id)
    return list(db.session.scalars(locked(of_payment)))


def lock_cases(attempt_id: int) -> list[Any]:
    """Whatever of its money no payment wanted and nobody has decided about, by deposit or not."""
    wanted = select(UnmatchedMoney.id, UnmatchedMoney.status, UnmatchedMoney.amount_minor).where(
        UnmatchedMoney.attempt_id == attempt_id,
        UnmatchedMoney.status == UnmatchedStatus.OPEN.value,
    )
    return list(db.session.execute(locked(wanted.order_by(UnmatchedMoney.id))))


def lock_open_cases(attempt_id: int) -> list[Any]:
    """Those of deposits alone."""
    wanted = select(UnmatchedMoney.id, UnmatchedMoney.status, UnmatchedMoney.amount_minor).where(
        UnmatchedMoney.attempt_id == attempt_id,
        UnmatchedMoney.deposit_id.is_not(None),
        UnmatchedMoney.status == UnmatchedStatus.OPEN.value,
    )
    return list(db.session.execute(locked(wanted.order_by(UnmatchedMoney.id))))
