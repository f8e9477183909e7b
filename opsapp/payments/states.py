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
        Move(P.PAID, P.AWAITING_DEPOSIT, "the bank took the deposit back"),
        Move(P.PAID, P.FAILED, "the gateway has shown that no money moved"),
        Move(P.FAILED, P.PAID, "money that arrived late was accepted"),
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
    AT_WINDOW = "at_window"
    READY = "ready"
    INFLIGHT = "inflight"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    NEEDS_HUMAN = "needs_human"


A = AttemptStatus
OPEN = (A.AT_WINDOW, A.READY, A.INFLIGHT, A.WAITING, A.UNKNOWN)

ATTEMPT = StateMachine(
    "attempt",
    start=A.READY,
    other_starts=(A.AT_WINDOW,),
    moves=[
        Move(A.AT_WINDOW, A.READY, "the customer came back, to be confirmed"),
        Move(A.AT_WINDOW, A.INFLIGHT, "the customer did not come back in time; inquired"),
        Move(A.AT_WINDOW, A.DECLINED, "the customer gave up at the window"),
        Move(A.AT_WINDOW, A.WITHDRAWN, "another way to pay was chosen"),
        Move(A.INFLIGHT, A.AT_WINDOW, "the customer is still at the window"),
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
        Move(A.NEEDS_HUMAN, A.UNKNOWN, "the gateway is asked once more"),
        Move(A.SUCCEEDED, A.WAITING, "the bank took the deposit back"),
        Move(A.SUCCEEDED, A.DECLINED, "the gateway has shown that no money moved"),
        Move(A.DECLINED, A.SUCCEEDED, "money that arrived late was accepted"),
    ],
)


class RefundStatus(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    HELD = "held"
    AWAITING_ACCOUNT = "awaiting_account"
    REQUESTED = "requested"
    INFLIGHT = "inflight"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    NEEDS_HUMAN = "needs_human"


R = RefundStatus
# At the gateway, or on the way there.
REFUND_GOING = (R.REQUESTED, R.INFLIGHT, R.UNKNOWN)
# A turn is wanted once it is due: a held one falls due when it can no longer be taken back.
REFUND_OPEN = (R.HELD, *REFUND_GOING)
# Nothing was sent, and whoever may refund may still take it back.
REFUND_REVOCABLE = (R.AWAITING_APPROVAL, R.HELD, R.AWAITING_ACCOUNT)
REFUND_ENDED = (R.SUCCEEDED, R.REFUSED, R.WITHDRAWN)

REFUND = StateMachine(
    "refund",
    start=R.REQUESTED,
    # One that somebody made in the gateway's own console is known only when it is over.
    other_starts=(R.AWAITING_APPROVAL, R.HELD, R.AWAITING_ACCOUNT, R.SUCCEEDED),
    moves=[
        Move(R.AWAITING_APPROVAL, R.HELD, "a second person agreed; it can still be undone"),
        Move(R.AWAITING_APPROVAL, R.AWAITING_ACCOUNT, "agreed; the customer names an account"),
        Move(R.AWAITING_APPROVAL, R.REQUESTED, "a second person agreed"),
        Move(R.HELD, R.INFLIGHT, "the time to undo it is over; claimed, to be sent"),
        Move(R.HELD, R.REQUESTED, "sent at once, without the time to undo it"),
        Move(R.AWAITING_ACCOUNT, R.REQUESTED, "the customer named a bank account"),
        *(
            Move(source, R.WITHDRAWN, "taken back before anything was sent")
            for source in REFUND_REVOCABLE
        ),
        Move(R.REQUESTED, R.INFLIGHT, "claimed, to be sent"),
        Move(R.UNKNOWN, R.INFLIGHT, "claimed, to be sent again under its own key"),
        Move(R.INFLIGHT, R.INFLIGHT, "the lease ran out; claimed again"),
        Move(R.INFLIGHT, R.SUCCEEDED, "the gateway gave the money back"),
        Move(R.INFLIGHT, R.REFUSED, "the gateway refused; no money moved"),
        Move(R.INFLIGHT, R.UNKNOWN, "no certain answer"),
        Move(R.INFLIGHT, R.REQUESTED, "nothing was sent"),
        Move(R.INFLIGHT, R.AWAITING_ACCOUNT, "the gateway refused the bank account"),
        *(
            Move(source, R.NEEDS_HUMAN, "the machine is at its wits' end")
            for source in REFUND_GOING
        ),
        Move(R.NEEDS_HUMAN, R.SUCCEEDED, "staff found the money given back"),
        Move(R.NEEDS_HUMAN, R.REFUSED, "staff found that no money moved"),
        Move(R.NEEDS_HUMAN, R.UNKNOWN, "the gateway is asked once more"),
    ],
)


class EventStatus(StrEnum):
    STORED = "stored"
    READING = "reading"
    APPLIED = "applied"
    IGNORED = "ignored"
    NEEDS_HUMAN = "needs_human"


E = EventStatus
EVENT_OPEN = (E.STORED, E.READING)

EVENT = StateMachine(
    "gateway_event",
    start=E.STORED,
    moves=[
        Move(E.STORED, E.READING, "claimed; the gateway is asked for the truth"),
        Move(E.READING, E.READING, "the lease ran out; claimed again"),
        Move(E.READING, E.STORED, "no certain answer; asked again later"),
        Move(E.READING, E.APPLIED, "what the gateway says now stands in our books"),
        Move(E.READING, E.IGNORED, "it told nothing new, or is about nothing of ours"),
        Move(E.READING, E.NEEDS_HUMAN, "no certain answer in many turns"),
        Move(E.STORED, E.NEEDS_HUMAN, "no certain answer in many turns"),
        Move(E.APPLIED, E.STORED, "staff play it again"),
        Move(E.IGNORED, E.STORED, "staff play it again"),
        Move(E.NEEDS_HUMAN, E.STORED, "staff play it again"),
    ],
)


class UnmatchedStatus(StrEnum):
    OPEN = "open"
    RETURNING = "returning"
    RETURNED = "returned"
    ACCEPTED = "accepted"


U = UnmatchedStatus

UNMATCHED = StateMachine(
    "unmatched_money",
    start=U.OPEN,
    moves=[
        Move(U.OPEN, U.RETURNING, "a refund to the customer was requested"),
        Move(U.RETURNING, U.RETURNED, "the gateway gave the money back"),
        Move(U.RETURNING, U.OPEN, "the refund was refused or withdrawn"),
        Move(U.OPEN, U.ACCEPTED, "staff accepted it for its payment"),
        Move(U.OPEN, U.RETURNED, "the bank took the deposit back by itself"),
    ],
)
