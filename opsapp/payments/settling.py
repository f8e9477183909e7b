"""Settling: the gateway's books and ours differ about an attempt that had ended."""

from collections.abc import Mapping
from typing import Any

from opsapp.gateways.values import Answer
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.payments import adopting, depositing, queries, reversing, rules
from opsapp.payments.depositing import DepositSeen
from opsapp.payments.judging import Finding, Held
from opsapp.payments.models import Attempt, Refund
from opsapp.payments.states import ATTEMPT, REFUND, AttemptStatus, PaymentStatus, RefundStatus
from opsapp.tickets.opening import NewTicket, open_tickets

_TOLD = {
    Finding.NOT_PAID_THERE: "the gateway says that no money moved for a paid payment",
    Finding.DISAGREES: "the gateway's sums differ from ours",
    Finding.REFUNDED_THERE: "money was given back in the gateway's own console",
}


@within_transaction
def settle(
    attempt: Any, held: Held, answer: Answer, finding: Finding, *, event: int, by: Actor
) -> None:
    """Write down what differs. Payment and attempt are locked, and are as `held` says.

    `event` names what brought it up: whatever is written for it is written once.
    """
    match finding:
        case Finding.REOPENED:
            _reopen(attempt, held, answer, by=by)
        case Finding.DEPOSIT_REVERSED:
            reversing.reverse_deposit(attempt.id, deposit_key=answer.deposit_key, by=by)
            if held.status != AttemptStatus.SUCCEEDED and answer.deposited is not None:
                # Not all of it was taken back.
                depositing.record_deposits([_seen(attempt, held, answer)], by=by)
        case Finding.REFUNDED_THERE:
            adopting.adopt_refund(attempt.id, _given_back(answer, held), answer, event=event, by=by)
        case Finding.LATE_APPROVAL:
            depositing.hold_late_approval(
                attempt.id, _kept_there(answer, held), by=by, gateway_key=answer.gateway_key
            )
        case Finding.LATE_DEPOSIT:
            depositing.record_deposits([_seen(attempt, held, answer)], by=by)
        case Finding.NOT_PAID_THERE if held.is_decided:
            reversing.reverse_approval(attempt.id, because=answer.because, by=by)
    is_told = finding is not Finding.NOT_PAID_THERE or not held.is_decided
    if finding in _TOLD and is_told:
        _tell(attempt, _TOLD[finding], by=by)


def _reopen(attempt: Any, held: Held, answer: Answer, *, by: Actor) -> None:
    """One more turn, at once; the answer that it brings settles it, or a person still has to."""
    because = "the gateway is asked once more"
    also: Mapping[str, Any] = {
        "due_at": clock.now(),
        "hinted_at": None,
        "leased_until": None,
        "turns": rules.TURNS_MAX - 1,
    }
    if held.status == AttemptStatus.NEEDS_HUMAN:
        move = RowMove(attempt.id, held.status, AttemptStatus.UNKNOWN, because, also=also)
        ATTEMPT.move_many(Attempt, [move], by=by)
    elif held.stuck_refund_id is not None:
        stuck = RefundStatus.NEEDS_HUMAN
        # A turn in which the gateway is asked: sent once more, the refund could only contradict.
        also = {**also, "turns": rules.TURNS_MAX - 2}
        move = RowMove(held.stuck_refund_id, stuck, RefundStatus.UNKNOWN, because, also=also)
        REFUND.move_many(Refund, [move], by=by)


def _given_back(answer: Answer, held: Held) -> Money:
    there = answer.refunded or Money(0, held.expected.currency)
    return there - Money(held.refunded_minor, held.expected.currency)


def _kept_there(answer: Answer, held: Held) -> Money:
    approved = answer.amount or held.expected
    return approved - (answer.refunded or Money(0, approved.currency))


def _seen(attempt: Any, held: Held, answer: Answer) -> DepositSeen:
    payment = queries.get_payment_of(attempt.id)
    is_paid = held.status == AttemptStatus.SUCCEEDED
    deposited = answer.deposited or Money(0, held.expected.currency)
    return DepositSeen(
        attempt_id=attempt.id,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        gateway_name=payment.gateway_name,
        gateway_key=answer.gateway_key or attempt.gateway_key,
        currency=deposited.currency,
        deposited_minor=deposited.minor,
        matched_minor=held.expected.minor if is_paid else 0,
        deposit_key=answer.deposit_key,
        depositor=answer.depositor,
        reason=_reason(held),
    )


def _reason(held: Held) -> str:
    if held.status == AttemptStatus.SUCCEEDED:
        return "over"
    is_given_up = held.is_closed or held.payment_status == PaymentStatus.CANCELLED
    return "after_cancel" if is_given_up else "late"


def _tell(attempt: Any, summary: str, *, by: Actor) -> None:
    payment = queries.get_payment_of(attempt.id)
    wish = NewTicket("payment", payment.id, payment.customer_id, "gateway_disagrees", summary)
    open_tickets([wish], by=by)
