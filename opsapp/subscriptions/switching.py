"""Another payment method for a subscription, and what was missing is collected with it."""

from datetime import datetime

from opsapp.customers.errors import MethodNotUsable, MethodOfAnother
from opsapp.customers.events import MethodReplaced
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import Entry, record
from opsapp.payments import requesting
from opsapp.payments.states import PaymentStatus
from opsapp.recovery import following
from opsapp.settings import current
from opsapp.subscriptions import pausing, queries, rules
from opsapp.subscriptions.errors import MoveRefused
from opsapp.subscriptions.states import ENDED, SubscriptionStatus

# Not whoever gave the method: these tries follow from it by themselves, and count.
_BY = Actor("worker", "subscriptions.switching")


@within_transaction
def switch_method(subscription_id: int, *, payment_method_id: int, by: Actor) -> None:
    """Charge this method from now on, planned retries included; what is owed is tried at once.

    The count of failures goes on: a second method that fails too is the customer's second
    failure. A suspension ends here, and the count with it, because nothing may be charged while
    it lasts. Raises NotFound, MethodOfAnother, MethodNotUsable, MoveRefused.
    """
    # House order: payments before the subscription.
    held = queries.lock_payments_of(
        [subscription_id], [PaymentStatus.FAILED, PaymentStatus.PENDING]
    )
    failed = queries.list_payments_of([subscription_id], [PaymentStatus.FAILED])
    planned = [payment_id for payment_id in held if payment_id not in failed]
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status in ENDED:
        raise MoveRefused(status=subscription.status, wanted="given another payment method")
    method = queries.list_method_states([payment_method_id]).get(payment_method_id)
    if method is None:
        raise NotFound(noun="payment method", id=payment_method_id)
    if method.customer_id != subscription.customer_id:
        raise MethodOfAnother(field="payment_method")
    if not method.is_active:
        raise MethodNotUsable(field="payment_method", status=method.status)
    before = subscription.payment_method_id
    if before == payment_method_id:
        return
    subscription.payment_method_id = payment_method_id
    subscription.is_announced = False
    now = clock.now()
    if not _has_period_of_today(subscription_id, now):
        # A period that waited for a method that works is due again from its own day.
        subscription.next_due_at = rules.due_at(
            subscription, subscription.next_period_index, hour=current().charge_hour
        )
    detail = {"from_method_id": before, "to_method_id": payment_method_id}
    entry = Entry("subscription.method_switched", queries.SUBJECT, subscription_id, detail=detail)
    record(entry, by=by)
    if subscription.status == SubscriptionStatus.SUSPENDED:
        pausing.go_on(subscription, because="another payment method was given", by=by)
    if queries.list_stopped([subscription_id]):
        return
    requesting.replace_method(planned, payment_method_id=payment_method_id, due_at=now, by=_BY)
    for payment_id in failed[:1]:
        requesting.request_another_attempt(
            payment_id, payment_method_id=payment_method_id, due_at=now, by=_BY
        )
    because = "another payment method was given"
    following.take_up([*planned, *failed[:1]], because=because, by=by)


@within_transaction
def on_method_replaced(event: MethodReplaced) -> None:
    """Whatever the old method paid for goes on with the new one."""
    by = Actor(event.by_kind, event.by_name)
    # One by one: a customer has a handful, and each may have something owed to be collected.
    for subscription_id in queries.list_charged_to(event.old_method_id):
        switch_method(subscription_id, payment_method_id=event.new_method_id, by=by)


def _has_period_of_today(subscription_id: int, now: datetime) -> bool:
    """Never two missing periods on one day."""
    latest_at = queries.find_latest_period_at(subscription_id)
    return latest_at is not None and clock.seoul_date(latest_at) == clock.seoul_date(now)
