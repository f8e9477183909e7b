"""Refunding: reserve the amount, ask the gateway to give it back, write down what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy import func

from opsapp.gateways import registry
from opsapp.gateways.base import Answer, RefundRequest
from opsapp.gateways.registry import gateway_named
from opsapp.kernel import log as journal
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, db, owns_transactions, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.ledger.posting import Transfer, post
from opsapp.ledger.rules import REFUNDS, REFUNDS_IN_TRANSIT
from opsapp.payments import claiming, jobs, queries, returning, rules
from opsapp.payments.errors import (
    NotRefundable,
    RefundableChanged,
    RefundTooLarge,
    RefundUnderWay,
)
from opsapp.payments.models import Payment, Refund
from opsapp.payments.returning import RefundClaim
from opsapp.payments.rules import Ask
from opsapp.payments.states import REFUND, REFUNDABLE, RefundStatus
from opsapp.settings import current

FORM_USED = "This form was used; open it again."
REASON_LENGTH_MAX = 200  # Toss: cancelReason


@dataclass(frozen=True, slots=True)
class RefundWish:
    """What a person asks for. `request_id` comes with the form: the same one refunds once.

    `seen_refundable_minor` is what the screen showed; another figure now is refused.
    """

    request_id: str
    amount: Money
    seen_refundable_minor: int
    reason: str


@within_transaction
def request_refund(payment_id: int, wish: RefundWish, *, by: Actor) -> int:
    """Reserve the amount and order the refund; returns its id.

    Raises Invalid, NotFound, NotRefundable, RefundUnderWay, RefundableChanged, RefundTooLarge;
    the table's own constraints refuse what slips past them.
    """
    _require_readable(wish)
    payment = queries.lock_payment(payment_id)
    if (known := queries.find_refund_by_request(wish.request_id)) is not None:
        if (known.payment_id, known.amount) != (payment.id, wish.amount):
            raise Invalid(field="request_id", reason=FORM_USED)
        return known.id
    _require_refundable(payment, wish)
    refund = _insert(payment, wish, by=by)
    payment.refund_pending_minor += wish.amount.minor
    post([_reservation(refund)])
    journal.record(_requested(refund), by=by)
    jobs.EXECUTE_REFUNDS.enqueue(refund_ids=[refund.id])
    return refund.id


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


def _insert(payment: Payment, wish: RefundWish, *, by: Actor) -> Refund:
    """The form's id is unique over all payments: a second one at the same moment is refused."""
    row = {
        "ref": new_ref("ref"),
        "payment_id": payment.id,
        "request_id": wish.request_id,
        "idempotency_key": new_ref("refund"),
        "amount_minor": wish.amount.minor,
        "currency": wish.amount.currency,
        "refundable_before_minor": payment.captured_minor - payment.refunded_minor,
        "reason": wish.reason.strip(),
        "status": REFUND.start.value,
        "requested_by": str(by),
        "hinted_at": db.session.scalars(func.clock_timestamp()).one(),
    }
    written = bulk_insert(Refund, [row], returning=("id",), or_nothing=True)
    if not written:
        raise Invalid(field="request_id", reason=FORM_USED)
    return db.session.get_one(Refund, written[0].id)


def _require_readable(wish: RefundWish) -> None:
    if not wish.reason.strip():
        raise Invalid(field="reason", reason="Say why; it is sent to the gateway as written.")
    if len(wish.reason) > REASON_LENGTH_MAX:
        raise Invalid(field="reason", reason=f"At most {REASON_LENGTH_MAX} characters.")
    if wish.amount.minor <= 0:
        raise Invalid(field="amount", reason="Must be above 0.")
    if not 8 <= len(wish.request_id) <= 100:
        raise Invalid(field="request_id", reason="Open the form again.")


def _require_refundable(payment: Payment, wish: RefundWish) -> None:
    if payment.status not in REFUNDABLE:
        raise NotRefundable(reason=f"it is {payment.status}")
    if payment.method_kind == "virtual_account":
        # Toss Payments gives a deposit back to a bank account of the customer, which has to be
        # asked for; without it the gateway refuses.
        raise NotRefundable(reason="a deposit is given back to a bank account, not yet known")
    if wish.amount.currency != payment.currency:
        raise Invalid(field="currency", reason=f"The payment is in {payment.currency}.")
    if (other := queries.find_open_refund(payment.id)) is not None:
        raise RefundUnderWay(amount=other.amount_minor, by=other.requested_by)
    refundable = payment.refundable.minor
    if wish.amount.minor > refundable:
        raise RefundTooLarge(field="amount", refundable=refundable, wished=wish.amount.minor)
    if wish.seen_refundable_minor != refundable:
        raise RefundableChanged(refundable=refundable, seen=wish.seen_refundable_minor)


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
    return journal.Entry(
        action="refund.requested",
        subject_type="refund",
        subject_id=refund.id,
        because=refund.reason,
        to_state=RefundStatus.REQUESTED,
        detail={"payment_id": refund.payment_id, "amount_minor": refund.amount_minor},
    )


def _claim(refund_ids: Sequence[int], *, by: Actor) -> list[RefundClaim]:
    started = monotonic()
    rows = queries.lock_claimable_refunds(refund_ids)
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
        call = gateway.inquire(claim.gateway_order_id)
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
        customer_id=row.customer_id,
        fence=row.fence + 1,
        gateway_name=row.gateway_name,
        gateway_order_id=row.gateway_order_id,
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
        ),
        refunded_before=Money(row.refunded_minor, row.currency),
        failure_code=row.failure_code,
        first_sent_at=claiming.first_sent_at(row, ask),
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
