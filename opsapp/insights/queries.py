"""What is left to do, in one statement, so that no row slips between two questions."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, union_all

from opsapp.audit.queries import unsealed
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.states import OPEN as RECEIPT_OPEN
from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import OPEN as METHOD_OPEN, MethodStatus
from opsapp.kernel.db import db
from opsapp.kernel.jobs import OutboxJob
from opsapp.kernel.log import AuditEntry
from opsapp.notifications.models import Notice
from opsapp.notifications.states import OPEN as NOTICE_OPEN
from opsapp.payments.models import Attempt, GatewayEvent, Refund
from opsapp.payments.states import EVENT_OPEN, OPEN as ATTEMPT_OPEN, REFUND_OPEN
from opsapp.subscriptions.models import Subscription
from opsapp.subscriptions.states import CHARGEABLE

# What the demo merchant (workers/demo.py) notes in the log about itself.
DEMO, DEMO_BEGUN, DEMO_ARRIVED = "demo", "demo.begun", "demo.arrived"

# Every claimable table with the states in which a row still wants a turn.
# An uncertain charge is looked at again within seconds: nobody is idle while it waits for that.
A_MOMENT = timedelta(minutes=1)
CLAIMABLE: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (Attempt, ATTEMPT_OPEN),
    (Refund, REFUND_OPEN),
    (GatewayEvent, EVENT_OPEN),
    (PaymentMethod, METHOD_OPEN),
    (Notice, NOTICE_OPEN),
    (CashReceipt, RECEIPT_OPEN),
)


def list_left(*, soon: timedelta = A_MOMENT) -> dict[str, int]:
    """What is due at the clock's present time, or `soon`, and not done; empty when idle."""
    questions = [
        _named("subscriptions_due", _subscriptions_due()),
        _named("outbox_undelivered", _undelivered()),
        _named("audit_unsealed", unsealed()),
        *(_named(f"{row.__tablename__}_due", _due(row, open_, soon)) for row, open_ in CLAIMABLE),
    ]
    rows = db.session.execute(union_all(*questions))
    return {name: count for name, count in rows if count}


def is_demo_running() -> bool:
    """The demo merchant has begun its days and not yet arrived in the present."""
    last = (
        select(AuditEntry.action)
        .where(AuditEntry.subject_type == DEMO, AuditEntry.action.in_([DEMO_BEGUN, DEMO_ARRIVED]))
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    return db.session.scalars(last).one_or_none() == DEMO_BEGUN


def _subscriptions_due() -> Select[int]:
    """Without those whose method still waits for its key: that is the method's own turn."""
    due = (Subscription.status.in_(CHARGEABLE), Subscription.next_due_at <= func.ops_now())
    waiting = (*METHOD_OPEN, MethodStatus.NEEDS_HUMAN)
    return (
        select(func.count())
        .select_from(Subscription)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(*due, PaymentMethod.status.not_in(waiting))
    )


def _undelivered() -> Select[int]:
    return select(func.count()).select_from(OutboxJob).where(OutboxJob.delivered_at.is_(None))


def _due(row: type[Any], open_: tuple[str, ...], soon: timedelta) -> Select[int]:
    """Due now or in a moment, or held by a worker: what is in flight may still bring more."""
    limit = func.ops_now() + soon
    wants: ColumnElement[bool] = or_(row.due_at <= limit, row.leased_until.is_not(None))
    return select(func.count()).select_from(row).where(row.status.in_(open_), wants)


def _named(name: str, count: Select[int]) -> Select[str, int]:
    return select(literal(name).label("name"), count.scalar_subquery().label("count"))
