"""Recovering by hand: staff try at once, put off, write to, suspend or hand over what has failed.

The automatic plan is left as it was: a try by staff that is declined counts for nothing, and the
step that was due before it is due after it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from opsapp.customers.states import MethodStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import Entry, record
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.payments import queries as payments, requesting
from opsapp.payments.states import PaymentStatus
from opsapp.recovery import ending, following, planning, queries as recoveries
from opsapp.recovery.states import COLLECTED, RecoveryStatus
from opsapp.settings import current
from opsapp.subscriptions import dunning, pausing, queries, rules, suspending
from opsapp.subscriptions.errors import CannotRecover
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import ENDED, SubscriptionStatus
from opsapp.subscriptions.suspending import Suspension
from opsapp.tickets.opening import NewTicket, open_tickets

UPDATE_NOTICE = "method_expired_update"
HANDED_OVER = "recovery_handed_over"
DAYS_MAX = 60
_SUBJECT = "recovery"


class Act(StrEnum):
    RETRY = "retry"
    RESCHEDULE = "reschedule"
    SEND_LINK = "send_link"
    SNOOZE = "snooze"
    SUSPEND = "suspend"
    OPEN_TICKET = "open_ticket"


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides which acts can work. `is_sent`: the gateway is being asked."""

    recovery_status: str
    subscription_status: str
    is_billing_blocked: bool
    payment_status: str
    method_status: str
    is_sent: bool


def why_not(act: Act, situation: Situation) -> str:
    """Why it cannot work, as a message key; "" if it can."""
    if situation.recovery_status in COLLECTED:
        return "It has been paid."
    if situation.subscription_status in ENDED:
        return "The subscription has ended."
    if act in (Act.RETRY, Act.RESCHEDULE):
        return _why_no_try(act, situation)
    if act is Act.SUSPEND and situation.subscription_status == SubscriptionStatus.SUSPENDED:
        return "It is suspended already."
    return ""


@within_transaction
def retry_now(recovery_id: int, *, by: Actor) -> None:
    """Try at once with the subscription's method; a suspension is lifted by it.

    Raises NotFound, CannotRecover.
    """
    found = _lock(recovery_id, Act.RETRY)
    is_own = by.kind == "customer"
    if found.subscription.status == SubscriptionStatus.SUSPENDED:
        because = "asked for by the customer" if is_own else "charged by staff"
        pausing.go_on(found.subscription, because=because, by=by)
        _require_unblocked(found.subscription)
    _try(found, due_at=None, by=by)
    because = "asked for by the customer" if is_own else "tried by staff"
    following.take_up([found.payment_id], because=because, by=by)


@within_transaction
def reschedule(recovery_id: int, *, day: date, by: Actor) -> None:
    """The next automatic try comes on that day, at the charge hour; it counts as one by the plan.

    Raises NotFound, CannotRecover, Invalid.
    """
    found = _lock(recovery_id, Act.RESCHEDULE)
    now = clock.now()
    days = (day - clock.seoul_date(now)).days
    if not 0 <= days <= DAYS_MAX:
        raise Invalid(field="day", reason="Choose a day from today to 60 days ahead.")
    due_at = max(clock.seoul_midnight(day, hour=current().charge_hour), now + timedelta(minutes=1))
    _try(found, due_at=due_at, by=dunning.BY)
    planning.put_off(recovery_id, due_at=due_at, by=by)


@within_transaction
def send_update_link(recovery_id: int, *, by: Actor) -> None:
    """Send a link to register another method; once more if it was sent already.

    Raises NotFound, CannotRecover.
    """
    found = _lock(recovery_id, Act.SEND_LINK)
    subscription = found.subscription
    link = {"type": "payment_method", "id": subscription.payment_method_id}
    notice = NewNotice(
        UPDATE_NOTICE, _SUBJECT, recovery_id, subscription.customer_id, {"link_subject": link}
    )
    if not sending.queue_notices([notice], by=by):
        sending.send_again(UPDATE_NOTICE, _SUBJECT, [recovery_id], by=by)
    record(Entry("recovery.link_sent", _SUBJECT, recovery_id), by=by)


@within_transaction
def suspend(recovery_id: int, *, because: str, by: Actor) -> None:
    """Take the policy's last step now, and tell the customer. Raises NotFound, CannotRecover."""
    found = _lock(recovery_id, Act.SUSPEND)
    subscription = found.subscription
    # What is owed stays owed: another method, or staff, may collect it later.
    requesting.put_down([found.payment_id], because="suspended by staff", by=by)
    suspending.suspend_many([Suspension(subscription.id, because)], by=by)
    ending.end_for(
        [subscription.id], outcome=RecoveryStatus.EXHAUSTED, because="suspended by staff", by=by
    )
    values = {"link_subject": {"type": "payment_method", "id": subscription.payment_method_id}}
    notice = NewNotice(
        rules.SUSPENDED_NOTICE, queries.PAYMENT, found.payment_id, subscription.customer_id, values
    )
    sending.queue_notices([notice], by=by)


@within_transaction
def hand_over(recovery_id: int, *, because: str, by: Actor) -> None:
    """Open a ticket about it; one that is open already stays. Raises NotFound, CannotRecover."""
    subscription = _lock(recovery_id, Act.OPEN_TICKET).subscription
    ticket = NewTicket(
        queries.SUBJECT, subscription.id, subscription.customer_id, HANDED_OVER, because
    )
    open_tickets([ticket], by=by)


@dataclass(frozen=True, slots=True)
class _Found:
    payment_id: int
    payment_status: str
    subscription: Subscription


def _lock(recovery_id: int, act: Act) -> _Found:
    """In the house order: payment, subscription, recovery. Raises NotFound, CannotRecover."""
    payment_id = recoveries.get_recovery(recovery_id).payment_id
    [payment] = payments.lock_payments([payment_id])
    subscription = queries.lock_subscription(payment.subject_id)
    row = recoveries.lock_recovery(recovery_id)
    method_id = subscription.payment_method_id
    method = queries.list_method_states([method_id]).get(method_id)
    if method is None:
        raise NotFound(noun="payment method", id=method_id)
    live = payments.list_live_attempts([payment_id])
    situation = Situation(
        recovery_status=row.status,
        subscription_status=subscription.status,
        is_billing_blocked=subscription.is_billing_blocked,
        payment_status=payment.status,
        method_status=method.status,
        is_sent=any(attempt.is_sent for attempt in live),
    )
    if reason := why_not(act, situation):
        raise CannotRecover(reason=reason)
    return _Found(payment_id, payment.status, subscription)


def _try(found: _Found, *, due_at: Any, by: Actor) -> None:
    """Plan an attempt in the place of the planned one, or after the one that failed."""
    method_id, moment = found.subscription.payment_method_id, due_at or clock.now()
    if found.payment_status == PaymentStatus.FAILED:
        requesting.request_another_attempt(
            found.payment_id,
            payment_method_id=method_id,
            due_at=moment,
            by=by,
            hurry=due_at is None,
        )
        return
    planned = requesting.replace_method(
        [found.payment_id], payment_method_id=method_id, due_at=moment, by=by
    )
    if not planned:
        raise CannotRecover(reason="The gateway is being asked just now.")


def _require_unblocked(subscription: Subscription) -> None:
    """Something else may stand behind a suspension. Raises CannotRecover."""
    if subscription.status == SubscriptionStatus.PAUSED:
        raise CannotRecover(reason="The subscription is paused: resume it first.")
    if subscription.is_billing_blocked:
        raise CannotRecover(reason="The subscription is held: lift the hold first.")


def _why_no_try(act: Act, situation: Situation) -> str:
    status = situation.subscription_status
    is_suspended = status == SubscriptionStatus.SUSPENDED
    if act is Act.RESCHEDULE and is_suspended:
        return "The subscription is suspended: try it now, or lift the suspension first."
    if status == SubscriptionStatus.PAUSED:
        return "The subscription is paused: resume it first."
    if situation.is_billing_blocked and not is_suspended:
        return "The subscription is held: lift the hold first."
    if situation.payment_status == PaymentStatus.AWAITING_DEPOSIT:
        return "The customer may still pay in."
    if situation.payment_status not in (PaymentStatus.FAILED, PaymentStatus.PENDING):
        return "The payment was given up."
    if situation.is_sent:
        return "The gateway is being asked just now."
    if situation.method_status == MethodStatus.EXPIRED:
        return "The card has expired or is suspended: send the link for another one."
    if situation.method_status != MethodStatus.ACTIVE:
        return "The payment method cannot be used: send the link for another one."
    return ""
