"""What the simulation reads: what is to be done next, who stands where, and how it all ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Select, Text, cast, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import aggregate_order_by

from opsapp.customers.models import Customer, PaymentMethod
from opsapp.kernel.db import db, execute_plain
from opsapp.kernel.turns import is_open
from opsapp.ledger.models import LedgerTransfer
from opsapp.notifications.models import Notice
from opsapp.payments.models import Attempt, Payment, Refund
from opsapp.reactions import WORK
from opsapp.recovery.models import Recovery
from opsapp.recovery.rules import SHIPPED
from opsapp.recovery.states import RecoveryStatus
from opsapp.subscriptions.models import BillingPeriod, Subscription, SubscriptionBlock
from opsapp.subscriptions.states import CHARGEABLE, GOING_ON
from opsapp.tickets.models import Ticket

# What the scheduler does by data.
RENEW, ANNOUNCE, END, LIFT, RECOVER = "renew", "announce", "end", "lift", "recover"
SWEEPS = (RENEW, ANNOUNCE, END, LIFT, RECOVER)


def list_next_moments() -> dict[str, datetime]:
    """By table, and by sweep of the scheduler: when it has something to do next."""
    found = execute_plain(_NEXT)
    return {row.name: row.at.astimezone(UTC) for row in found if row.at is not None}


def list_going_on() -> list[Any]:
    """Every subscription that has not ended, with its customer's number."""
    wanted = (
        select(
            Subscription.id, Subscription.status, Subscription.customer_id,
            Subscription.payment_method_id, Subscription.plan_id, Subscription.interval,
            Subscription.is_billing_blocked,
            Customer.customer_ref.label("ref"),
        )
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(Subscription.status.in_([status.value for status in GOING_ON]))
        .order_by(Customer.customer_ref)
    )  # fmt: skip
    return list(db.session.execute(wanted))


def list_open_methods() -> list[Any]:
    """Methods newer than the one that is charged: ready to take over, or on their way."""
    newer = (
        select(PaymentMethod.customer_id, PaymentMethod.id, PaymentMethod.status)
        .join(Subscription, Subscription.customer_id == PaymentMethod.customer_id)
        .where(PaymentMethod.id > Subscription.payment_method_id)
        .order_by(PaymentMethod.id)
    )
    return list(db.session.execute(newer))


def list_refundable(since: datetime) -> list[Any]:
    """Payments of subscriptions that were made since then, and whose."""
    wanted = (
        select(
            Payment.id, Payment.captured_minor, Payment.refunded_minor,
            Payment.refund_pending_minor, Payment.currency, Payment.method_kind,
            Payment.period_index, Customer.customer_ref.label("ref"),
        )
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Payment.paid_at >= since, Payment.captured_minor > 0)
        .order_by(Customer.customer_ref, Payment.period_index)
    )  # fmt: skip
    return list(db.session.execute(wanted))


def list_subjects() -> dict[str, tuple[str, int, int]]:
    """By the gateway's order id: what was to be paid once."""
    rows = db.session.execute(
        select(
            Attempt.gateway_order_id, Payment.subject_type, Payment.subject_id,
            Payment.period_index,
        ).join(Payment, Payment.id == Attempt.payment_id)
    )  # fmt: skip
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def list_periods() -> list[Any]:
    """Every billing period that was made, with its payment and how that was tried."""
    tries = (
        select(
            Attempt.payment_id,
            func.string_agg(
                func.concat(Attempt.status, " ", Attempt.failure_code, type_=Text()),
                aggregate_order_by(literal(", "), Attempt.number),
            ).label("story"),
            func.count().filter(Attempt.status == "succeeded").label("succeeded"),
            func.bool_or(Attempt.status == "needs_human").label("is_stuck"),
        )
        .group_by(Attempt.payment_id)
        .subquery()
    )
    wanted = (
        select(
            BillingPeriod.subscription_id, BillingPeriod.period_index, BillingPeriod.due_at,
            BillingPeriod.payment_id, Payment.status, Payment.captured_minor, Payment.paid_at,
            Payment.refunded_minor, Payment.amount_minor, tries.c.story, tries.c.succeeded,
            tries.c.is_stuck,
        )
        .outerjoin(Payment, Payment.id == BillingPeriod.payment_id)
        .outerjoin(tries, tries.c.payment_id == Payment.id)
        .order_by(BillingPeriod.subscription_id, BillingPeriod.period_index)
    )  # fmt: skip
    return list(db.session.execute(wanted))


def list_subscriptions() -> list[Any]:
    has_ticket = (
        select(Ticket.id)
        .where(
            Ticket.subject_type == "subscription",
            Ticket.subject_id == Subscription.id,
            Ticket.status != "resolved",
        )
        .exists()
    )
    wanted = (
        select(
            has_ticket.label("has_ticket"),
            Subscription.id, Subscription.status, Subscription.anchor_on, Subscription.anchor_day,
            Subscription.interval, Subscription.interval_count, Subscription.next_period_index,
            Subscription.next_due_at, Subscription.cancelled_on, Subscription.ends_on,
            Subscription.failures_in_row, Subscription.amount_minor, Subscription.quantity,
            Subscription.is_billing_blocked, Subscription.is_behind,
            Customer.customer_ref.label("ref"),
        )
        .join(Customer, Customer.id == Subscription.customer_id)
        .order_by(Customer.customer_ref, Subscription.anchor_on)
    )  # fmt: skip
    return list(db.session.execute(wanted))


def list_facts() -> list[tuple[Any, ...]]:
    """What the business would remember, in a stable order and without numbers of rows."""
    of_customer = select(Customer.id, Customer.customer_ref.label("ref")).subquery()
    moved = LedgerTransfer
    accounts = func.concat(moved.debit_account, ">", moved.credit_account, type_=Text())
    statements: list[Any] = [
        _counted("notice", Notice, Notice.kind, of_customer),
        _counted("ticket", Ticket, Ticket.reason, of_customer),
        _counted("method", PaymentMethod, PaymentMethod.kind, of_customer),
        select(literal("refund"), of_customer.c.ref, Refund.status, cast(Refund.amount_minor, Text))
        .join(Payment, Payment.id == Refund.payment_id)
        .join(of_customer, of_customer.c.id == Payment.customer_id),
        select(
            literal("ledger"), moved.kind, accounts, cast(func.sum(moved.amount_minor), Text)
        ).group_by(moved.kind, moved.debit_account, moved.credit_account),
    ]
    return sorted(tuple(row) for row in db.session.execute(union_all(*statements)))


def _counted(name: str, row: type[Any], kind: Any, of_customer: Any) -> Select[Any]:
    return (
        select(
            literal(name),
            of_customer.c.ref,
            func.concat(kind, " ", row.status, type_=Text()),
            cast(func.count(), Text),
        )
        .join(of_customer, of_customer.c.id == row.customer_id)
        .group_by(of_customer.c.ref, kind, row.status)
    )


def _next_moments() -> Any:
    """Built once: it is asked at every stop of the clock."""
    is_going_on = Subscription.status.in_([status.value for status in GOING_ON])
    chargeable = (
        Subscription.status.in_([status.value for status in CHARGEABLE]),
        Subscription.is_billing_blocked.is_(False),
    )
    told_of = literal(timedelta(days=SHIPPED.notice_days))
    first_day = func.timezone("Asia/Seoul", cast(func.min(Subscription.ends_on), DateTime))
    lifted_on = func.timezone("Asia/Seoul", cast(func.min(SubscriptionBlock.until), DateTime))
    sweeps: dict[str, Select[Any]] = {
        RENEW: select(func.min(Subscription.next_due_at)).where(*chargeable),
        ANNOUNCE: select(func.min(Subscription.next_due_at) - told_of).where(
            *chargeable, ~Subscription.is_announced
        ),
        END: select(first_day).where(Subscription.ends_on.is_not(None), is_going_on),
        LIFT: select(lifted_on).where(SubscriptionBlock.lifted_at.is_(None)),
        RECOVER: select(func.min(Recovery.next_at)).where(
            Recovery.status == RecoveryStatus.SCHEDULED.value
        ),
    }
    rows = {
        work.name: select(func.min(func.greatest(work.model.due_at, work.model.leased_until)))
        .select_from(work.model)
        .where(is_open(work.model, work.open))
        for work in WORK
    }
    return union_all(
        *(
            select(literal(name).label("name"), question.scalar_subquery().label("at"))
            for name, question in (rows | sweeps).items()
        )
    )


_NEXT = _next_moments()
