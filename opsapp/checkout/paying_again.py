"""Paying again: legs that failed are paid in another way, each by what it takes."""

from opsapp.checkout.errors import NeedsRegisteredMethod
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.orders import queries, tendering
from opsapp.orders.queries import LegPicture
from opsapp.orders.rules import LegState
from opsapp.orders.states import SUBSCRIPTION
from opsapp.payments import presenting, requesting
from opsapp.payments.errors import NotRetryable
from opsapp.payments.states import PaymentStatus
from opsapp.subscriptions import switching
from opsapp.subscriptions.queries import get_subscription

ANOTHER_WAY = "another way to pay was chosen"
_CHOOSABLE = (LegState.FAILED, LegState.AT_WINDOW)


@within_transaction
def pay_again(
    order_id: int,
    *,
    method_kind: str | None = None,
    payment_method_id: int | None = None,
    bank: str | None = None,
    by: Actor,
) -> None:
    """Every leg of the order that nobody pays just now; the others are left alone.

    Raises NotRetryable if there is none, NeedsRegisteredMethod, BelowMinimum, NotFound,
    MethodOfAnother, MethodNotUsable, WindowOpen, NoRoute.
    """
    picture = queries.get_picture(order_id)
    legs = sorted(
        (leg for leg in picture.legs if leg.state in _CHOOSABLE and leg.payment is not None),
        key=lambda leg: leg.leg.payment_id or 0,  # the house order of locks
    )
    if not legs:
        raise NotRetryable(status=picture.state)
    if payment_method_id is None and any(leg.leg.kind == SUBSCRIPTION for leg in legs):
        raise NeedsRegisteredMethod(field="payment_method")
    for leg in legs:
        if payment_method_id is None:
            _by_kind(leg, method_kind, bank, by=by)
        elif leg.leg.kind == SUBSCRIPTION:
            _charge_subscription(leg, payment_method_id, by=by)
        else:
            _charge(picture.order.customer_id, leg, payment_method_id, by=by)


def _by_kind(leg: LegPicture, method_kind: str | None, bank: str | None, *, by: Actor) -> None:
    if method_kind is None:
        raise Invalid(field="method", reason="is missing: how shall it be paid?")
    tendering.require_enough_left(leg.leg, method_kind, None)
    payment_id = leg.leg.payment_id or 0
    if leg.next_at is not None:
        requesting.put_down([payment_id], because=ANOTHER_WAY, by=by)
    presenting.choose_again(payment_id, method_kind=method_kind, bank=bank, by=by)


def _charge(customer_id: int, leg: LegPicture, payment_method_id: int, *, by: Actor) -> None:
    """In place of a window that is open, and of a try that was planned for later."""
    method = tendering.find_own_method(customer_id, payment_method_id)
    tendering.require_enough_left(leg.leg, method.kind, method.gateway_name)
    payment_id = leg.leg.payment_id or 0
    if leg.payment is not None and leg.payment.status == PaymentStatus.PENDING:
        requesting.put_down([payment_id], because=ANOTHER_WAY, by=by)
    requesting.request_another_attempt(
        payment_id, payment_method_id=payment_method_id, due_at=clock.now(), by=by, hurry=True
    )


def _charge_subscription(leg: LegPicture, payment_method_id: int, *, by: Actor) -> None:
    """By this method from now on; switching to another one tries what is owed by itself."""
    subscription_id, payment_id = leg.leg.subscription_id or 0, leg.leg.payment_id or 0
    subscription = get_subscription(subscription_id)
    if leg.next_at is not None:
        requesting.put_down([payment_id], because=ANOTHER_WAY, by=by)
    if subscription.payment_method_id != payment_method_id:
        switching.switch_method(subscription_id, payment_method_id=payment_method_id, by=by)
    if queries.list_failed_payments([payment_id]):
        tendering.find_own_method(subscription.customer_id, payment_method_id)
        requesting.request_another_attempt(
            payment_id, payment_method_id=payment_method_id, due_at=clock.now(), by=by, hurry=True
        )
