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


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook as it came; `body` is kept whole and encrypted."""

    gateway_name: str
    delivery_id: str
    event_type: str
    body: str
    gateway_order_id: str | None
    gateway_key: str | None


@within_transaction
def receive(message: Message) -> bool:
    """Store it once and let the attempt it is about be inquired now; False for a repeat.

    Nothing in the body is believed: the next turn of the attempt reads the payment at the
    gateway. A message about an attempt that is settled changes nothing and stays on record.
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
        _ask_now(attempt_id)
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


def _ask_now(attempt_id: int) -> None:
    """Due at once. One that is in flight is looked at again when its turn is recorded."""
    if queries.lock_attempt_status(attempt_id) in (AttemptStatus.WAITING, AttemptStatus.UNKNOWN):
        recording.look_again([attempt_id])
