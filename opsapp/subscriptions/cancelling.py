"""Cancelling: after this transaction no charge of the subscription is possible."""

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.notifications import sending
from opsapp.payments import requesting
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions import queries, rules
from opsapp.subscriptions.errors import MoveRefused
from opsapp.subscriptions.states import SUBSCRIPTION, SubscriptionStatus
from opsapp.tickets import resolving

_GIVEN_UP = (PaymentStatus.PENDING, PaymentStatus.AWAITING_DEPOSIT, PaymentStatus.FAILED)


@within_transaction
def cancel(subscription_id: int, *, by: Actor, because: str = "cancelled") -> None:
    """End it now: planned charges are taken back, failed ones given up, notices recalled.

    Virtual accounts are closed. What else is at the gateway already goes on to its certain end; if
    it is paid it can be refunded, if it fails nothing follows. Cancelling twice changes nothing.
    Raises NotFound, MoveRefused.
    """
    # House order: payments before the subscription. Whatever a billing run adds between the two
    # locks is found by the second look.
    payments = queries.lock_payments_of([subscription_id], _GIVEN_UP)
    subscription = queries.lock_subscription(subscription_id)
    if subscription.status == SubscriptionStatus.CANCELLED:
        return
    if not SUBSCRIPTION.allows(subscription.status, SubscriptionStatus.CANCELLED):
        raise MoveRefused(status=subscription.status, wanted="cancelled")
    SUBSCRIPTION.move(subscription, SubscriptionStatus.CANCELLED, because=because, by=by)
    subscription.cancelled_on = clock.seoul_date(clock.now())
    payments += queries.lock_free_payments_of([subscription_id], _GIVEN_UP)
    because = "the subscription was cancelled"
    requesting.withdraw(sorted(set(payments)), because=because, by=by)
    for kind in rules.NOTICE_KINDS:
        sending.revoke(kind, queries.PAYMENT, payments, because=because, by=by)
    for reason in rules.TICKET_REASONS:
        resolving.resolve_for(
            queries.SUBJECT, [subscription_id], reason, because="cancelled", by=by
        )
