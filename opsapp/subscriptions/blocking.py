"""Blocks: why a subscription stands still in part. Each cause is placed and lifted by itself.

The status is the headline over them; is_billing_blocked says whether any of them stops billing.
Both are kept here and nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select, update

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, bulk_update, db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record_many
from opsapp.kernel.states import RowMove
from opsapp.recovery import queries as recoveries
from opsapp.subscriptions import queries, rules, skipping
from opsapp.subscriptions.errors import MoveRefused
from opsapp.subscriptions.models import Subscription, SubscriptionBlock
from opsapp.subscriptions.rules import Standing
from opsapp.subscriptions.states import ENDED, SUBSCRIPTION, SubscriptionStatus

SUBJECT = "subscription_block"
# What a block may have made of it, and a debt that a hold has given up.
_SAID_ANEW = (
    SubscriptionStatus.PAUSED,
    SubscriptionStatus.SUSPENDED,
    SubscriptionStatus.PAST_DUE,
)
_WANTED = {
    rules.PAUSE: "paused",
    rules.SUSPENSION: "suspended",
    rules.HOLD: "held",
    rules.FIRST_PERIOD: "held",
}


@dataclass(frozen=True, slots=True)
class NewBlock:
    """`until`: the day on which it lifts by itself. `keeps_retries`: of what had failed before."""

    subscription_id: int
    cause: str
    because: str
    change: bool = False
    service: bool = False
    billing: bool = False
    until: date | None = None
    keeps_retries: bool = False


@within_transaction
def place(
    subscription_id: int,
    *,
    cause: str,
    change: bool = False,
    service: bool = False,
    billing: bool = False,
    until: date | None = None,
    keeps_retries: bool = False,
    because: str,
    by: Actor,
) -> bool:
    """Returns whether it is new; one of the same cause stays as it is. What is planned already is
    left to the caller. Raises NotFound, MoveRefused, Invalid.
    """
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status in ENDED:
        raise MoveRefused(status=subscription.status, wanted=_WANTED[cause])
    if until is not None and until <= clock.seoul_date(clock.now()):
        raise Invalid(field="until", reason="Choose a day after today.")
    block = NewBlock(
        subscription_id, cause, because, change, service, billing, until, keeps_retries
    )
    return bool(place_many([block], by=by))


@within_transaction
def place_many(blocks: Sequence[NewBlock], *, by: Actor) -> frozenset[int]:
    """Ids of the subscriptions that are blocked anew, for one cause each.

    What has ended, and what is blocked for that cause already, is passed over.
    """
    subscriptions = queries.lock_subscriptions([block.subscription_id for block in blocks])
    held = _list_open(list(subscriptions))
    fresh = {
        block.subscription_id: block
        for block in blocks
        if (row := subscriptions.get(block.subscription_id)) is not None
        and row.status not in ENDED
        and block.cause not in {each.cause for each in held.get(row.id, [])}
    }
    if not fresh:
        return frozenset()
    bulk_insert(SubscriptionBlock, [_row(block, by) for block in fresh.values()])
    bulk_update(
        Subscription,
        [{"id": id_, "is_billing_blocked": True} for id_, b in fresh.items() if b.billing],
    )
    record_many([_entry("subscription.blocked", block) for block in fresh.values()], by=by)
    causes = {
        id_: frozenset({block.cause, *(each.cause for each in held.get(id_, []))})
        for id_, block in fresh.items()
    }
    moves = [
        RowMove(id_, subscriptions[id_].status, target, fresh[id_].because)
        for id_ in fresh
        if (target := _while_blocked(causes[id_])) not in (None, subscriptions[id_].status)
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=by)
    _read_again(fresh)
    return frozenset(fresh)


@within_transaction
def lift(subscription_id: int, *, cause: str, because: str, by: Actor) -> bool:
    """Returns whether there was one. Raises NotFound."""
    queries.lock_subscription(subscription_id)
    return bool(lift_many([subscription_id], cause=cause, because=because, by=by))


@within_transaction
def lift_many(
    subscription_ids: Sequence[int], *, cause: str, because: str, by: Actor
) -> frozenset[int]:
    """Ids of those that were blocked for that cause.

    The status becomes what is left to be said. Once nothing blocks the service any more, the
    periods that passed without it are skipped; what passed while billing alone stood still is
    owed, and is charged one period a day.
    """
    subscriptions = queries.lock_subscriptions(subscription_ids)
    held = _list_open(list(subscriptions))
    lifted = {
        id_: block for id_, blocks in held.items() for block in blocks if block.cause == cause
    }
    if not lifted:
        return frozenset()
    left = {id_: [each for each in held[id_] if each.cause != cause] for id_ in lifted}
    _close([block.id for block in lifted.values()], by=by)
    record_many([_lifted(id_, cause, because) for id_ in sorted(lifted)], by=by)
    bulk_update(
        Subscription,
        [
            {
                "id": id_,
                "is_billing_blocked": any(each.blocks_billing for each in left[id_]),
                "is_announced": False,
            }
            for id_ in lifted
        ],
    )
    served_again = [
        block
        for id_, block in lifted.items()
        if block.blocks_service and not any(each.blocks_service for each in left[id_])
    ]
    if _skip_missed(served_again, subscriptions, because=because, by=by):
        _read_again(lifted)
    standing = [subscriptions[id_] for id_ in lifted if subscriptions[id_].status in _SAID_ANEW]
    behind = recoveries.list_behind([row.id for row in standing]) if standing else frozenset()
    moves = [
        RowMove(row.id, row.status, target, because)
        for row in standing
        if (target := _headline(row, left[row.id], is_behind=row.id in behind)) != row.status
    ]
    SUBSCRIPTION.move_many(Subscription, moves, by=by)
    _read_again(lifted)
    return frozenset(lifted)


@within_transaction
def _skip_missed(
    lifted: Sequence[SubscriptionBlock],
    subscriptions: Mapping[int, Subscription],
    *,
    because: str,
    by: Actor,
) -> int:
    """What passed while nothing was served; a customer's own pause spares the running period."""
    own = [block.subscription_id for block in lifted if block.placed_by.startswith("customer:")]
    others = [block.subscription_id for block in lifted if block.subscription_id not in own]
    return sum(
        skipping.skip_missed_of(
            [subscriptions[id_] for id_ in ids], because=because, by=by, spare_running=ids is own
        )
        for ids in (own, others)
    )


@within_transaction
def clear(subscription_ids: Sequence[int], *, because: str, by: Actor) -> None:
    """Lift all blocks of what has ended: nothing is left to be blocked."""
    held = _list_open(subscription_ids)
    if not held:
        return
    _close([block.id for blocks in held.values() for block in blocks], by=by)
    bulk_update(Subscription, [{"id": id_, "is_billing_blocked": False} for id_ in held])
    record_many(
        [
            _lifted(block.subscription_id, block.cause, because)
            for blocks in held.values()
            for block in blocks
        ],
        by=by,
    )
    _read_again(held)


def list_open_blocks(subscription_id: int) -> list[SubscriptionBlock]:
    return _list_open([subscription_id]).get(subscription_id, [])


def list_over(today: date, *, limit: int) -> list[SubscriptionBlock]:
    """Blocks that lift by themselves by that day."""
    over = select(SubscriptionBlock).where(
        SubscriptionBlock.lifted_at.is_(None), SubscriptionBlock.until <= today
    )
    ordered = over.order_by(SubscriptionBlock.until, SubscriptionBlock.id).limit(limit)
    return list(db.session.scalars(ordered))


def headline_of(subscription: Subscription) -> SubscriptionStatus:
    """What its status should say."""
    is_behind = bool(recoveries.list_behind([subscription.id]))
    return _headline(subscription, list_open_blocks(subscription.id), is_behind=is_behind)


def _headline(
    row: Subscription, blocks: Sequence[SubscriptionBlock], *, is_behind: bool
) -> SubscriptionStatus:
    """`is_behind`: a series runs, which a payment of another period does not end."""
    return rules.headline(
        Standing(
            ended=SubscriptionStatus(row.status) if row.status in ENDED else None,
            causes=frozenset(block.cause for block in blocks),
            is_leaving=row.cancel_asked_on is not None,
            owes=is_behind or row.failures_in_row > 0,
            is_in_trial=row.trial_ends_on is not None and row.next_period_index == 0,
        )
    )


def _while_blocked(causes: frozenset[str]) -> SubscriptionStatus | None:
    """The status that a block forces; None: it goes on saying what it says."""
    status = rules.headline(Standing(causes=causes))
    return None if status is SubscriptionStatus.ACTIVE else status


def _list_open(subscription_ids: Sequence[int]) -> dict[int, list[SubscriptionBlock]]:
    held = select(SubscriptionBlock).where(
        SubscriptionBlock.subscription_id.in_(subscription_ids),
        SubscriptionBlock.lifted_at.is_(None),
    )
    found: dict[int, list[SubscriptionBlock]] = {}
    for block in db.session.scalars(held.execution_options(populate_existing=True)):
        found.setdefault(block.subscription_id, []).append(block)
    return found


def _row(block: NewBlock, by: Actor) -> dict[str, Any]:
    return {
        "subscription_id": block.subscription_id,
        "cause": block.cause,
        "blocks_change": block.change,
        "blocks_service": block.service,
        "blocks_billing": block.billing,
        "keeps_retries": block.keeps_retries,
        "because": block.because,
        "placed_by": str(by),
        "until": block.until,
    }


def _entry(action: str, block: NewBlock) -> Entry:
    detail = {
        "cause": block.cause,
        "change": block.change,
        "service": block.service,
        "billing": block.billing,
        "until": block.until.isoformat() if block.until else None,
    }
    return Entry(
        action, queries.SUBJECT, block.subscription_id, because=block.because, detail=detail
    )


def _lifted(subscription_id: int, cause: str, because: str) -> Entry:
    detail = {"cause": cause}
    entry = "subscription.block_lifted"
    return Entry(entry, queries.SUBJECT, subscription_id, because=because, detail=detail)


def _close(block_ids: Sequence[int], *, by: Actor) -> None:
    over = update(SubscriptionBlock).where(SubscriptionBlock.id.in_(block_ids))
    how = {"synchronize_session": False}
    db.session.execute(
        over.values(lifted_at=func.ops_now(), lifted_by=str(by)), execution_options=how
    )


def _read_again(subscription_ids: Iterable[int]) -> None:
    """Copies that callers loaded before tell the truth again."""
    queries.lock_subscriptions(sorted(subscription_ids))
