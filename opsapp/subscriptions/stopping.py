"""Stopping: whatever is planned about a subscription is taken back, and what is left is counted.

The counts are read before and after, so that "0 left" is a fact and not a hope.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select, update

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, locked_together, within_transaction
from opsapp.kernel.log import Entry, record
from opsapp.kernel.states import RowMove
from opsapp.notifications import queries as notices, sending
from opsapp.payments import queries as payments, requesting
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.subscriptions import queries
from opsapp.subscriptions.models import AdvanceNotice, Subscription, SubscriptionChange
from opsapp.subscriptions.states import CHANGE, CHANGE_OPEN, ChangeStatus

PLANNED = (PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT)
GIVEN_UP = (*PLANNED, PaymentStatus.FAILED)

# What a customer must not read any more once it was stopped.
FORETELLING = ("upcoming_charge", "trial_ending", "price_change", "subscription_ending")
COLLECTING = (
    "payment_failed",
    "payment_method_unusable",
    "subscription_suspended",
    "deposit_requested",
    "gateway_trouble_apology",
    "recovery_reminder",
    "recovery_last_warning",
)
_OF_CHANGES = "subscription_change"
_ANNOUNCED = "advance_notice"


@dataclass(frozen=True, slots=True)
class Going:
    """What is planned or under way about a subscription. `in_flight`: at the gateway already."""

    charges: int = 0
    retries: int = 0
    notices: int = 0
    changes: int = 0
    accounts: int = 0  # virtual accounts that may be paid into
    in_flight: int = 0

    @property
    def left(self) -> int:
        """All that could still lead to a charge by itself."""
        return self.charges + self.retries + self.notices + self.changes + self.accounts


@dataclass(frozen=True, slots=True)
class Stopped:
    """`in_flight` goes through or not; if it does, it is refunded by itself after an end."""

    charges_withdrawn: int = 0
    retries_withdrawn: int = 0
    notices_revoked: int = 0
    changes_withdrawn: int = 0
    accounts_closed: int = 0
    in_flight: int = 0
    left: int = 0


@within_transaction
def lock_all(
    subscription_id: int, statuses: Sequence[PaymentStatus]
) -> tuple[list[int], Subscription]:
    """Its payments in these states and itself, none missing, in the house order. Raises NotFound.

    A payment that a billing run makes between the two locks starts it over; with the subscription
    in hand, none can be made any more.
    """

    def lock_both() -> tuple[list[int], Subscription] | None:
        held = [
            *queries.lock_payments_of([subscription_id], statuses),
            *lock_payments_of_changes([subscription_id], statuses),
        ]
        subscription = queries.lock_subscription(subscription_id)
        now = queries.list_payments_of([subscription_id], statuses)
        return (sorted(held), subscription) if set(now) <= set(held) else None

    found = locked_together(lock_both)
    if found is not None:
        return found
    held = queries.lock_payments_of([subscription_id], statuses)
    subscription = queries.lock_subscription(subscription_id)
    held += queries.lock_free_payments_of([subscription_id], statuses)
    return sorted(set(held)), subscription


def look(subscription_id: int) -> Going:
    """Five reads; nothing is written."""
    payment_ids = queries.list_payments_of([subscription_id], GIVEN_UP)
    changes = _list_open_changes([subscription_id])
    payment_ids += [row.payment_id for row in changes if row.payment_id is not None]
    live = payments.list_live_attempts(payment_ids)
    unsent = [row for row in live if not row.is_sent]
    accounts = [row for row in live if row.status == AttemptStatus.WAITING]
    told = sum(
        notices.count_open_about(kinds, subject_type, ids)
        for kinds, subject_type, ids in _about([subscription_id], payment_ids, live, changes)
        if ids
    )
    return Going(
        charges=sum(row.number == 1 for row in unsent),
        retries=sum(row.number > 1 for row in unsent),
        notices=told,
        changes=len(changes),
        accounts=sum(row.close_because is None for row in accounts),
        in_flight=sum(row.is_sent for row in live) - len(accounts),
    )


@within_transaction
def stop(subscription_id: int, payment_ids: Sequence[int], *, because: str, by: Actor) -> Stopped:
    """Take everything back. The payments and the subscription are locked by `lock_all`."""
    before = look(subscription_id)
    stop_many([subscription_id], payment_ids, because=because, by=by)
    after = look(subscription_id)
    stopped = Stopped(
        charges_withdrawn=before.charges - after.charges,
        retries_withdrawn=before.retries - after.retries,
        notices_revoked=before.notices - after.notices,
        changes_withdrawn=before.changes - after.changes,
        accounts_closed=before.accounts - after.accounts,
        in_flight=after.in_flight,
        left=after.left,
    )
    entry = "subscription.stopped"
    detail = asdict(stopped)
    record(Entry(entry, queries.SUBJECT, subscription_id, because=because, detail=detail), by=by)
    return stopped


@within_transaction
def stop_many(
    subscription_ids: Sequence[int], payment_ids: Sequence[int], *, because: str, by: Actor
) -> None:
    """The same for many, without the counts."""
    changes = _list_open_changes(subscription_ids)
    of_changes = [row.payment_id for row in changes if row.payment_id is not None]
    everything = sorted({*payment_ids, *of_changes})
    live = payments.list_live_attempts(everything)
    for kinds, subject_type, ids in _about(subscription_ids, everything, live, changes):
        if ids:
            sending.revoke(kinds, subject_type, ids, because=because, by=by)
    requesting.withdraw(everything, because=because, by=by)
    withdraw_changes(subscription_ids, because=because, by=by)
    unannounce(subscription_ids)


@within_transaction
def withdraw_changes(
    subscription_ids: Sequence[int],
    *,
    but: ChangeStatus | None = None,
    because: str,
    by: Actor,
) -> int:
    """Changes that are planned or wait for their payment; returns how many.

    A payment that is still planned for one is taken back by the next claim, unless the caller does.
    """
    moves = [
        RowMove(row.id, row.status, ChangeStatus.WITHDRAWN, because)
        for row in _list_open_changes(subscription_ids)
        if row.status != but
    ]
    return len(CHANGE.move_many(SubscriptionChange, moves, by=by))


@within_transaction
def unannounce(subscription_ids: Sequence[int]) -> None:
    """Whatever no channel has carried yet was never announced: it is again before a charge."""
    how = {"synchronize_session": False}
    untold = delete(AdvanceNotice).where(
        AdvanceNotice.subscription_id.in_(subscription_ids), AdvanceNotice.attempted_at.is_(None)
    )
    db.session.execute(untold, execution_options=how)
    again = update(Subscription).where(Subscription.id.in_(subscription_ids))
    db.session.execute(again.values(is_announced=False), execution_options=how)


@within_transaction
def revoke_foretelling(
    subscription_ids: Sequence[int], *, but_changes: bool = False, because: str, by: Actor
) -> int:
    """Messages about charges to come that will not come; returns how many.

    `but_changes`: planned ones stay, and so does what asks for consent to them.
    """
    changes = [] if but_changes else _list_open_changes(subscription_ids)
    told = _about(subscription_ids, [], [], changes)
    revoked = sum(
        sending.revoke(FORETELLING, subject_type, ids, because=because, by=by)
        for _, subject_type, ids in told
        if ids
    )
    unannounce(subscription_ids)
    return revoked


def _about(
    subscription_ids: Sequence[int],
    payment_ids: Sequence[int],
    live: Sequence[Any],
    changes: Sequence[SubscriptionChange],
) -> list[tuple[tuple[str, ...], str, list[int]]]:
    """Kinds of notices, and what they are about."""
    every = (*FORETELLING, *COLLECTING)
    return [
        (every, queries.SUBJECT, list(subscription_ids)),
        (every, queries.PAYMENT, list(payment_ids)),
        (COLLECTING, "attempt", [row.id for row in live]),
        (FORETELLING, _ANNOUNCED, _list_announced(subscription_ids)),
        (FORETELLING, _OF_CHANGES, [row.id for row in changes]),
    ]


def _list_announced(subscription_ids: Sequence[int]) -> list[int]:
    """What was announced for periods that are still to come."""
    announced = (
        select(AdvanceNotice.id)
        .join(Subscription, Subscription.id == AdvanceNotice.subscription_id)
        .where(
            AdvanceNotice.subscription_id.in_(subscription_ids),
            AdvanceNotice.period_index >= Subscription.next_period_index,
        )
    )
    return list(db.session.scalars(announced))


def _list_open_changes(subscription_ids: Sequence[int]) -> list[SubscriptionChange]:
    open_ = [status.value for status in CHANGE_OPEN]
    wanted = select(SubscriptionChange).where(
        SubscriptionChange.subscription_id.in_(subscription_ids),
        SubscriptionChange.status.in_(open_),
    )
    ordered = wanted.order_by(SubscriptionChange.id)
    return list(db.session.scalars(ordered.execution_options(populate_existing=True)))


def lock_payments_of_changes(
    subscription_ids: Sequence[int], statuses: Sequence[PaymentStatus]
) -> list[int]:
    """Ids of the differences that are being paid. Taken before the subscriptions: house order."""
    ids = [row.payment_id for row in _list_open_changes(subscription_ids) if row.payment_id]
    wanted = [status.value for status in statuses]
    rows = payments.lock_payments(ids) if ids else []
    return [row.id for row in rows if row.status in wanted]
