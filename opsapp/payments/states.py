"""The lives of a payment, of an attempt to collect it and of a refund. Read the tables."""

from enum import StrEnum

from opsapp.kernel.states import Move, StateMachine


class PaymentStatus(StrEnum):
    PENDING = "pending"
    AWAITING_DEPOSIT = "awaiting_deposit"
    PAID = "paid"
    FAILED = "failed"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


P = PaymentStatus
REFUNDABLE = (P.PAID, P.PARTLY_REFUNDED)

PAYMENT = StateMachine(
    "payment",
    start=P.PENDING,
    moves=[
        Move(P.PENDING, P.PAID, "an attempt succeeded"),
        Move(P.PENDING, P.AWAITING_DEPOSIT, "a virtual account was issued"),
        Move(P.AWAITING_DEPOSIT, P.PAID, "the deposit arrived"),
        Move(P.AWAITING_DEPOSIT, P.FAILED, "no deposit arrived in time"),
        Move(P.PENDING, P.FAILED, "its attempt was declined"),
        Move(P.FAILED, P.PENDING, "another attempt was planned"),
        Move(P.FAILED, P.CANCELLED, "nobody wants it any more"),
        Move(P.PENDING, P.CANCELLED, "withdrawn before anything was sent"),
        Move(P.PAID, P.PARTLY_REFUNDED, "part of it was refunded"),
        Move(P.PAID, P.REFUNDED, "all of it was refunded"),
        Move(P.PARTLY_REFUNDED, P.PARTLY_REFUNDED, "another part was refunded"),
        Move(P.PARTLY_REFUNDED, P.REFUNDED, "the rest was refunded"),
    ],
)


class AttemptStatus(StrEnum):
    READY = "ready"
    INFLIGHT = "inflight"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    NEEDS_HUMAN = "needs_human"


A = AttemptStatus
OPEN = (A.READY, A.INFLIGHT, A.WAITING, A.UNKNOWN)

ATTEMPT = StateMachine(
    "attempt",
    start=A.READY,
    moves=[
        Move(A.READY, A.INFLIGHT, "claimed, to be sent"),
        Move(A.UNKNOWN, A.INFLIGHT, "claimed, to be inquired"),
        Move(A.WAITING, A.INFLIGHT, "claimed, to be inquired"),
        Move(A.INFLIGHT, A.INFLIGHT, "the lease ran out; claimed again, to be inquired"),
        Move(A.INFLIGHT, A.SUCCEEDED, "the gateway approved"),
        Move(A.INFLIGHT, A.WAITING, "the gateway waits for the customer"),
        Move(A.INFLIGHT, A.DECLINED, "the gateway declined"),
        Move(A.INFLIGHT, A.UNKNOWN, "no certain answer"),
        Move(A.INFLIGHT, A.READY, "nothing was sent, or the same key may be sent again"),
        Move(A.READY, A.WITHDRAWN, "never sent, and no longer wanted"),
        *(Move(source, A.NEEDS_HUMAN, "the machine is at its wits' end") for source in OPEN),
        Move(A.NEEDS_HUMAN, A.SUCCEEDED, "staff found it approved"),
        Move(A.NEEDS_HUMAN, A.DECLINED, "staff found that no money moved"),
    ],
)


class RefundStatus(StrEnum):
    REQUESTED = "requested"
    INFLIGHT = "inflight"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    NEEDS_HUMAN = "needs_human"


R = RefundStatus
REFUND_OPEN = (R.REQUESTED, R.INFLIGHT, R.UNKNOWN)

REFUND = StateMachine(
    "refund",
    start=R.REQUESTED,
    moves=[
        Move(R.REQUESTED, R.INFLIGHT, "claimed, to be sent"),
        Move(R.UNKNOWN, R.INFLIGHT, "claimed, to be sent again under its own key"),
        Move(R.INFLIGHT, R.INFLIGHT, "the lease ran out; claimed again"),
        Move(R.INFLIGHT, R.SUCCEEDED, "the gateway gave the money back"),
        Move(R.INFLIGHT, R.REFUSED, "the gateway refused; no money moved"),
        Move(R.INFLIGHT, R.UNKNOWN, "no certain answer"),
        Move(R.INFLIGHT, R.REQUESTED, "nothing was sent"),
        *(Move(source, R.NEEDS_HUMAN, "the machine is at its wits' end") for source in REFUND_OPEN),
        Move(R.NEEDS_HUMAN, R.SUCCEEDED, "staff found the money given back"),
        Move(R.NEEDS_HUMAN, R.REFUSED, "staff found that no money moved"),
    ],
)
