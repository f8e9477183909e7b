"""Undoing: money that arrives for what has ended goes back by itself, and the customer is told.

A charge that was at the gateway when its subscription was cancelled, a deposit faster than the
closing of its account, an approval that came to light after a decline.
"""

import structlog

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.money import Money
from opsapp.notifications import sending
from opsapp.notifications.sending import NewNotice
from opsapp.payments import refunding
from opsapp.payments.events import MoneyUnmatched, PaymentFact, PaymentsPaid, UnmatchedFact
from opsapp.payments.refunding import RefundWish
from opsapp.subscriptions import queries
from opsapp.tickets.opening import NewTicket, open_tickets

log = structlog.get_logger(__name__)

BY = Actor("worker", "subscriptions.undoing")
REASON = "paid after the subscription had ended"  # told to the gateway
NOTICE = "charged_after_cancel_refunded"
_CHANGE = "subscription_change"


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """Refund in full what was paid for an ended subscription.

    Cancelling locks payments before the subscription, and the payments told of here are locked:
    either the money was there before the end, or the end is seen here.
    """
    subjects = {fact.payment_id: (fact.subject_type, fact.subject_id) for fact in event.payments}
    ended = _of_ended(subjects)
    # One by one, which happens as often as somebody cancels in the seconds of a charge.
    for fact in event.payments:
        if fact.payment_id in ended:
            _refund(fact)


@within_transaction
def on_money_unmatched(event: MoneyUnmatched) -> None:
    """Return what no payment of an ended subscription wanted."""
    ended = _of_ended(queries.list_subjects([case.payment_id for case in event.cases]))
    for case in event.cases:
        if case.payment_id in ended:
            _return(case)


def _of_ended(subjects: dict[int, tuple[str, int]]) -> frozenset[int]:
    """Payments whose subscription has ended; the difference of a change is the subscription's."""
    changes = {p: id_ for p, (kind, id_) in subjects.items() if kind == _CHANGE}
    of = {p: id_ for p, (kind, id_) in subjects.items() if kind == queries.SUBJECT}
    if changes:
        changed = queries.list_changed(list(changes.values()))
        of |= {p: changed[id_] for p, id_ in changes.items() if id_ in changed}
    ended = queries.list_ended(list(of.values())) if of else frozenset()
    return frozenset(payment_id for payment_id, id_ in of.items() if id_ in ended)


def _refund(fact: PaymentFact) -> None:
    amount = Money(fact.amount_minor, fact.currency)
    wish = RefundWish(f"paid-after-end-{fact.attempt_id}", amount, amount.minor, REASON)
    try:
        refunding.request_refund(fact.payment_id, wish, by=BY)
    except OpsError as refusal:
        _hand_to_staff(fact.payment_id, fact.customer_id, refusal)
        return
    _tell(fact.payment_id, fact.customer_id, amount)


def _return(case: UnmatchedFact) -> None:
    amount = Money(case.amount_minor, case.currency)
    wish = RefundWish(f"held-after-end-{case.unmatched_id}", amount, amount.minor, REASON)
    try:
        refunding.request_return(case.unmatched_id, wish, by=BY)
    except OpsError as refusal:  # the case has a ticket of its own
        log.warning("undoing.not_returned", unmatched_id=case.unmatched_id, code=refusal.code)
        return
    _tell(case.payment_id, case.customer_id, amount)


def _tell(payment_id: int, customer_id: int, amount: Money) -> None:
    values = {"amount_minor": amount.minor, "currency": amount.currency}
    notice = NewNotice(NOTICE, queries.PAYMENT, payment_id, customer_id, values)
    sending.queue_notices([notice], by=BY)


def _hand_to_staff(payment_id: int, customer_id: int, refusal: OpsError) -> None:
    summary = f"{REASON}, and cannot be refunded by itself ({refusal.code})"
    ticket = NewTicket(queries.PAYMENT, payment_id, customer_id, "refund_refused", summary)
    open_tickets([ticket], by=BY)
