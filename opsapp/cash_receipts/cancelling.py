"""Cancelling: a cash receipt says no more than what the customer has really paid."""

from collections.abc import Sequence

from opsapp.cash_receipts import queries
from opsapp.cash_receipts.errors import ReceiptMoved
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.states import RECEIPT, ReceiptStatus
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.payments.events import DepositsReversed, RefundsMade

_REACTION = Actor("worker", "cash_receipts.cancelling")


@within_transaction
def cancel(receipt_id: int, *, reason: str, by: Actor) -> None:
    """Staff want all that stands cancelled. Raises NotFound, ReceiptMoved."""
    receipt = queries.lock_receipt(receipt_id)
    if receipt.status == ReceiptStatus.WANTED:
        RECEIPT.move(receipt, ReceiptStatus.WITHDRAWN, because=reason, by=by)
        receipt.registration_sealed, receipt.ended_at = None, clock.now()
        return
    if receipt.status != ReceiptStatus.ISSUED:
        raise ReceiptMoved(status=receipt.status)
    want(receipt, receipt.amount_minor, because=reason, by=by)


@within_transaction
def on_refunds_made(event: RefundsMade) -> None:
    """Whole or part, as much as was given back; the payments are locked already."""
    _follow([fact.payment_id for fact in event.refunds if fact.unmatched_id is None])


@within_transaction
def on_deposits_reversed(event: DepositsReversed) -> None:
    """The bank took the money back: nothing was paid."""
    for receipt, _payment in queries.lock_live_of([f.payment_id for f in event.payments]):
        because = "the bank took the deposit back"
        want(receipt, receipt.amount_minor, because=because, by=_REACTION)


@within_transaction
def want(receipt: CashReceipt, wanted_minor: int, *, because: str, by: Actor) -> None:
    """All that shall be cancelled by now; the receipt is locked. Less than before counts nothing.

    What is not certain yet is ended first: the record of its answer comes back to this.
    """
    if receipt.status == ReceiptStatus.WANTED:
        return
    if receipt.status == ReceiptStatus.REQUESTED and receipt.fence == 0:
        _shrink(receipt, wanted_minor, because=because, by=by)
        return
    receipt.cancel_wanted_minor = max(
        receipt.cancel_wanted_minor, min(wanted_minor, receipt.amount_minor)
    )
    if receipt.status == ReceiptStatus.ISSUED:
        begin(receipt, because=because, by=by)


@within_transaction
def begin(receipt: CashReceipt, *, because: str, by: Actor) -> None:
    """The next part, if one is wanted; the receipt is locked and stands."""
    missing = receipt.cancel_wanted_minor - receipt.cancelled_minor
    if missing <= 0:
        return
    receipt.cancelling_minor, receipt.cancel_key = missing, None
    receipt.turns, receipt.due_at, receipt.hinted_at = 0, clock.now(), None
    RECEIPT.move(receipt, ReceiptStatus.CANCELLING, because=because, by=by)


def _follow(payment_ids: Sequence[int]) -> None:
    if not payment_ids:
        return
    for receipt, payment in queries.lock_live_of(payment_ids):
        given_back = payment.refunded_minor - receipt.refunded_before_minor
        if given_back > 0:
            because = "money was given back"
            want(receipt, given_back, because=because, by=_REACTION)


def _shrink(receipt: CashReceipt, gone_minor: int, *, because: str, by: Actor) -> None:
    """Nothing was sent, so the request itself says less, or is not made."""
    if gone_minor >= receipt.amount_minor:
        RECEIPT.move(receipt, ReceiptStatus.WITHDRAWN, because=because, by=by)
        receipt.registration_sealed, receipt.ended_at = None, clock.now()
        return
    receipt.amount_minor -= gone_minor
    receipt.refunded_before_minor += gone_minor
