"""Withdrawing refunds, and letting those go on that waited for a second person or for their time.

Locks: the request for approval before the payment, the payment before the refund.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func

from opsapp.approvals import deciding, queries as approvals
from opsapp.approvals.events import ApprovalFact, ApprovalsEnded, ApprovalsGranted
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.states import RowMove
from opsapp.payments import finding_refunds, jobs, queries, returning
from opsapp.payments.asking_accounts import ask_customers, note_differing_holder
from opsapp.payments.errors import NotRefundable, RefundSent
from opsapp.payments.limiting import limits_of
from opsapp.payments.models import Payment, Refund
from opsapp.payments.planning_refunds import require_within
from opsapp.payments.returning import Settled
from opsapp.payments.states import REFUND, REFUNDABLE, RefundStatus

SUBJECT = "refund"


@within_transaction
def withdraw_refund(refund_id: int, *, reason: str, by: Actor) -> None:
    """Nothing was sent: the reservation ends, and nobody is told of anything.

    Raises NotFound, Invalid, RefundSent, and NotYourApproval for what somebody else asked for.
    """
    if not reason.strip():
        raise Invalid(field="reason", reason="Say why.")
    if (waiting := approvals.find_open(SUBJECT, refund_id)) is not None:
        deciding.withdraw(waiting.id, by=by)
        return
    refund = finding_refunds.lock_refund(refund_id)
    if refund.status != RefundStatus.HELD:
        raise RefundSent(status=refund.status)
    _take_back([refund], {refund.id: f"withdrawn: {reason.strip()}"}, by=by)


@within_transaction
def send_now(refund_id: int, *, by: Actor) -> None:
    """The rest of the time to undo it is given up. Raises NotFound, RefundSent."""
    refund = finding_refunds.lock_refund(refund_id)
    if refund.status != RefundStatus.HELD:
        raise RefundSent(status=refund.status)
    refund.due_at = clock.now()
    refund.hinted_at = _real_now()
    REFUND.move(refund, RefundStatus.REQUESTED, because="sent at once", by=by)
    jobs.EXECUTE_REFUNDS.enqueue(refund_ids=[refund.id], lane=refund.gateway_name)


@within_transaction
def on_approvals_granted(event: ApprovalsGranted) -> None:
    """Each is looked at anew: what was possible when it was asked for may not be any more.

    Raises NotRefundable, RefundMonthOver, OnlyWhole: the decision is not written then.
    """
    facts = _of_refunds(event.facts)
    if not facts:
        return
    payments, refunds = _lock(facts)
    terms = approvals.get_policy().terms
    for refund in refunds:
        if refund.status != RefundStatus.AWAITING_APPROVAL:
            continue
        target = _next_step(refund, payments[refund.payment_id], is_held=bool(terms.refund_undo))
        refund.due_at = clock.now()
        if target is RefundStatus.HELD:
            refund.due_at += terms.refund_undo
        refund.hinted_at = None if target is RefundStatus.HELD else _real_now()
        because = f"a second person agreed: {facts[refund.id].because}"
        REFUND.move(refund, target, because=because, by=facts[refund.id].by)
        _order(refund, payments[refund.payment_id], by=facts[refund.id].by)


@within_transaction
def on_approvals_ended(event: ApprovalsEnded) -> None:
    """Sent back, withdrawn or too old: what was reserved is free again."""
    facts = _of_refunds(event.facts)
    if not facts:
        return
    _, refunds = _lock(facts)
    waiting = [each for each in refunds if each.status == RefundStatus.AWAITING_APPROVAL]
    because = {refund_id: fact.because for refund_id, fact in facts.items()}
    _take_back(waiting, because, by=event.facts[0].by)


def _of_refunds(facts: Sequence[ApprovalFact]) -> dict[int, ApprovalFact]:
    return {fact.subject_id: fact for fact in facts if fact.subject_type == SUBJECT}


def _lock(facts: dict[int, ApprovalFact]) -> tuple[dict[int, Payment], list[Refund]]:
    payment_ids = finding_refunds.list_payments_of(list(facts))
    payments = {row.id: row for row in queries.lock_payments(payment_ids)}
    return payments, finding_refunds.lock_refunds(list(facts))


def _next_step(refund: Refund, payment: Payment, *, is_held: bool) -> RefundStatus:
    if refund.unmatched_id is None and payment.status not in REFUNDABLE:
        raise NotRefundable(reason=f"it is {payment.status}")
    deposits = queries.list_deposits([refund.attempt_id])
    if deposits and sum(row.amount_minor for row in deposits) < refund.amount_minor:
        raise NotRefundable(reason="the bank took the deposit back")
    attempt = finding_refunds.get_attempt(refund.attempt_id)
    held_there = finding_refunds.sum_held(attempt.id)
    limits = limits_of(attempt, paid_at=payment.paid_at)
    whole = held_there if refund.unmatched_id is not None else payment.captured_minor
    require_within(limits, refund.amount_minor, whole_minor=whole)
    refund.refundable_before_minor = held_there
    if limits.needs_account and (refund.account is None or refund.account.get("holder_differs")):
        return RefundStatus.AWAITING_ACCOUNT
    return RefundStatus.HELD if is_held else RefundStatus.REQUESTED


def _order(refund: Refund, payment: Payment, *, by: Actor) -> None:
    if refund.status == RefundStatus.REQUESTED:
        jobs.EXECUTE_REFUNDS.enqueue(refund_ids=[refund.id], lane=refund.gateway_name)
    elif refund.status == RefundStatus.AWAITING_ACCOUNT and refund.account is None:
        ask_customers([refund], by=by)
    elif refund.status == RefundStatus.AWAITING_ACCOUNT:
        note_differing_holder(refund, payment.customer_id, by=by)


def _take_back(refunds: Sequence[Refund], because: dict[int, str], *, by: Actor) -> None:
    """Refunds and their payments are locked."""
    now = clock.now()
    also = {"ended_at": now, "account_sealed": None}
    moves = [
        RowMove(each.id, each.status, RefundStatus.WITHDRAWN, because[each.id], also=also)
        for each in refunds
    ]
    REFUND.move_many(Refund, moves, by=by)
    owners = returning.list_owners([each.payment_id for each in refunds]) if refunds else {}
    returning.release(
        [
            Settled.of(each, customer_id=owners[each.payment_id], because=because[each.id])
            for each in refunds
        ],
        by=by,
    )
    for each in refunds:
        db.session.expire(each)


def _real_now() -> datetime:
    """Hints are told by the machine's own clock."""
    now: datetime = db.session.scalars(func.clock_timestamp()).one()
    return now
