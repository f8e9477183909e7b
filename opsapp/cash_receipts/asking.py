"""Asking: the customer wants a cash receipt, before or after paying; staff ask in their name."""

from typing import Protocol

from opsapp.cash_receipts import queries, rules
from opsapp.cash_receipts.errors import ReceiptExists, ReceiptMoved, ReceiptNotOffered
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.rules import Registration
from opsapp.cash_receipts.states import ENDED, RECEIPT, ReceiptStatus
from opsapp.gateways.registry import gateway_named
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.kernel.states import RowMove
from opsapp.payments.events import PaymentsPaid
from opsapp.payments.states import REFUNDABLE
from opsapp.tickets import resolving


class Collected(Protocol):
    """What of a payment decides whether it may have a receipt."""

    @property
    def status(self) -> str: ...
    @property
    def method_kind(self) -> str: ...
    @property
    def gateway_name(self) -> str: ...


TICKET = "cash_receipt_failed"
_REACTION = Actor("worker", "cash_receipts.asking")


@within_transaction
def ask(payment_id: int, registration: Registration, *, by: Actor) -> int:
    """Returns the receipt's id. Of a payment not collected yet it is wanted until then.

    A wish that was made before is replaced. Raises NotFound, ReceiptNotOffered, ReceiptExists.
    """
    payment = queries.lock_payment(payment_id)
    _require_offered(payment)
    for receipt, _payment in queries.lock_live_of([payment_id]):
        if receipt.status != ReceiptStatus.WANTED:
            raise ReceiptExists
        _forget(receipt, because="another wish took its place", by=by)
    is_paid = payment.status in REFUNDABLE
    amount_minor = payment.captured_minor - payment.refunded_minor - payment.refund_pending_minor
    if is_paid and amount_minor <= 0:
        raise ReceiptNotOffered(reason="all of it was given back")
    ref = new_ref("receipt")
    receipt = CashReceipt(
        ref=ref,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        gateway_name=payment.gateway_name,
        kind=registration.kind,
        registration=registration.masked,
        registration_sealed=seal(registration.number, context=queries.receipt_context(ref)),
        amount_minor=amount_minor if is_paid else payment.amount_minor,
        currency=payment.currency,
        refunded_before_minor=payment.captured_minor - amount_minor if is_paid else 0,
        status=(ReceiptStatus.REQUESTED if is_paid else RECEIPT.start).value,
        idempotency_key=new_ref("receipt"),
        asked_by=str(by),
        asked_at=clock.now(),
        due_at=clock.now(),
    )
    db.session.add(receipt)
    db.session.flush()
    entry = Entry("cash_receipt.asked", "cash_receipt", receipt.id, to_state=receipt.status)
    record(entry, by=by)
    return receipt.id


@within_transaction
def withdraw_wish(payment_id: int, *, by: Actor) -> None:
    """The payment is to be collected in another way, or without a receipt."""
    for receipt, _payment in queries.lock_live_of([payment_id]):
        if receipt.status == ReceiptStatus.WANTED:
            _forget(receipt, because="not wanted any more", by=by)


@within_transaction
def ask_again(receipt_id: int, registration: Registration | None = None, *, by: Actor) -> None:
    """Staff mend what was refused or stuck; another number where the first was wrong.

    Raises NotFound, ReceiptMoved.
    """
    receipt = queries.lock_receipt(receipt_id)
    if receipt.status not in (ReceiptStatus.FAILED, ReceiptStatus.NEEDS_HUMAN):
        raise ReceiptMoved(status=receipt.status)
    because, target = "staff ask again", _again(receipt)
    if target is ReceiptStatus.REQUESTED:
        _name_again(receipt, registration)
    elif target is ReceiptStatus.CANCELLING and receipt.failure_code is not None:
        # It was refused for certain: under the old key the gateway repeats its refusal.
        receipt.idempotency_key, receipt.cancel_key = new_ref("receipt"), None
    receipt.turns, receipt.due_at, receipt.hinted_at = 0, clock.now(), None
    receipt.failure_code = receipt.ended_at = None
    RECEIPT.move(receipt, target, because=because, by=by)
    resolving.resolve_for("payment", [receipt.payment_id], TICKET, because=because, by=by)


@within_transaction
def on_payments_paid(event: PaymentsPaid) -> None:
    """What was wanted is asked for now; the payments are locked already.

    A batch of cards, which have none, costs no statement.
    """
    paid = [f.payment_id for f in event.payments if f.method_kind in rules.METHOD_KINDS]
    if not paid:
        return
    now = clock.now()
    asked, dropped = [], []
    for receipt, payment in queries.lock_live_of(paid):
        if receipt.status != ReceiptStatus.WANTED:
            continue
        if why_not(payment):
            dropped.append(_dropping(receipt))
        else:
            also = {"gateway_name": payment.gateway_name, "due_at": now, "hinted_at": None}
            because = "its payment was collected"
            target = ReceiptStatus.REQUESTED
            asked.append(RowMove(receipt.id, receipt.status, target, because, also=also))
    RECEIPT.move_many(CashReceipt, asked, by=_REACTION)
    RECEIPT.move_many(CashReceipt, dropped, by=_REACTION)


def why_not(payment: Collected) -> str:
    """Why this payment can have no receipt; "" if it can."""
    if payment.method_kind not in rules.METHOD_KINDS:
        return "it was not paid by bank transfer or virtual account"
    if payment.method_kind not in gateway_named(payment.gateway_name).capabilities.cash_receipts:
        return "the gateway issues none for this way of paying"
    return ""


def may_be_asked(payment: Collected, held: list[CashReceipt]) -> bool:
    """For the form on the payment's page."""
    is_free = all(receipt.status in ENDED for receipt in held)
    return is_free and payment.status in REFUNDABLE and not why_not(payment)


def _require_offered(payment: Collected) -> None:
    if reason := why_not(payment):
        raise ReceiptNotOffered(reason=reason)


def _again(receipt: CashReceipt) -> ReceiptStatus:
    if receipt.status == ReceiptStatus.FAILED or receipt.receipt_key is None:
        return ReceiptStatus.REQUESTED
    is_about_cancel = receipt.cancelling_minor > 0
    return ReceiptStatus.CANCELLING if is_about_cancel else ReceiptStatus.IN_PROGRESS


def _name_again(receipt: CashReceipt, registration: Registration | None) -> None:
    """Under a new key: the gateway may repeat its refusal under the old one."""
    if registration is not None:
        receipt.kind, receipt.registration = registration.kind, registration.masked
        receipt.registration_sealed = seal(
            registration.number, context=queries.receipt_context(receipt.ref)
        )
    if receipt.status == ReceiptStatus.FAILED:
        receipt.idempotency_key = new_ref("receipt")
        receipt.receipt_key = receipt.sent_on = None


def _forget(receipt: CashReceipt, *, because: str, by: Actor) -> None:
    RECEIPT.move(receipt, ReceiptStatus.WITHDRAWN, because=because, by=by)
    receipt.registration_sealed, receipt.ended_at = None, clock.now()
    db.session.flush()


def _dropping(receipt: CashReceipt) -> RowMove:
    also = {"registration_sealed": None, "ended_at": clock.now()}
    because = "paid in a way that has none"
    return RowMove(receipt.id, receipt.status, ReceiptStatus.WITHDRAWN, because, also=also)
