"""All that one payment's page shows, each part by one statement."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, select, union_all

from opsapp.cash_receipts import asking, queries as cash_receipts
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.rules import METHOD_KINDS
from opsapp.customers.models import Customer, PaymentMethod, StaffNote
from opsapp.insights.lining_up import Line, log_line, notes_line
from opsapp.insights.listing_deposits import list_cases_of, list_of_payment
from opsapp.insights.reading_notes import read_notes
from opsapp.kernel.db import db
from opsapp.kernel.errors import NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.money import Money
from opsapp.ledger.models import LedgerTransfer
from opsapp.notifications.models import Notice
from opsapp.orders.models import Order, OrderLeg
from opsapp.payments.models import Attempt, Deposit, GatewayEvent, Payment, Refund, UnmatchedMoney
from opsapp.payments.states import AttemptStatus
from opsapp.points.models import PointReservation
from opsapp.points.states import ReservationStatus
from opsapp.subscriptions.models import Subscription
from opsapp.tickets.models import Ticket

TIMELINE_MAX = 200
LINES = ("attempts", "refunds", "gateway", "notices", "notes")
LOOKING = ("inflight", "waiting", "unknown")  # states of an attempt that is asked about again


@dataclass(frozen=True, slots=True)
class Tenders:
    """What its leg of an order was paid with, and what of each can still go back.

    Money goes back before points; what is given back in part comes from the money first.
    """

    order_id: int
    leg_number: int
    money: Money
    money_left: Money
    points: int
    points_left: int


@dataclass(frozen=True, slots=True)
class PaymentPicture:
    payment: Payment
    customer: Customer
    subject_ref: str | None
    attempts: list[Any]
    refunds: list[Refund]
    transfers: list[LedgerTransfer]
    tickets: list[Ticket]
    deposits: list[Deposit]
    cases: list[UnmatchedMoney]
    receipts: list[CashReceipt]
    timeline: list[tuple[Any, int]]
    tenders: Tenders | None

    @property
    def notes(self) -> dict[int, str]:
        """The texts of the timeline's notes, by id."""
        return read_notes(entry for entry, _times in self.timeline)

    @property
    def may_have_receipt(self) -> bool:
        return asking.may_be_asked(self.payment, self.receipts)

    @property
    def is_uncertain(self) -> bool:
        return any(attempt.status in ("unknown", "needs_human") for attempt in self.attempts)


def get_payment(payment_id: int) -> tuple[Payment, Customer, str | None]:
    """Raises NotFound."""
    found = db.session.execute(
        select(Payment, Customer, func.coalesce(Subscription.ref, Order.order_ref))
        .join(Customer, Customer.id == Payment.customer_id)
        .outerjoin(
            Subscription,
            (Payment.subject_type == "subscription") & (Subscription.id == Payment.subject_id),
        )
        .outerjoin(Order, (Payment.subject_type == "order") & (Order.id == Payment.subject_id))
        .where(Payment.id == payment_id)
    ).one_or_none()
    if found is None:
        raise NotFound(noun="payment", id=payment_id)
    return found[0], found[1], found[2]


def get_picture(payment_id: int, *, shown: str = "") -> PaymentPicture:
    """`shown`: which part of the timeline, one of LINES. Raises NotFound."""
    payment, customer, subject_ref = get_payment(payment_id)
    attempts = db.session.execute(
        select(
            Attempt.id, Attempt.number, Attempt.status, Attempt.gateway_order_id,
            Attempt.approval_number, Attempt.failure_class, Attempt.failure_code,
            Attempt.receipt_url, Attempt.due_at, Attempt.created_at, Attempt.ended_at,
            Attempt.account, Attempt.deposit_due_at, Attempt.requested_by, Attempt.trace_id,
            Attempt.paid_with, PaymentMethod.label, PaymentMethod.first6, PaymentMethod.last4,
            func.coalesce(PaymentMethod.kind, Attempt.method_kind).label("kind"),
        )
        .outerjoin(PaymentMethod, PaymentMethod.id == Attempt.payment_method_id)
        .where(Attempt.payment_id == payment_id)
        .order_by(Attempt.number)
    )  # fmt: skip
    refunds = select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id)
    transfers = (
        select(LedgerTransfer)
        .where(LedgerTransfer.payment_id == payment_id)
        .order_by(LedgerTransfer.id)
    )
    tickets = (
        select(Ticket)
        .where(Ticket.subject_type == "payment", Ticket.subject_id == payment_id)
        .order_by(Ticket.id)
    )
    return PaymentPicture(
        payment=payment,
        customer=customer,
        subject_ref=subject_ref,
        attempts=list(attempts),
        refunds=list(db.session.scalars(refunds)),
        transfers=list(db.session.scalars(transfers)),
        tickets=list(db.session.scalars(tickets)),
        deposits=list_of_payment(payment_id),
        cases=list_cases_of(payment_id),
        receipts=_receipts(payment),
        timeline=list_timeline(payment_id, shown),
        tenders=_tenders(payment) if payment.subject_type == "order" and subject_ref else None,
    )


def _tenders(payment: Payment) -> Tenders | None:
    """None for what no order of ours was placed for."""
    found = db.session.execute(
        select(
            OrderLeg.order_id,
            OrderLeg.number,
            OrderLeg.points,
            PointReservation.points.label("reserved"),
            PointReservation.restored,
            PointReservation.status,
        )
        .outerjoin(PointReservation, PointReservation.id == OrderLeg.reservation_id)
        .where(OrderLeg.payment_id == payment.id)
    ).one_or_none()
    if found is None:
        return None
    is_spent = found.status == ReservationStatus.POSTED.value
    left = found.reserved - found.restored if is_spent else 0
    return Tenders(
        found.order_id, found.number, payment.amount, payment.refundable, found.points, left
    )


def _receipts(payment: Payment) -> list[CashReceipt]:
    may_have = payment.method_kind in METHOD_KINDS
    return cash_receipts.list_of_payment(payment.id) if may_have else []


def find_charged_method(payment_id: int) -> PaymentMethod | None:
    """What the money was taken from, and goes back to."""
    return db.session.scalars(
        select(PaymentMethod)
        .join(Attempt, Attempt.payment_method_id == PaymentMethod.id)
        .where(Attempt.payment_id == payment_id, Attempt.status == AttemptStatus.SUCCEEDED.value)
    ).one_or_none()


def get_refund(refund_id: int) -> Refund:
    """Raises NotFound."""
    found = db.session.get(Refund, refund_id)
    if found is None:
        raise NotFound(noun="refund", id=refund_id)
    return found


def payment_behind(kind: Any, subject_id: Any) -> ColumnElement[int | None]:
    """The payment whose attempt or refund a log entry or notice is about; else NULL."""
    owners = (("attempt", Attempt), ("refund", Refund))
    return case(
        *[
            (kind == name, select(row.payment_id).where(row.id == subject_id).scalar_subquery())
            for name, row in owners
        ],
        else_=None,
    )


def list_timeline(payment_id: int, shown: str = "") -> list[tuple[Any, int]]:
    """The log of the payment, its attempts and refunds, what the gateway told, what was sent, what
    staff noted; or the part of it that one of LINES names.

    Newest first, each with how many entries it stands for.
    """
    attempt_ids = select(Attempt.id).where(Attempt.payment_id == payment_id)
    refund_ids = select(Refund.id).where(Refund.payment_id == payment_id)
    subjects: dict[str, Any] = {
        "payment": select(literal(payment_id)),
        "attempt": attempt_ids,
        "refund": refund_ids,
    }
    of_payment = (StaffNote.subject_type == "payment", StaffNote.subject_id == payment_id)
    arms = [
        ("attempts", _logged("payment", subjects["payment"])),
        ("attempts", _logged("attempt", attempt_ids)),
        ("refunds", _logged("refund", refund_ids)),
        ("gateway", _told_by_gateway(attempt_ids)),
        *(("notices", _sent(kind, ids)) for kind, ids in subjects.items()),
        ("notes", notes_line(*of_payment)),
    ]
    chosen = [arm for name, arm in arms if shown in ("", name)]
    line = (union_all(*chosen) if len(chosen) > 1 else chosen[0]).subquery()
    newest = select(line).order_by(line.c.at.desc(), line.c.source.desc(), line.c.id.desc())
    return _folded(list(db.session.execute(newest.limit(TIMELINE_MAX))))


def _folded(rows: list[Any]) -> list[tuple[Any, int]]:
    """A gateway that is asked every day until a deposit arrives: the first and the last look."""
    looks: dict[tuple[Any, ...], list[int]] = {}
    for index, row in enumerate(rows):
        if row.to_state in LOOKING:
            key = (row.subject_type, row.subject_id, row.to_state, row.because)
            looks.setdefault(key, []).append(index)
    times = dict.fromkeys(range(len(rows)), 1)
    for found in looks.values():
        times[found[0]] = max(len(found) - 1, 1)
        for index in found[1:-1]:
            del times[index]
    return [(rows[index], count) for index, count in times.items()]


def _logged(kind: str, ids: Any) -> Line:
    # The event and the note stand in the line themselves.
    return log_line(kind, ids, AuditEntry.action.not_in(("gateway_event.received", "note.written")))


def _told_by_gateway(attempt_ids: Any) -> Select[*tuple[Any, ...]]:
    return select(
        GatewayEvent.received_at.label("at"),
        GatewayEvent.id.label("id"),
        literal("gateway").label("source"),
        literal("attempt").label("subject_type"),
        GatewayEvent.attempt_id.label("subject_id"),
        GatewayEvent.event_type.label("what"),
        cast(None, Text).label("to_state"),
        literal("").label("because"),
        (literal("gateway:") + GatewayEvent.gateway_name).label("actor"),
        func.jsonb_build_object("repeats", GatewayEvent.repeats).label("detail"),
    ).where(GatewayEvent.attempt_id.in_(attempt_ids))


def _sent(kind: str, ids: Any) -> Select[*tuple[Any, ...]]:
    return select(
        func.coalesce(Notice.sent_at, Notice.created_at),
        Notice.id,
        literal("notice"),
        literal("notice"),
        Notice.id,
        Notice.kind,
        Notice.status,
        func.coalesce(Notice.error, ""),
        literal(""),
        func.jsonb_build_object("channel", Notice.channel),
    ).where(Notice.subject_type == kind, Notice.subject_id.in_(ids))
