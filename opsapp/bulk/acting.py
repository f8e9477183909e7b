"""The acts that may be done to many, each by the verb that does it to one."""

from collections.abc import Callable, Mapping
from functools import partial

from opsapp.kernel.actors import Actor
from opsapp.subscriptions import cancelling, pausing, renewing
from opsapp.subscriptions.states import CHARGEABLE, GOING_ON, SubscriptionStatus as S


def _pause(subscription_id: int, because: str, by: Actor) -> None:
    pausing.pause(subscription_id, because=because, by=by)


def _resume(subscription_id: int, because: str, by: Actor) -> None:
    pausing.resume(subscription_id, by=by)


def _charge_now(subscription_id: int, because: str, by: Actor) -> None:
    renewing.charge_now(subscription_id, by=by)


def _cancel(subscription_id: int, because: str, by: Actor) -> None:
    cancelling.cancel(subscription_id, because=because, by=by)


def _cancel_at_period_end(subscription_id: int, because: str, by: Actor) -> None:
    cancelling.cancel_at_period_end(subscription_id, because=because, by=by)


ACTS: Mapping[str, Callable[[int, str, Actor], None]] = {
    "pause": _pause,
    "resume": _resume,
    "charge_now": _charge_now,
    "cancel_at_period_end": _cancel_at_period_end,
    "cancel": _cancel,
}


_POSSIBLE: Mapping[str, frozenset[str]] = {
    "pause": frozenset(CHARGEABLE),
    "resume": frozenset((S.PAUSED, S.SUSPENDED)),
    "charge_now": frozenset((*CHARGEABLE, S.SUSPENDED)),
    "cancel_at_period_end": frozenset(CHARGEABLE),
    "cancel": frozenset(GOING_ON),
}


def is_possible(act: str, status: str) -> bool:
    """A forecast for the preview: the verb decides again under its lock."""
    return status in _POSSIBLE[act]


def act_on(act: str, subject_id: int, *, because: str, by: Actor) -> Callable[[], None]:
    return partial(ACTS[act], subject_id, because, by)
