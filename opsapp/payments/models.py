from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.money import Money
from opsapp.kernel.turns import Claimable, due_index
from opsapp.payments.states import (
    ATTEMPT,
    EVENT,
    EVENT_OPEN,
    OPEN,
    PAYMENT,
    REFUND,
    REFUND_OPEN,
    UNMATCHED,
)

FLOWS = ("billing", "account", "window")
UNMATCHED_REASONS = ("short", "over", "late", "after_cancel", "late_approval")


class Payment(Base):
    """A sum to be collected once. `subject` and `leg` say for what, and make it unique."""

    __tablename__ = "payments"
    __table_args__ = (
        PAYMENT.check(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("captured_minor IN (0, amount_minor)", name="captured_whole"),
        CheckConstraint(
            "refunded_minor >= 0 AND refund_pending_minor >= 0 "
            "AND refunded_minor + refund_pending_minor <= captured_minor",
            name="refunds_within_capture",
        ),
        UniqueConstraint("subject_type", "subject_id", "leg", "period_index"),
        Index("payments_listed", "requested_at", "id"),
        Index("payments_status", "status", "requested_at", "id"),
        Index("payments_customer", "customer_id", "requested_at", "id"),
        Index("payments_paid", "paid_at", "id"),
        # The rare ones of the list's filters: without these, a page of them is looked for through
        # all payments. Most are by card and at the first gateway, so their indexes stay small.
        Index(
            "payments_other_method",
            "method_kind",
            "requested_at",
            "id",
            postgresql_where=text("method_kind <> 'card'"),
        ),
        Index(
            "payments_other_gateway",
            "gateway_name",
            "requested_at",
            "id",
            postgresql_where=text("gateway_name <> 'toss'"),
        ),
        Index(
            "payments_failure",
            "failure_class",
            "requested_at",
            "id",
            postgresql_where=text("failure_class IS NOT NULL"),
        ),
        Index("payments_amount", "amount_minor"),
        Index(
            "payments_approval",
            "approval_number",
            postgresql_where=text("approval_number IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    subject_type: Mapped[str]  # "subscription" | "order"
    subject_id: Mapped[int]
    leg: Mapped[str] = mapped_column(default="main")
    period_index: Mapped[int] = mapped_column(default=0)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    title: Mapped[str]  # shown to the customer and sent to the gateway as the order name
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    captured_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    refunded_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    refund_pending_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    status: Mapped[str] = mapped_column(default=PAYMENT.start.value)
    gateway_name: Mapped[str]
    method_kind: Mapped[str]
    # Of the latest attempt, so that lists and searches need no join.
    failure_class: Mapped[str | None]
    failure_code: Mapped[str | None]
    approval_number: Mapped[str | None]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    paid_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def refundable(self) -> Money:
        spent = self.refunded_minor + self.refund_pending_minor
        return Money(self.captured_minor - spent, self.currency)


class Attempt(Claimable, Base):
    """One try at one gateway. A retry is another row; a replay is this row asked again."""

    __tablename__ = "attempts"
    __table_args__ = (
        ATTEMPT.check(),
        CheckConstraint("status <> 'succeeded' OR gateway_key IS NOT NULL", name="proof_kept"),
        CheckConstraint(f"flow IN {FLOWS}", name="flow_known"),
        CheckConstraint(
            "flow <> 'billing' OR payment_method_id IS NOT NULL", name="billing_has_method"
        ),
        UniqueConstraint("payment_id", "number"),
        # While one try is open or has succeeded, the database refuses another.
        Index(
            "one_live_attempt_per_payment",
            "payment_id",
            unique=True,
            postgresql_where=text("status NOT IN ('declined', 'withdrawn')"),
        ),
        Index(
            "attempts_gateway_key", "gateway_key", postgresql_where=text("gateway_key IS NOT NULL")
        ),
        # The two lists that staff begin the day with; both stay small.
        Index(
            "attempts_uncertain",
            "payment_id",
            postgresql_where=text("status IN ('unknown', 'needs_human')"),
        ),
        Index("attempts_declined", "ended_at", postgresql_where=text("status = 'declined'")),
        due_index("attempts", OPEN),
        # A hint touches no indexed column: with room on its page, no index is written for it.
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    number: Mapped[int]
    # NULL when the customer pays once, without registering anything.
    payment_method_id: Mapped[int | None] = mapped_column(ForeignKey("payment_methods.id"))
    gateway_name: Mapped[str]
    method_kind: Mapped[str]
    flow: Mapped[str]
    gateway_order_id: Mapped[str] = mapped_column(unique=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    # The exact bytes to send and to send again, encrypted; the billing key is not among them.
    request_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(default=ATTEMPT.start.value)
    requested_by: Mapped[str]
    first_sent_at: Mapped[datetime | None]  # set: a request may be on its way
    last_sent_at: Mapped[datetime | None]
    gateway_key: Mapped[str | None]  # the gateway's own name for the payment
    approval_number: Mapped[str | None]
    receipt_url: Mapped[str | None]
    trace_id: Mapped[str | None]
    failure_class: Mapped[str | None]
    failure_code: Mapped[str | None]
    # What may be shown of how it was paid: instalments, wallet and its split, masked number.
    paid_with: Mapped[dict[str, Any] | None]
    # Virtual account: bank and masked number; number and secret sealed; the deadline.
    account: Mapped[dict[str, Any] | None]
    account_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    deposit_due_at: Mapped[datetime | None]
    close_because: Mapped[str | None]  # nothing shall be paid in any more: the next turn closes it
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    ended_at: Mapped[datetime | None]


class Refund(Claimable, Base):
    """Money to give back. The amount is reserved on the payment from the request on."""

    __tablename__ = "refunds"
    __table_args__ = (
        REFUND.check(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("refunds_payment", "payment_id"),
        # The gateway's optimistic lock is the remaining amount: one at a time is in flight.
        Index(
            "one_open_refund_per_attempt",
            "attempt_id",
            unique=True,
            postgresql_where=text("status NOT IN ('succeeded', 'refused', 'withdrawn')"),
        ),
        Index("refunds_listed", "requested_at", "id"),
        Index("refunds_ended", "ended_at", "id"),
        Index(
            "refunds_gateway_key", "gateway_key", postgresql_where=text("gateway_key IS NOT NULL")
        ),
        Index(
            "refunds_other_status",
            "status",
            "requested_at",
            "id",
            postgresql_where=text("status <> 'succeeded'"),
        ),
        due_index("refunds", REFUND_OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))  # whose money it is
    gateway_name: Mapped[str]
    # Money that never became the payment's: reserved there instead of on the payment.
    unmatched_id: Mapped[int | None] = mapped_column(ForeignKey("unmatched_money.id"))
    # Where a deposit goes back to: bank and masked number; the whole of it sealed.
    account: Mapped[dict[str, Any] | None]
    account_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Issued with the form: a double click, a second tab and a repeated POST are one refund.
    request_id: Mapped[str] = mapped_column(unique=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    refundable_before_minor: Mapped[int]  # at the gateway, its optimistic lock
    reason: Mapped[str]
    status: Mapped[str] = mapped_column(default=REFUND.start.value)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    first_sent_at: Mapped[datetime | None]
    gateway_key: Mapped[str | None]  # the gateway's transaction key of the cancel
    failure_code: Mapped[str | None]
    ended_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class GatewayEvent(Claimable, Base):
    """A webhook as it came. It is only ever a reason to ask the gateway for the truth."""

    __tablename__ = "gateway_events"
    __table_args__ = (
        EVENT.check(),
        UniqueConstraint("gateway_name", "delivery_id"),
        Index("gateway_events_attempt", "attempt_id"),
        Index("gateway_events_listed", "received_at", "id"),
        Index(
            "gateway_events_unsettled",
            "received_at",
            "id",
            postgresql_where=text("status IN ('stored', 'reading', 'needs_human')"),
        ),
        Index(
            "gateway_events_other_gateway",
            "gateway_name",
            "received_at",
            "id",
            postgresql_where=text("gateway_name <> 'toss'"),
        ),
        Index(
            "gateway_events_other_type",
            "event_type",
            "received_at",
            "id",
            postgresql_where=text("event_type <> 'PAYMENT_STATUS_CHANGED'"),
        ),
        due_index("gateway_events", EVENT_OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_name: Mapped[str]
    delivery_id: Mapped[str]
    event_type: Mapped[str]
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    attempt_id: Mapped[int | None]  # whom it is about, if we know
    status: Mapped[str] = mapped_column(default=EVENT.start.value)
    is_signed: Mapped[bool]
    finding: Mapped[str] = mapped_column(default="", server_default="")  # what came of it
    ended_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    stored_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    repeats: Mapped[int] = mapped_column(default=0, server_default="0")


class Deposit(Base):
    """Money that arrived on a virtual account, as the gateway told when it was asked.

    The bank taking one back is a negative row of its own. Append-only.
    """

    __tablename__ = "deposits"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount_known"),
        UniqueConstraint("gateway_name", "deposit_key"),
        Index("deposits_attempt", "attempt_id"),
        Index("deposits_listed", "seen_at", "id"),
        Index("deposits_depositor", "depositor", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_name: Mapped[str]
    deposit_key: Mapped[str]  # the gateway's name for it
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    depositor: Mapped[str | None]  # masked
    seen_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class UnmatchedMoney(Base):
    """Money that a gateway holds for us and no payment wanted: a person returns or accepts it.

    Deposits = captured by their payments + what stands here, at every moment (I7).
    """

    __tablename__ = "unmatched_money"
    __table_args__ = (
        UNMATCHED.check(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(f"reason IN {UNMATCHED_REASONS}", name="reason_known"),
        # One case for each deposit, and one for each attempt that was approved too late.
        UniqueConstraint("deposit_id"),
        Index(
            "one_late_approval_per_attempt",
            "attempt_id",
            unique=True,
            postgresql_where=text("deposit_id IS NULL"),
        ),
        Index("unmatched_money_listed", "status", "opened_at", "id"),
        Index("unmatched_money_attempt", "attempt_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    deposit_id: Mapped[int | None] = mapped_column(ForeignKey("deposits.id"))
    gateway_name: Mapped[str]
    gateway_key: Mapped[str]  # of the gateway's payment that holds it
    reason: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(default=UNMATCHED.start.value)
    opened_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    ended_at: Mapped[datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class Decision(Base):
    """What a person found out where the machine was at its wits' end. Append-only.

    `seen` is what the screen showed: our record and the gateway's answer at that moment.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index("decisions_of", "subject_type", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(unique=True)  # issued with the form
    subject_type: Mapped[str]  # "attempt" | "refund"
    subject_id: Mapped[int]
    outcome: Mapped[str]  # "approved" | "not_charged" | "ask_again"
    reason: Mapped[str]
    evidence: Mapped[str]  # at least one reference: a receipt, a mail, a call number
    seen: Mapped[dict[str, Any]]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
