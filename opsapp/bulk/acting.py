"""The acts that may be done to many, each by the verb that does it to one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opsapp.bulk.errors import NotToBeRetried
from opsapp.kernel.actors import Actor
from opsapp.kernel.money import Money
from opsapp.payments import queries as payments, refunding
from opsapp.payments.errors import NotRefundable
from opsapp.payments.refunding import RefundWish
from opsapp.payments.states import REFUNDABLE, PaymentStatus
from opsapp.recovery import queries as recoveries
from opsapp.subscriptions import cancelling, pausing, recovering, renewing
from opsapp.subscriptions.states import CHARGEABLE, GOING_ON, SubscriptionStatus as S

SUBSCRIPTION, PAYMENT = "subscription", "payment"


@dataclass(frozen=True, slots=True)
class Target:
    """`request_id` names the row: done again, the act is done once."""

    subject_id: int
    amount_minor: int | None
    request_id: str


@dataclass(frozen=True, slots=True)
class Act:
    """`possible`: statuses in which it is worth trying; the verb decides again under its lock."""

    subject_type: str
    do: Callable[[Target, str, Actor], object]
    possible: frozenset[str]
    moves_money_back: bool = False


def _pause(target: Target, because: str, by: Actor) -> None:
    pausing.pause(target.subject_id, because=because, by=by)


def _resume(target: Target, because: str, by: Actor) -> None:
    pausing.resume(target.subject_id, by=by)


def _charge_now(target: Target, because: str, by: Actor) -> None:
    renewing.charge_now(target.subject_id, by=by)


def _cancel(target: Target, because: str, by: Actor) -> None:
    cancelling.cancel(target.subject_id, because=because, by=by)


def _cancel_at_period_end(target: Target, because: str, by: Actor) -> None:
    cancelling.cancel_at_period_end(target.subject_id, because=because, by=by)


def _refund(target: Target, because: str, by: Actor) -> None:
    """All that was left when it was shown; another figure now is refused.

    The job itself waited for a second person and for its time to be undone.
    """
    payment = payments.lock_payment(target.subject_id)
    minor = target.amount_minor
    if not minor:
        raise NotRefundable(reason=f"it is {payment.status}")
    wish = RefundWish(target.request_id, Money(minor, payment.currency), minor, because)
    refunding.request_refund(payment.id, wish, by=by)


def _retry(target: Target, because: str, by: Actor) -> None:
    """Of a failed payment of a subscription: nothing is ever charged ahead of its day."""
    recovery = recoveries.find_of_payment(target.subject_id)
    if recovery is None:
        raise NotToBeRetried
    recovering.retry_now(recovery.id, by=by)


def _of_subscription(do: Callable[[Target, str, Actor], object], *possible: S) -> Act:
    return Act(SUBSCRIPTION, do, frozenset(possible))


ACTS: Mapping[str, Act] = {
    "pause": _of_subscription(_pause, *CHARGEABLE),
    "resume": _of_subscription(_resume, S.PAUSED, S.SUSPENDED),
    "charge_now": _of_subscription(_charge_now, *CHARGEABLE, S.SUSPENDED),
    "cancel_at_period_end": _of_subscription(_cancel_at_period_end, *CHARGEABLE),
    "cancel": _of_subscription(_cancel, *GOING_ON),
    "refund": Act(PAYMENT, _refund, frozenset(REFUNDABLE), moves_money_back=True),
    # One that failed and will be tried again by itself is still pending.
    "retry": Act(PAYMENT, _retry, frozenset((PaymentStatus.PENDING, PaymentStatus.FAILED))),
}


def acts_of(subject_type: str) -> tuple[str, ...]:
    return tuple(name for name, act in ACTS.items() if act.subject_type == subject_type)


def is_possible(act: str, status: str) -> bool:
    """A forecast for the preview: the verb decides again under its lock."""
    return status in ACTS[act].possible


def act_on(act: str, target: Target, *, because: str, by: Actor) -> None:
    ACTS[act].do(target, because, by)
