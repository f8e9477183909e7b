"""Finding methods that end: by their date, or because a charge said so."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, exists, literal, or_, select

from opsapp.customers.models import Customer, PaymentMethod
from opsapp.customers.states import MethodStatus
from opsapp.kernel.db import db
from opsapp.notifications.models import Notice
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import GOING_ON

EXPIRED = "payment_method"


def list_ending(
    today: date, days: tuple[int, ...], *, kinds: tuple[str, str], limit: int
) -> list[Any]:
    """Methods that a subscription goes on with, and whose owner has not been told of this step.

    `about` names the step: EXPIRED, or `method_expiry_<days>` for the next of the `days` before
    its date. `kinds`: of the notices before and after the end.
    """
    coming, over = kinds
    about = _about(today, days)
    is_over = about == EXPIRED
    used = exists().where(
        Subscription.customer_id == PaymentMethod.customer_id,
        Subscription.payment_method_id == PaymentMethod.id,
        Subscription.status.in_([status.value for status in GOING_ON]),
    )
    told = exists().where(
        Notice.subject_type == about,
        Notice.subject_id == PaymentMethod.id,
        Notice.kind == case((is_over, over), else_=coming),
        Notice.customer_id == PaymentMethod.customer_id,
    )
    ending = (
        select(
            PaymentMethod.id,
            PaymentMethod.customer_id,
            PaymentMethod.kind,
            PaymentMethod.label,
            PaymentMethod.last4,
            PaymentMethod.expires_on,
            Customer.locale,
            about.label("about"),
        )
        .join(Customer, Customer.id == PaymentMethod.customer_id)
        .where(_ends_by(today + timedelta(days=max(days))), used, ~told)
        .order_by(PaymentMethod.expires_on, PaymentMethod.id)
        .limit(limit)
    )
    return list(db.session.execute(ending))


def _ends_by(last: date) -> ColumnElement[bool]:
    has_date = and_(
        PaymentMethod.status == MethodStatus.ACTIVE.value, PaymentMethod.expires_on <= last
    )
    return or_(has_date, PaymentMethod.status == MethodStatus.EXPIRED.value)


def _about(today: date, days: tuple[int, ...]) -> ColumnElement[str]:
    steps = [
        (PaymentMethod.expires_on <= today + timedelta(days=count), f"method_expiry_{count}")
        for count in sorted(days)
    ]
    is_over = or_(
        PaymentMethod.status == MethodStatus.EXPIRED.value, PaymentMethod.expires_on < today
    )
    return case((is_over, literal(EXPIRED, String)), *steps, else_=literal("", String))
