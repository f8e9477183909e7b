"""Following: what became of each failed payment is kept in its recovery, set-based."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.states import RowMove
from opsapp.recovery import queries
from opsapp.recovery.judging import Judged
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import Next, Reason
from opsapp.recovery.states import RECOVERY, RecoveryStatus

BY = Actor("timetable", "recovery.take_up_due")
_PAID = "the missing period was paid"
_TOLD = ("id", "status", "next_step", "failures", "payment_id")
_STATUS = {
    Next.RETRY: RecoveryStatus.SCHEDULED,
    Next.GATEWAY_RETRY: RecoveryStatus.SCHEDULED,
    Next.FINAL: RecoveryStatus.EXHAUSTED,
}


@within_transaction
def follow(judged: Sequence[Judged], *, by: Actor) -> None:
    """Open a recovery for a payment that failed for the first time, move on those that run."""
    now = clock.now()
    opened = [_opened(each, now) for each in judged if each.held is None]
    written = bulk_insert(Recovery, opened, returning=_TOLD, or_nothing=True)
    record_many(
        [
            Entry(
                f"recovery.{row.status}",
                "recovery",
                row.id,
                because=row.next_step,
                to_state=row.status,
                detail={
                    "payment_id": row.payment_id,
                    "failure": row.failures,
                    "next": row.next_step,
                },
            )
            for row in written
        ],
        by=by,
    )
    moves = [_move(each, each.held, now) for each in judged if each.held is not None]
    RECOVERY.move_many(Recovery, moves, by=by)


@within_transaction
def collect(
    payment_ids: Sequence[int], subscription_ids: Sequence[int], *, by: Actor
) -> frozenset[int]:
    """They were paid. While another period of the same subscription is owed, that is a part.

    Returns those of the subscriptions that another recovery is not over for.
    """
    rows = queries.lock_uncollected(payment_ids)
    owing = queries.list_owing(subscription_ids, but=[row.id for row in rows])
    if not rows:
        return owing
    now = clock.now()
    moves = [
        RowMove(
            row.id,
            row.status,
            RecoveryStatus.PARTLY_RECOVERED
            if row.subscription_id in owing
            else RecoveryStatus.RECOVERED,
            _PAID,
            also={
                "recovered_minor": row.amount_minor,
                "next_at": None,
                "closed_at": now,
                "snoozed_until": None,
            },
        )
        for row in rows
    ]
    RECOVERY.move_many(Recovery, moves, by=by)
    settled = sorted({row.subscription_id for row in rows} - owing)
    earlier = [
        RowMove(row.id, row.status, RecoveryStatus.RECOVERED, "nothing else is owed")
        for row in queries.lock_partly_recovered(settled)
        if row.id not in {other.id for other in rows}
    ]
    RECOVERY.move_many(Recovery, earlier, by=by)
    return owing


@within_transaction
def take_back(payment_ids: Sequence[int], *, by: Actor) -> None:
    """The bank took back what had been collected: a person looks after it."""
    rows = queries.lock_collected(payment_ids)
    because = "the bank took the deposit back"
    step = Next.WAIT_PERSON.value
    also = {"recovered_minor": 0, "closed_at": None, "next_step": step, "failures": 0}
    moves = [
        RowMove(row.id, row.status, RecoveryStatus.MONITORING, because, also=also) for row in rows
    ]
    RECOVERY.move_many(Recovery, moves, by=by)


@within_transaction
def take_up(payment_ids: Collection[int], *, because: str, by: Actor) -> None:
    """A try outside the plan is under way; the time of the planned step is kept."""
    rows = queries.lock_of_payments(list(payment_ids)).values()
    moves = [
        RowMove(row.id, row.status, RecoveryStatus.PROCESSING, because)
        for row in rows
        if RECOVERY.allows(row.status, RecoveryStatus.PROCESSING)
    ]
    RECOVERY.move_many(Recovery, moves, by=by)


@within_transaction
def take_up_due(*, limit: int = 500) -> int:
    """Planned tries whose time has come are under way; returns how many."""
    rows = queries.lock_due(clock.now(), limit=limit)
    because = "its time has come"
    moves = [RowMove(row.id, row.status, RecoveryStatus.PROCESSING, because) for row in rows]
    return len(RECOVERY.move_many(Recovery, moves, by=BY))


def _opened(judged: Judged, now: datetime) -> dict[str, Any]:
    fact = judged.case.fact
    return {
        "payment_id": fact.payment_id,
        "subscription_id": fact.subject_id,
        "customer_id": fact.customer_id,
        "policy_id": judged.policy.id,
        "status": _status(judged).value,
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "opened_at": now,
        **_state(judged, now, tries=0, staff_tries=0),
    }


def _move(judged: Judged, held: Recovery, now: datetime) -> RowMove:
    also = _state(judged, now, tries=held.tries, staff_tries=held.staff_tries)
    if held.warned_at is not None:
        also["warned_at"] = held.warned_at
    detail = {"failure": judged.decision.failures, "next": judged.decision.next.value}
    code = judged.case.fact.failure_code or Reason.UNPAID.value
    return RowMove(held.id, held.status, _status(judged), code, also=also, detail=detail)


def _status(judged: Judged) -> RecoveryStatus:
    return _STATUS.get(judged.decision.next, RecoveryStatus.MONITORING)


def _state(judged: Judged, now: datetime, *, tries: int, staff_tries: int) -> dict[str, Any]:
    fact, decision = judged.case.fact, judged.decision
    return {
        "failures": judged.failures,
        "tries": tries + 1,
        "gateway_tries": decision.gateway_tries,
        "staff_tries": staff_tries + judged.is_retry_by_staff,
        "gateway_name": fact.gateway_name,
        "failure_class": fact.failure_class,
        "failure_code": fact.failure_code,
        "reason": judged.reason.value,
        "next_step": decision.next.value,
        "next_at": decision.next_at,
        "warned_at": now if decision.warns else None,
        "snoozed_until": None,
        "last_failed_at": now,
        "closed_at": now if decision.next is Next.FINAL else None,
        "recovered_minor": 0,
    }
