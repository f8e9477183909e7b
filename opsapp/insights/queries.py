"""What is left to do, in one statement, so that no row slips between two questions."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from opsapp.audit.queries import unsealed
from opsapp.bulk.models import BulkJob
from opsapp.bulk.states import OPEN as BULK_OPEN
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.states import OPEN as RECEIPT_OPEN
from opsapp.customers.models import PaymentMethod
from opsapp.customers.states import OPEN as METHOD_OPEN, MethodStatus
from opsapp.exports.models import Export
from opsapp.exports.states import OPEN as EXPORT_OPEN
from opsapp.kernel.db import db
from opsapp.kernel.jobs import OutboxJob
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.turns import is_open
from opsapp.notifications.models import Notice
from opsapp.notifications.states import OPEN as NOTICE_OPEN
from opsapp.payments.models import Attempt, GatewayEvent, Refund
from opsapp.payments.states import EVENT_OPEN, OPEN as ATTEMPT_OPEN, REFUND_OPEN
from opsapp.recovery.queries import get_policy
from opsapp.shop_events.models import ShopDelivery
from opsapp.shop_events.states import MOVING as SENDING_OPEN
from opsapp.subscriptions import queries as subscriptions, selecting
from opsapp.subscriptions.gating import CONSENT_DAYS
from opsapp.subscriptions.models import (
    BillingRun,
    Subscription,
    SubscriptionBlock,
    SubscriptionChange,
)
from opsapp.subscriptions.previewing_changes import PRICE
from opsapp.subscriptions.states import ChangeStatus, RunStatus

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
    (BulkJob, BULK_OPEN),
    (Export, EXPORT_OPEN),
    (ShopDelivery, SENDING_OPEN),
)


def list_left(*, soon: timedelta = A_MOMENT) -> dict[str, int]:
    """What is due at the clock's present time, or `soon`, and not done; empty when idle."""
    questions = [
        _named("subscriptions_due", _subscriptions_due()),
        _named("subscriptions_over", _subscriptions_over()),
        _named("charges_unannounced", _charges_unannounced()),
        _named("price_changes_untold", _price_changes_untold()),
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
    """Without those whose method still waits for its key: that is the method's own turn.

    While staff hold a billing run nothing is taken up, so nothing of it is waited for.
    """
    due = (
        selecting.is_chargeable(),
        selecting.is_before_its_end(),
        Subscription.next_due_at <= func.ops_now(),
        ~exists().where(BillingRun.status == RunStatus.PAUSED.value),
    )
    waiting = (*METHOD_OPEN, MethodStatus.NEEDS_HUMAN)
    return (
        select(func.count())
        .select_from(Subscription)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(*due, PaymentMethod.status.not_in(waiting))
    )


def _subscriptions_over() -> Select[int]:
    """Those whose last day is over, and blocks whose day has come."""
    today = cast(func.timezone("Asia/Seoul", func.ops_now()), Date)
    blocks = select(SubscriptionBlock.id).where(
        SubscriptionBlock.lifted_at.is_(None), SubscriptionBlock.until <= today
    )
    over = select(Subscription.id).where(subscriptions.is_over(today))
    return select(func.count()).select_from(union_all(over, blocks).subquery())


def _charges_unannounced() -> Select[int]:
    """Those that come so soon that the announcer takes them up now."""
    days = timedelta(days=get_policy().notice_days)
    return (
        select(func.count())
        .select_from(Subscription)
        .join(PaymentMethod, PaymentMethod.id == Subscription.payment_method_id)
        .where(
            selecting.is_renewable(),
            ~Subscription.is_announced,
            Subscription.next_due_at > func.ops_now(),
            Subscription.next_due_at <= func.ops_now() + days,
        )
    )


def _price_changes_untold() -> Select[int]:
    """Those that begin so soon that their customers are told now."""
    soon = func.timezone("Asia/Seoul", func.ops_now() + timedelta(days=CONSENT_DAYS))
    return (
        select(func.count())
        .select_from(SubscriptionChange)
        .where(
            SubscriptionChange.status == ChangeStatus.PLANNED.value,
            SubscriptionChange.kind == PRICE,
            SubscriptionChange.told_at.is_(None),
            SubscriptionChange.effective_on <= cast(soon, Date),
        )
    )


def _undelivered() -> Select[int]:
    return select(func.count()).select_from(OutboxJob).where(OutboxJob.delivered_at.is_(None))


def _due(row: type[Any], open_: tuple[str, ...], soon: timedelta) -> Select[int]:
    """Due now or in a moment, or held by a worker: what is in flight may still bring more."""
    limit = func.ops_now() + soon
    wants: ColumnElement[bool] = or_(row.due_at <= limit, row.leased_until.is_not(None))
    return select(func.count()).select_from(row).where(is_open(row, open_), wants)


def _named(name: str, count: Select[int]) -> Select[str, int]:
    return select(literal(name).label("name"), count.scalar_subquery().label("count"))
