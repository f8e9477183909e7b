"""Probes that hold the log against the rows it tells of: one sentence per violation."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from opsapp.approvals.models import Approval
from opsapp.bulk.models import BulkJob, BulkRow
from opsapp.cash_receipts.models import CashReceipt
from opsapp.checkout.models import Checkout
from opsapp.customers.models import PaymentMethod
from opsapp.exports.models import Export
from opsapp.insights.probing_money import SUBSCRIPTION, sentence
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.states import MACHINES
from opsapp.notifications.models import Notice, NoticeDelivery
from opsapp.orders.models import OrderLeg
from opsapp.payments.models import Attempt, GatewayEvent, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import AttemptStatus, PaymentStatus
from opsapp.points.models import PointAdjustment, PointReservation
from opsapp.recovery.models import Recovery, RecoveryPolicy
from opsapp.recovery.rules import SHIPPED
from opsapp.recovery.states import COLLECTED, OPEN, RecoveryStatus
from opsapp.routing.models import GatewayCircuit
from opsapp.shop_events.models import ShopDelivery, ShopEndpoint
from opsapp.staff.models import StaffAccount
from opsapp.subscriptions.models import (
    BillingRun,
    Subscription,
    SubscriptionBlock,
    SubscriptionChange,
)
from opsapp.subscriptions.rules import TICKET_REASONS
from opsapp.subscriptions.states import ENDED, RECOVERABLE, SubscriptionStatus
from opsapp.tickets.models import Ticket
from opsapp.tickets.states import TicketStatus

# Every subject that has a state machine, by the machine's name.
SUBJECTS: dict[str, type[Any]] = {
    "approval": Approval,
    "attempt": Attempt,
    "billing_run": BillingRun,
    "bulk_job": BulkJob,
    "bulk_row": BulkRow,
    "cash_receipt": CashReceipt,
    "checkout": Checkout,
    "export": Export,
    "gateway_circuit": GatewayCircuit,
    "gateway_event": GatewayEvent,
    "notice": Notice,
    "notice_delivery": NoticeDelivery,
    "order_leg": OrderLeg,
    "payment": Payment,
    "payment_method": PaymentMethod,
    "point_adjustment": PointAdjustment,
    "point_reservation": PointReservation,
    "recovery": Recovery,
    "recovery_policy": RecoveryPolicy,
    "refund": Refund,
    "shop_delivery": ShopDelivery,
    "shop_endpoint": ShopEndpoint,
    "staff_account": StaffAccount,
    "subscription": Subscription,
    "subscription_change": SubscriptionChange,
    "ticket": Ticket,
    "unmatched_money": UnmatchedMoney,
}
STANDING = (SubscriptionStatus.PAUSED, SubscriptionStatus.SUSPENDED, *ENDED)
# A claim that was committed while the subscription's own transaction was still open.
RACE = timedelta(seconds=10)


def state_changes() -> list[Select[str]]:
    """I8: the log's last word on each subject is its state, and its story has no gap."""
    return [
        statement
        for name, row in SUBJECTS.items()
        for statement in (_off_the_log(name, row), _without_row(name, row))
    ] + [_gaps()]


def repeated_failures() -> list[Select[str]]:
    """I10: a series of failures without exactly one ticket; charges while it stood still; a
    recovery that contradicts its payment or its subscription.
    """
    return [
        _series_without_ticket(),
        _charged_while_standing(),
        _kept_after_the_end(),
        _recoveries_against_payments(),
        _recoveries_of_the_ended(),
    ]


def stale_fences() -> list[Select[str]]:
    """I11: an answer was recorded under another fence than the claim's, or counted twice."""
    return [
        _answers_under_another_fence(),
        _unlogged_claims("attempt", Attempt),
        _unlogged_claims("refund", Refund),
        _succeeded_twice(),
    ]


def _off_the_log(name: str, row: type[Any]) -> Select[str]:
    last = _last_states(name)
    said = func.coalesce(last.c.to_state, MACHINES[name].start.value)
    told = sentence(f"{name} ", row.id, " is ", row.status, ", the log says ", said)
    as_born = and_(last.c.to_state.is_(None), row.status.in_(_starts(name)))
    return (
        select(told)
        .outerjoin(last, last.c.subject_id == row.id)
        .where(row.status != said, not_(as_born))
    )


def _without_row(name: str, row: type[Any]) -> Select[str]:
    last = _last_states(name)
    told = sentence(f"{name} ", last.c.subject_id, ": in the log, and the row is gone")
    exists = select(row.id).where(row.id == last.c.subject_id).exists()
    return select(told).where(not_(exists))


def _starts(name: str) -> list[str]:
    return [status.value for status in MACHINES[name].starts]


def _last_states(name: str) -> Any:
    return (
        select(AuditEntry.subject_id, AuditEntry.to_state)
        .ext(distinct_on(AuditEntry.subject_id))
        .where(AuditEntry.subject_type == name, AuditEntry.to_state.is_not(None))
        .order_by(AuditEntry.subject_id, AuditEntry.id.desc())
        .subquery()
    )


def _gaps() -> Select[str]:
    """Each change of state begins where the one before it ended."""
    before = func.lag(AuditEntry.to_state).over(
        partition_by=(AuditEntry.subject_type, AuditEntry.subject_id), order_by=AuditEntry.id
    )
    changes = (
        select(
            AuditEntry.id,
            AuditEntry.subject_type,
            AuditEntry.subject_id,
            AuditEntry.from_state,
            before.label("before"),
        )
        .where(AuditEntry.subject_type.in_(list(SUBJECTS)), AuditEntry.to_state.is_not(None))
        .subquery()
    )
    starts = or_(
        *(
            and_(changes.c.subject_type == name, changes.c.from_state.not_in(_starts(name)))
            for name in SUBJECTS
        )
    )
    gap = or_(
        and_(
            changes.c.before.is_not(None), changes.c.from_state.is_distinct_from(changes.c.before)
        ),
        and_(changes.c.before.is_(None), changes.c.from_state.is_not(None), starts),
    )
    told = sentence(
        changes.c.subject_type, " ", changes.c.subject_id, ": entry ", changes.c.id,
        " goes on from ", changes.c.from_state, " after ", changes.c.before,
    )  # fmt: skip
    return select(told).where(gap)


def _series_without_ticket() -> Select[str]:
    """A ticket that staff resolved counts if it was opened since the last success, or during the
    oldest series that runs.
    """
    last_paid = (
        select(func.max(Payment.paid_at))
        .where(Payment.subject_type == SUBSCRIPTION, Payment.subject_id == Subscription.id)
        .correlate(Subscription)  # it stands two levels down, beyond what is correlated by itself
        .scalar_subquery()
    )
    of_series = (
        Ticket.subject_type == SUBSCRIPTION,
        Ticket.subject_id == Subscription.id,
        Ticket.reason.in_(TICKET_REASONS),
    )
    running_since = (
        select(func.min(Recovery.opened_at))
        .join(Payment, Payment.id == Recovery.payment_id)
        .where(
            Recovery.subscription_id == Subscription.id,
            Payment.status != PaymentStatus.CANCELLED.value,
            Recovery.status.in_([status.value for status in (*OPEN, RecoveryStatus.EXHAUSTED)]),
        )
        .correlate(Subscription)
        .scalar_subquery()
    )
    is_open = Ticket.status != TicketStatus.RESOLVED.value
    since = or_(
        is_open,
        last_paid.is_(None),
        Ticket.opened_at >= last_paid,
        Ticket.opened_at >= running_since,
    )
    has_one = select(Ticket.id).where(*of_series, since).exists()
    opened = select(func.count()).where(*of_series, is_open).group_by(Ticket.reason)
    doubled = opened.having(func.count() > 1).exists()
    told = sentence(
        "subscription ", Subscription.id, ": ", Subscription.failures_in_row, " failures in a row"
    )
    running = Subscription.status.in_([*RECOVERABLE, SubscriptionStatus.SUSPENDED])
    in_series = Subscription.failures_in_row >= func.coalesce(_ticket_at(), SHIPPED.ticket_at)
    return select(told).where(running, in_series, or_(not_(has_one), doubled))


def _ticket_at() -> ColumnElement[int]:
    """By the version of the policy that its latest recovery goes by."""
    return (
        select(RecoveryPolicy.terms["ticket_at"].as_integer())
        .join(Recovery, Recovery.policy_id == RecoveryPolicy.id)
        .where(Recovery.subscription_id == Subscription.id)
        .order_by(Recovery.id.desc())
        .limit(1)
        .correlate(Subscription)
        .scalar_subquery()
    )


def _recoveries_against_payments() -> Select[str]:
    told = sentence(
        "recovery ", Recovery.id, " is ", Recovery.status, ", payment ", Payment.id, " is ",
        Payment.status,
    )  # fmt: skip
    waiting = (PaymentStatus.PENDING.value, PaymentStatus.AWAITING_DEPOSIT.value)
    collected = Recovery.status.in_([status.value for status in COLLECTED])
    against = or_(
        and_(collected, Payment.captured_minor == 0),
        and_(not_(collected), Payment.captured_minor > 0),
        and_(Recovery.status == RecoveryStatus.SCHEDULED.value, Payment.status.not_in(waiting)),
        Recovery.recovered_minor > Payment.captured_minor,
    )
    return select(told).join(Payment, Payment.id == Recovery.payment_id).where(against)


def _recoveries_of_the_ended() -> Select[str]:
    told = sentence(
        "recovery ", Recovery.id, " is ", Recovery.status, ", subscription ", Subscription.id,
        " is ", Subscription.status,
    )  # fmt: skip
    return (
        select(told)
        .join(Subscription, Subscription.id == Recovery.subscription_id)
        .where(
            Recovery.status.in_([status.value for status in OPEN]),
            Subscription.status.in_([status.value for status in ENDED]),
        )
    )


def _charged_while_standing() -> Select[str]:
    """By the machine itself; what a person asks for may be charged."""
    left_at = func.lead(AuditEntry.recorded_at).over(
        partition_by=AuditEntry.subject_id, order_by=AuditEntry.id
    )
    states = (
        select(
            AuditEntry.subject_id,
            AuditEntry.to_state,
            AuditEntry.recorded_at,
            left_at.label("left_at"),
        )
        .where(AuditEntry.subject_type == SUBSCRIPTION, AuditEntry.to_state.is_not(None))
        .subquery()
    )
    told = sentence(
        "attempt ", Attempt.id, ": sent while subscription ", states.c.subject_id, " was ",
        states.c.to_state,
    )  # fmt: skip
    retries_go_on = exists().where(
        SubscriptionBlock.subscription_id == states.c.subject_id, SubscriptionBlock.keeps_retries
    )
    automatic = or_(
        Attempt.requested_by.startswith("timetable:"), Attempt.requested_by.startswith("worker:")
    )
    return (
        select(told)
        .select_from(Attempt)
        .join(Payment, Payment.id == Attempt.payment_id)
        .join(states, states.c.subject_id == Payment.subject_id)
        .where(
            Payment.subject_type == SUBSCRIPTION,
            states.c.to_state.in_([state.value for state in STANDING]),
            Attempt.first_sent_at > states.c.recorded_at + RACE,
            or_(states.c.left_at.is_(None), Attempt.first_sent_at < states.c.left_at),
            automatic,
            not_(and_(states.c.to_state == SubscriptionStatus.PAUSED.value, retries_go_on)),
        )
    )


def _kept_after_the_end() -> Select[str]:
    """Paid after its subscription had ended, and neither given back nor in a person's hands."""
    paid, ended = aliased(AuditEntry), aliased(AuditEntry)
    told = sentence(
        "payment ", Payment.id, ": paid after subscription ", Payment.subject_id, " had ended"
    )  # fmt: skip
    in_hand = exists().where(
        Ticket.subject_type == "payment",
        Ticket.subject_id == Payment.id,
        Ticket.status != TicketStatus.RESOLVED.value,
    )
    return (
        select(told)
        .join(
            ended, and_(ended.subject_type == SUBSCRIPTION, ended.subject_id == Payment.subject_id)
        )
        .join(paid, and_(paid.subject_type == "payment", paid.subject_id == Payment.id))
        .where(
            Payment.subject_type == SUBSCRIPTION,
            Payment.captured_minor > Payment.refunded_minor + Payment.refund_pending_minor,
            ended.to_state.in_([state.value for state in ENDED]),
            paid.to_state == PaymentStatus.PAID.value,
            paid.id > ended.id,
            ~in_hand,
        )
    )


def _answers_under_another_fence() -> Select[str]:
    fence = _fence(AuditEntry.detail)
    claimed = func.lag(fence).over(
        partition_by=(AuditEntry.subject_type, AuditEntry.subject_id), order_by=AuditEntry.id
    )
    changes = (
        select(
            AuditEntry.id,
            AuditEntry.subject_type,
            AuditEntry.subject_id,
            AuditEntry.from_state,
            AuditEntry.to_state,
            fence.label("fence"),
            claimed.label("claimed"),
        )
        .where(AuditEntry.subject_type.in_(["attempt", "refund"]), AuditEntry.to_state.is_not(None))
        .subquery()
    )
    told = sentence(
        changes.c.subject_type, " ", changes.c.subject_id, ": entry ", changes.c.id,
        " answers under fence ", changes.c.fence, ", claimed was ", changes.c.claimed,
    )  # fmt: skip
    answers = and_(
        changes.c.from_state == AttemptStatus.INFLIGHT.value,
        changes.c.to_state != AttemptStatus.INFLIGHT.value,
        changes.c.fence.is_not(None),
    )
    return select(told).where(answers, changes.c.fence.is_distinct_from(changes.c.claimed))


def _fence(detail: Any) -> ColumnElement[str]:
    fence: ColumnElement[str] = detail["fence"].astext
    return fence


def _unlogged_claims(name: str, row: type[Any]) -> Select[str]:
    claims = (
        select(func.count())
        .where(
            AuditEntry.subject_type == name,
            AuditEntry.subject_id == row.id,
            AuditEntry.to_state == AttemptStatus.INFLIGHT.value,
        )
        .scalar_subquery()
    )
    told = sentence(f"{name} ", row.id, ": fence ", row.fence, ", and the log knows ", claims)
    return select(told).where(row.fence != claims)


def _succeeded_twice() -> Select[str]:
    told = sentence("payment ", Attempt.payment_id, ": ", func.count(), " attempts succeeded")
    succeeded = select(told).where(Attempt.status == AttemptStatus.SUCCEEDED.value)
    return succeeded.group_by(Attempt.payment_id).having(func.count() > 1)
