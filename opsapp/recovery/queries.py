"""Reads of policies and recoveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased

from opsapp.kernel.db import as_array, db, is_among, kept_in_transaction, locked
from opsapp.kernel.errors import NotFound
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.recovery import checking, rules
from opsapp.recovery.models import Recovery, RecoveryPolicy
from opsapp.recovery.rules import SHIPPED, Policy
from opsapp.recovery.states import COLLECTED, OPEN, PolicyStatus, RecoveryStatus

SUBSCRIPTION = "subscription"
_LONGEST_SERIES = timedelta(days=60)
_ACTIVE = "recovery.policies.active"
_OPEN = [status.value for status in OPEN]


@dataclass(frozen=True, slots=True)
class InForce:
    """One version of the policy, ready to be asked."""

    id: int
    version: int
    name: str
    cohort: str
    share: int
    policy: Policy


def get_policy() -> Policy:
    """That of cohort A, in force now: what is promised to everybody is said there."""
    active = list_in_force()
    return active[0].policy if active else SHIPPED


def list_in_force() -> list[InForce]:
    """A, then B if there is one; read once a transaction."""
    kept = kept_in_transaction()
    found: list[InForce] | None = kept.get(_ACTIVE)
    if found is None:
        found = kept[_ACTIVE] = [in_force(row) for row in db.session.scalars(_in_force())]
    return found


def forget_in_force() -> None:
    """They were changed in this transaction."""
    kept_in_transaction().pop(_ACTIVE, None)


def policies_of(subscription_ids: Sequence[int]) -> dict[int, InForce]:
    """The version in force for each, by its cohort."""
    active = list_in_force()
    first, others = active[0], active[1:]
    share = others[0].share if others else 0
    return {
        id_: others[0] if share and rules.cohort_of(id_) < share else first
        for id_ in subscription_ids
    }


def list_policies_by_id(policy_ids: Sequence[int]) -> dict[int, InForce]:
    """Those in force cost no read where they have been asked for."""
    in_force_now: list[InForce] = kept_in_transaction().get(_ACTIVE, [])
    found = {row.id: row for row in in_force_now}
    if missing := set(policy_ids) - set(found):
        rows = db.session.scalars(select(RecoveryPolicy).where(RecoveryPolicy.id.in_(missing)))
        found |= {row.id: in_force(row) for row in rows}
    return found


@cache
def _in_force() -> Select[RecoveryPolicy]:
    active = select(RecoveryPolicy).where(RecoveryPolicy.status == PolicyStatus.ACTIVE.value)
    return active.order_by(RecoveryPolicy.cohort)


def in_force(row: RecoveryPolicy) -> InForce:
    policy = checking.read_policy(row.terms)
    return InForce(row.id, row.version, row.name, row.cohort, row.share, policy)


def get_version(policy_id: int) -> RecoveryPolicy:
    """Raises NotFound."""
    found = db.session.get(RecoveryPolicy, policy_id)
    if found is None:
        raise NotFound(noun="recovery policy", id=policy_id)
    return found


def list_versions(*, limit: int = 50) -> list[RecoveryPolicy]:
    """The newest first."""
    newest = select(RecoveryPolicy).order_by(RecoveryPolicy.version.desc())
    return list(db.session.scalars(newest.limit(limit)))


def find_last_version() -> int:
    return db.session.scalars(select(func.coalesce(func.max(RecoveryPolicy.version), 0))).one()


def find_of_payment(payment_id: int) -> Recovery | None:
    """The one row that a failed payment of a subscription has."""
    return db.session.scalar(select(Recovery).where(Recovery.payment_id == payment_id))


def lock_versions(policy_id: int | None = None) -> dict[int, RecoveryPolicy]:
    """Those in force and the one that is asked for, so that one change is made at a time."""
    wanted = RecoveryPolicy.status == PolicyStatus.ACTIVE.value
    rows = select(RecoveryPolicy).where(or_(wanted, RecoveryPolicy.id == policy_id))
    found = db.session.scalars(locked(rows.order_by(RecoveryPolicy.id)))
    return {row.id: row for row in found}


def get_recovery(recovery_id: int) -> Recovery:
    """Raises NotFound."""
    found = db.session.get(Recovery, recovery_id)
    if found is None:
        raise NotFound(noun="recovery", id=recovery_id)
    return found


def count_tries_by(payment_id: int, requested_by: str, *, since: datetime) -> int:
    """Attempts that one actor asked for."""
    tried = select(func.count()).where(
        Attempt.payment_id == payment_id,
        Attempt.requested_by == requested_by,
        Attempt.created_at > since,
    )
    return db.session.scalars(tried).one()


def lock_recovery(recovery_id: int) -> Recovery:
    """Raises NotFound."""
    found = db.session.scalar(locked(select(Recovery).where(Recovery.id == recovery_id)))
    if found is None:
        raise NotFound(noun="recovery", id=recovery_id)
    return found


def lock_of_payments(payment_ids: Sequence[int]) -> dict[int, Recovery]:
    """By payment."""
    wanted = select(Recovery).where(Recovery.payment_id.in_(payment_ids))
    rows = db.session.scalars(locked(wanted.order_by(Recovery.id)))
    return {row.payment_id: row for row in rows}


def list_running_policies(subscription_ids: Sequence[int]) -> dict[int, int]:
    """By subscription: the policy of what is open about it, the oldest first."""
    running = (
        select(Recovery.subscription_id, func.min(Recovery.policy_id))
        .where(Recovery.subscription_id.in_(subscription_ids), Recovery.status.in_(_OPEN))
        .group_by(Recovery.subscription_id)
    )
    return {row[0]: row[1] for row in db.session.execute(running)}


def count_declines(
    method_ids: Sequence[int], customer_ids: Sequence[int], *, since: datetime
) -> dict[int, int]:
    """Declines of automatic attempts by payment method; by way of the customers, whose payments
    have an index.
    """
    declines = (
        select(Attempt.payment_method_id, func.count())
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            Payment.customer_id.in_(customer_ids),
            Payment.requested_at > since - _LONGEST_SERIES,
            Attempt.payment_method_id.in_(method_ids),
            Attempt.status == AttemptStatus.DECLINED.value,
            Attempt.ended_at > since,
            Attempt.requested_by.not_like("staff:%"),
            Attempt.requested_by.not_like("customer:%"),
        )
        .group_by(Attempt.payment_method_id)
    )
    return {row[0]: row[1] for row in db.session.execute(declines) if row[0] is not None}


def lock_uncollected(payment_ids: Sequence[int]) -> list[Any]:
    """Of payments that were paid now: nearly none, in a good run."""
    return list(db.session.execute(_lock_uncollected(), {"ids": as_array(payment_ids)}))


@cache
def _lock_uncollected() -> Select[*tuple[Any, ...]]:
    collected = [status.value for status in COLLECTED]
    return locked(
        select(Recovery.id, Recovery.status, Recovery.amount_minor, Recovery.subscription_id)
        .where(is_among(Recovery.payment_id, "ids"), Recovery.status.not_in(collected))
        .order_by(Recovery.id)
    )


def list_series(since: datetime, *, limit: int) -> list[Any]:
    """Every attempt of the subscription payments that were declined since then, in their order;
    of the latest `limit` payments.
    """
    declined = (
        select(Attempt.payment_id, func.max(Attempt.ended_at).label("last_at"))
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            Payment.subject_type == SUBSCRIPTION,
            Attempt.status == AttemptStatus.DECLINED.value,
            Attempt.ended_at > since,
        )
        .group_by(Attempt.payment_id)
        .order_by(func.max(Attempt.ended_at).desc())
        .limit(limit)
        .subquery()
    )
    ended = (AttemptStatus.DECLINED.value, AttemptStatus.SUCCEEDED.value)
    attempts = (
        select(
            Attempt.payment_id,
            Attempt.number,
            Attempt.status,
            Attempt.payment_method_id,
            Attempt.gateway_name,
            Attempt.failure_class,
            Attempt.failure_code,
            Attempt.requested_by,
            Attempt.ended_at,
            Payment.subject_id,
            Payment.amount_minor,
            Payment.currency,
        )
        .join(declined, declined.c.payment_id == Attempt.payment_id)
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(Attempt.status.in_(ended))
        .order_by(Attempt.payment_id, Attempt.number)
    )
    return list(db.session.execute(attempts))


def count_outcomes(since: datetime) -> list[Any]:
    """How tries after a decline went: by its class, code and gateway, and the days between."""
    again = aliased(Attempt)
    days = func.floor(func.extract("epoch", again.ended_at - Attempt.ended_at) / 86_400)
    is_paid = again.status == AttemptStatus.SUCCEEDED.value
    keys = (Attempt.failure_class, Attempt.failure_code, Attempt.gateway_name)
    outcomes = (
        select(
            *keys,
            days.label("days"),
            func.count().label("tries"),
            func.count().filter(is_paid).label("paid"),
        )
        .join(
            again, (again.payment_id == Attempt.payment_id) & (again.number == Attempt.number + 1)
        )
        .join(Payment, Payment.id == Attempt.payment_id)
        .where(
            Payment.subject_type == SUBSCRIPTION,
            Attempt.status == AttemptStatus.DECLINED.value,
            Attempt.ended_at > since,
            again.ended_at.is_not(None),
            again.status.in_([AttemptStatus.SUCCEEDED.value, AttemptStatus.DECLINED.value]),
        )
        .group_by(*keys, days)
    )
    return list(db.session.execute(outcomes))


def list_owing(subscription_ids: Sequence[int], *, but: Sequence[int]) -> frozenset[int]:
    """Those of them that another recovery is not over for; what was given up is not owed."""
    owing = _uncollected(subscription_ids).where(
        Recovery.status.in_([*_OPEN, RecoveryStatus.EXHAUSTED.value]), Recovery.id.not_in(but)
    )
    return frozenset(db.session.scalars(owing))


def list_behind(subscription_ids: Sequence[int]) -> frozenset[int]:
    """Those of them with a series that runs because of a decline, not of a gateway's fault."""
    behind = _uncollected(subscription_ids).where(
        Recovery.status.in_(_OPEN),
        or_(Recovery.failures > 0, Recovery.next_step != rules.Next.GATEWAY_RETRY.value),
    )
    return frozenset(db.session.scalars(behind))


def _uncollected(subscription_ids: Sequence[int]) -> Select[int]:
    return (
        select(Recovery.subscription_id)
        .join(Payment, Payment.id == Recovery.payment_id)
        .where(
            Recovery.subscription_id.in_(subscription_ids),
            Payment.status != PaymentStatus.CANCELLED.value,
        )
    )


def lock_partly_recovered(subscription_ids: Sequence[int]) -> list[Any]:
    partly = RecoveryStatus.PARTLY_RECOVERED.value
    wanted = select(Recovery.id, Recovery.status).where(
        Recovery.subscription_id.in_(subscription_ids), Recovery.status == partly
    )
    return list(db.session.execute(locked(wanted.order_by(Recovery.id))))


def lock_collected(payment_ids: Sequence[int]) -> list[Any]:
    collected = [status.value for status in COLLECTED]
    wanted = select(Recovery.id, Recovery.status).where(
        Recovery.payment_id.in_(payment_ids), Recovery.status.in_(collected)
    )
    return list(db.session.execute(locked(wanted.order_by(Recovery.id))))


def lock_of_subscriptions(
    subscription_ids: Sequence[int], statuses: Sequence[RecoveryStatus] = OPEN
) -> list[Any]:
    wanted = select(Recovery.id, Recovery.status, Recovery.payment_id).where(
        Recovery.subscription_id.in_(subscription_ids),
        Recovery.status.in_([status.value for status in statuses]),
    )
    return list(db.session.execute(locked(wanted.order_by(Recovery.id))))


def lock_due(now: datetime, *, limit: int) -> list[Any]:
    """Planned tries whose time has come; rows that somebody holds are passed over."""
    due = (
        select(Recovery.id, Recovery.status)
        .where(Recovery.status == RecoveryStatus.SCHEDULED.value, Recovery.next_at <= now)
        .order_by(Recovery.next_at)
        .limit(limit)
    )
    return list(db.session.execute(locked(due, skip=True)))
