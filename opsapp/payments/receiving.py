"""Receiving: what gateways tell us unasked. A message is only a reason to ask for the truth."""

from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert

from opsapp.kernel import log
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import db, within_transaction
from opsapp.payments import queries, recording
from opsapp.payments.models import GatewayEvent
from opsapp.payments.states import AttemptStatus
from opsapp.tickets.opening import NewTicket, open_tickets

# A bank's reversal of a deposit, or a cancel made in the gateway's own console.
_TAKEN_BACK = ("WAITING_FOR_DEPOSIT", "CANCELED", "PARTIAL_CANCELED", "ABORTED", "EXPIRED")


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook as it came; `body` is kept whole and encrypted."""

    gateway_name: str
    delivery_id: str
    event_type: str
    body: str
    gateway_order_id: str | None
    gateway_key: str | None
    said_status: str | None  # what the body says of the payment; believed by nobody


@within_transaction
def receive(message: Message) -> bool:
    """Store it once and let the attempt it is about be inquired now; False for a repeat.

    Nothing in the body is believed: the next turn of the attempt reads the payment at the
    gateway. A message that speaks against a settled payment is shown to a person.
    """
    attempt_id = queries.find_attempt_named(
        gateway_order_id=message.gateway_order_id, gateway_key=message.gateway_key
    )
    row = insert(GatewayEvent).values(
        gateway_name=message.gateway_name,
        delivery_id=message.delivery_id,
        event_type=message.event_type,
        body_sealed=seal(message.body, context=f"gateway_events.body|{message.delivery_id}"),
        attempt_id=attempt_id,
        repeats=0,
    )
    repeat = row.on_conflict_do_update(
        index_elements=["gateway_name", "delivery_id"],
        set_={"repeats": GatewayEvent.repeats + 1},
    ).returning(GatewayEvent.id, GatewayEvent.repeats)
    event_id, repeats = db.session.execute(repeat).one()
    if repeats:
        return False
    if attempt_id is not None:
        _ask_now(attempt_id, message)
    log.record(
        log.Entry(
            action="gateway_event.received",
            subject_type="attempt" if attempt_id else "gateway_event",
            subject_id=attempt_id or event_id,
            because=message.event_type,
            detail={"event_id": event_id},
        ),
        by=Actor("gateway", message.gateway_name),
    )
    return True


def _ask_now(attempt_id: int, message: Message) -> None:
    """Due at once. One that is in flight is looked at again when its turn is recorded."""
    status = queries.lock_attempt_status(attempt_id)
    if status in (AttemptStatus.WAITING, AttemptStatus.UNKNOWN):
        recording.look_again([attempt_id])
    elif status == AttemptStatus.SUCCEEDED and message.said_status in _TAKEN_BACK:
        _tell_a_person(attempt_id, message)


def _tell_a_person(attempt_id: int, message: Message) -> None:
    """Money may have been taken back behind our back, unless we gave it back ourselves."""
    payment = queries.get_payment_of(attempt_id)
    if payment.refunded_minor or payment.refund_pending_minor:
        return
    summary = f"the gateway says {message.said_status} about a paid payment"
    wish = NewTicket("payment", payment.id, payment.customer_id, "gateway_disagrees", summary)
    open_tickets([wish], by=Actor("gateway", message.gateway_name))
