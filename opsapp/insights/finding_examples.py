"""Real rows to show somebody around with: the newest of each kind that a day brings."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, literal, select, union_all

from opsapp.kernel.db import db
from opsapp.payments.models import Payment, Refund
from opsapp.payments.states import PaymentStatus, RefundStatus
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import SubscriptionStatus
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TicketStatus


def find_examples() -> Mapping[str, int]:
    """Ids by kind; a kind of which there is none is left out. One statement."""
    newest: Mapping[str, Select[Any]] = {
        "failed_payment": select(Payment.id).where(
            Payment.status == PaymentStatus.FAILED.value, Payment.subject_type == "subscription"
        ),
        "customer": select(Subscription.customer_id.label("id")).where(
            Subscription.status == SubscriptionStatus.PAST_DUE.value
        ),
        "refunded_payment": select(Refund.payment_id.label("id")).where(
            Refund.status == RefundStatus.SUCCEEDED.value
        ),
        "ticket": select(Ticket.id).where(Ticket.status != TicketStatus.RESOLVED.value),
    }
    orders = {
        "failed_payment": Payment.id,
        "customer": Subscription.id,
        "refunded_payment": Refund.id,
        "ticket": Ticket.id,
    }
    parts = []
    for kind, rows in newest.items():
        one = rows.order_by(orders[kind].desc()).limit(1).subquery()
        parts.append(select(literal(kind).label("kind"), one.c[0].label("id")))
    return dict(db.session.execute(union_all(*parts)).all())
