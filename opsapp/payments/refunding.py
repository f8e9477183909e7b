"""Refunding: reserve the amount, ask the gateway to give it back, write down what it did."""

from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy import func

from opsapp.approvals.requesting import NewApproval, request_approval
from opsapp.failures.loading import refresh as refresh_dictionary
from opsapp.gateways import registry
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import Answer, Flow, Inquiry, RefundRequest
from opsapp.kernel import log as journal
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import (
    bulk_insert,
    db,
    owns_transactions,
    transaction,
    within_transaction,
)
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import REFUNDS, REFUNDS_IN_TRANSIT
from opsapp.payments import (
    claiming,
    finding_refunds,
    jobs,
    planning_refunds as planning,
    queries,
    returning,
    rules,
)
from opsapp.payments.asking_accounts import (
    account_columns,
    ask_customers,
    holder_differs,
    note_differing_holder,
    read_sealed,
)
from opsapp.payments.errors import (
    BeingAsked,
    NothingToReturn,
    RefundableChanged,
    RefundUnderWay,
)
from opsapp.payments.inquiring import look_first, require_certain
from opsapp.payments.models import Refund
from opsapp.payments.planning_refunds import (
    FORM_USED,
    REASON_LENGTH_MAX,
    RefundPlan,
    RefundWish,
)
from opsapp.payments.returning import RefundClaim
from opsapp.payments.rules import Ask
from opsapp.payments.states import (
    REFUND,
    UNMATCHED,
    RefundStatus,
    UnmatchedStatus,
)
from opsapp.settings import current

__all__ = ["FORM_USED", "REASON_LENGTH_MAX", "RefundWish"]


@within_transaction
def request_refund(payment_id: int, wish: RefundWish, *, by: Actor) -> int:
    """Reserve the amount and order the refund; returns its id.

    One that a person ordered by hand waits for a second person, or for the time to undo it, as
    the money policy says: `planning_refunds.preview_refund` tells it beforehand.

    Raises Invalid, NotFound, BeingAsked, NeedsDecision, NotRefundable, RefundUnderWay, OnlyWhole,
    RefundMonthOver, RefundableChanged, RefundTooLarge; the table's own constraints refuse what
    slips past them.
    """
    planning.require_readable(wish)
    payment = queries.lock_payment(payment_id)
    if (known := _find_known(wish, payment_id=payment.id)) is not None:
        return known
    plan = planning.plan(payment, wish, by=by)
    refund = _insert(_row(plan, wish, customer_id=payment.customer_id, by=by))
    payment.refund_pending_minor += wish.amount.minor
    post([_reservation(refund)])
    journal.record(_requested(refund), by=by)
    _go_on(refund, payment.customer_id, by=by)
    if plan.why_second_person:
        _ask_second_person(refund, plan, by=by)
    return refund.id


@within_transaction
def request_return(unmatched_id: int, wish: RefundWish, *, by: Actor) -> int:
    """Give money back that no payment wanted, all of the case at once; returns the refund's id.

    The payment's own amounts stay as they are. Raises as request_refund does, and NothingToReturn.
    """
    planning.require_readable(wish)
    case = finding_refunds.lock_unmatched(unmatched_id)
    if (known := _find_known(wish, payment_id=case.payment_id)) is not None:
        return known
    require_certain(case.payment_id)
    if case.status != UnmatchedStatus.OPEN:
        raise NothingToReturn(status=case.status)
    if (wish.amount, wish.seen_refundable_minor) != (case.amount, case.amount.minor):
        raise RefundableChanged(refundable=case.amount.minor, seen=wish.seen_refundable_minor)
    if (other := finding_refunds.find_open_of(case.attempt_id)) is not None:
        raise RefundUnderWay(amount=other.amount_minor, by=other.requested_by)
    queries.lock_attempt(case.attempt_id)
    plan = planning.plan_return(case, wish, by=by)
    row = _row(plan, wish, customer_id=case.customer_id, by=by)
    refund = _insert(row | {"unmatched_id": case.id})
    because = f"return {refund.ref}: {refund.reason}"
    UNMATCHED.move(case, UnmatchedStatus.RETURNING, because=because, by=by)
    journal.record(_requested(refund), by=by)
    _go_on(refund, case.customer_id, by=by)
    if plan.why_second_person:
        _ask_second_person(refund, plan, by=by)
    return refund.id


@owns_transactions
def request_refund_or_look(payment_id: int, wish: RefundWish, *, by: Actor) -> int:
    """As request_refund; what is uncertain about the payment is asked at once before refusing."""
    try:
        with transaction():
            return request_refund(payment_id, wish, by=by)
    except BeingAsked:
        with transaction():
            look_first(payment_id)
        raise


@owns_transactions
def execute_refunds(refund_ids: Sequence[int], *, by: Actor) -> None:
    """Give each refund one turn at its gateway, under the refund's own key."""
    steps = Steps(
        claim=partial(_claim, by=by),
        call=_call,
        record=partial(returning.record_refunds, by=by),
        connected=registry.connected,
    )
    take_turns(refund_ids, steps, abreast=claiming.abreast_max(), budget_s=current().chunk_budget_s)


def _find_known(wish: RefundWish, *, payment_id: int) -> int | None:
    known = finding_refunds.find_by_request(wish.request_id)
    if known is None:
        return None
    if (known.payment_id, known.amount) != (payment_id, wish.amount):
        raise Invalid(field="request_id", reason=FORM_USED)
    return known.id


def _row(plan: RefundPlan, wish: RefundWish, *, customer_id: int, by: Actor) -> dict[str, Any]:
    """Born waiting: for a second person, for its time to be undone, or for a bank account."""
    ref = new_ref("ref")
    account = wish.account
    named: dict[str, Any] = {}
    if account is not None:
        differs = holder_differs(account, customer_id=customer_id)
        named = account_columns(ref, account, differs=differs)
    return {
        "ref": ref,
        "payment_id": plan.payment_id,
        "attempt_id": plan.attempt.id,
        "gateway_name": plan.attempt.gateway_name,
        "request_id": wish.request_id,
        "idempotency_key": new_ref("refund"),
        "amount_minor": wish.amount.minor,
        "currency": wish.amount.currency,
        "refundable_before_minor": plan.held_there_minor,
        "reason": wish.reason.strip(),
        "status": plan.starts_as.value,
        "requested_by": str(by),
        "due_at": plan.sent_from,
        # What is held gets its hint when it falls due.
        "hinted_at": None
        if plan.starts_as is RefundStatus.HELD
        else db.session.scalars(func.clock_timestamp()).one(),
    } | named


def _insert(row: dict[str, Any]) -> Refund:
    """The form's id is unique over all payments: a second one at the same moment is refused."""
    written = bulk_insert(Refund, [row], returning=("id",), or_nothing=True)
    if not written:
        raise Invalid(field="request_id", reason=FORM_USED)
    return db.session.get_one(Refund, written[0].id)


def _go_on(refund: Refund, customer_id: int, *, by: Actor) -> None:
    """To the gateway, or to whoever has to say where the money goes."""
    if refund.status == RefundStatus.REQUESTED:
        jobs.EXECUTE_REFUNDS.enqueue(refund_ids=[refund.id], lane=refund.gateway_name)
    elif refund.status != RefundStatus.AWAITING_ACCOUNT:
        return
    elif refund.account_sealed is not None:
        note_differing_holder(refund, customer_id, by=by)
    else:
        ask_customers([refund], by=by)


def _ask_second_person(refund: Refund, plan: RefundPlan, *, by: Actor) -> None:
    wish = NewApproval(
        subject_type="refund",
        subject_id=refund.id,
        act="refund",
        rows=1,
        sums={refund.currency: refund.amount_minor},
        why=plan.why_second_person,
        because=refund.reason,
    )
    request_approval(wish, plan.terms, by=by)


def _reservation(refund: Refund) -> Transfer:
    return Transfer(
        kind="refund_requested",
        debit_account=REFUNDS,
        credit_account=REFUNDS_IN_TRANSIT,
        amount=refund.amount,
        subject_type="refund",
        subject_id=refund.id,
        payment_id=refund.payment_id,
    )


def _requested(refund: Refund) -> journal.Entry:
    beside = {} if refund.unmatched_id is None else {"unmatched_id": refund.unmatched_id}
    return journal.Entry(
        action="refund.requested",
        subject_type="refund",
        subject_id=refund.id,
        because=refund.reason,
        to_state=refund.status,
        detail={"payment_id": refund.payment_id, "amount_minor": refund.amount_minor} | beside,
    )


def _claim(refund_ids: Sequence[int], *, by: Actor) -> list[RefundClaim]:
    started = monotonic()
    refresh_dictionary()
    rows = claiming.pass_over_resting(Refund, finding_refunds.lock_claimable(refund_ids))
    asks = {row.id: _ask(row) for row in rows}
    stuck = [row for row in rows if asks[row.id] is Ask.STAFF]
    returning.hand_to_staff(stuck, because="no certain answer in many turns", by=by)
    going = [row for row in rows if asks[row.id] is not Ask.STAFF]
    moved = REFUND.move_many(Refund, [_as_move(row, asks[row.id]) for row in going], by=by)
    call_before = started + current().lease_margin_s
    return [_taken(row, asks[row.id], call_before) for row in going if row.id in moved]


async def _call(claim: RefundClaim) -> Answer:
    """Exactly one request leaves, or none."""
    gateway = gateway_named(claim.gateway_name)
    if claim.question.ask is Ask.SEND:
        call = gateway.refund(claim.request)
    else:
        call = gateway.inquire(
            Inquiry(claim.gateway_order_id, claim.request.gateway_key, claim.flow)
        )
    return await claiming.understood(call, refund_id=claim.refund_id)


def _ask(row: Any) -> Ask:
    return rules.next_refund_ask(
        turns=row.turns,
        first_sent_at=row.first_sent_at,
        is_contradicted=row.failure_code is not None,
        may_replay=claiming.may_replay(row),
    )


def _taken(row: Any, ask: Ask, call_before: float) -> RefundClaim:
    return RefundClaim(
        refund_id=row.id,
        payment_id=row.payment_id,
        attempt_id=row.attempt_id,
        unmatched_id=row.unmatched_id,
        customer_id=row.customer_id,
        fence=row.fence + 1,
        gateway_name=row.gateway_name,
        gateway_order_id=row.gateway_order_id,
        flow=Flow(row.flow),
        question=claiming.question(
            row,
            ask,
            may_replay=claiming.may_replay(row),
            is_contradicted=row.failure_code is not None,
        ),
        request=RefundRequest(
            gateway_key=row.gateway_key,
            idempotency_key=row.idempotency_key,
            amount=Money(row.amount_minor, row.currency),
            refundable_before=Money(row.refundable_before_minor, row.currency),
            reason=row.reason,
            call_before=call_before,
            account=read_sealed(row) if row.account_sealed is not None else None,
        ),
        refunded_before=Money(int(row.given_back_minor), row.currency),
        failure_code=row.failure_code,
        first_sent_at=claiming.first_sent_at(row, ask),
        account_sealed=row.account_sealed,
    )


def _as_move(row: Any, ask: Ask) -> RowMove:
    return RowMove(
        row.id,
        row.status,
        RefundStatus.INFLIGHT,
        because="claimed, to be sent" if ask is Ask.SEND else "claimed, to be inquired",
        fence=row.fence,
        also=claiming.lease(row, ask),
        detail={"fence": row.fence + 1},
    )
