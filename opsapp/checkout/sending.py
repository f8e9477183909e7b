"""Sending: the customer is mailed the payment link; its address is made when the mail is sent."""

from opsapp.checkout import choosing, queries
from opsapp.checkout.opening import PURPOSE
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice

NOTICE = "payment_link"


@within_transaction
def send(checkout_id: int, *, by: Actor) -> None:
    """Asked for again it goes out again. Raises NotFound, CheckoutOver."""
    checkout = queries.lock_checkout(checkout_id)
    choosing.require_open(checkout)
    values = {
        "amount_minor": checkout.amount_minor,
        "currency": checkout.currency,
        "title": checkout.title,
        "pay_by": checkout.expires_at.isoformat(),
    }
    sending.send_again(NOTICE, PURPOSE, [checkout_id], by=by)
    notice = NewNotice(NOTICE, PURPOSE, checkout_id, checkout.customer_id, values)
    sending.queue_notices([notice], by=by)
