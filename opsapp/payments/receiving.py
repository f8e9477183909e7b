"""Receiving: what gateways tell us unasked is stored, and nothing of it is believed."""

import hmac
import json
from datetime import timedelta

from sqlalchemy.dialects.postgresql import insert

from opsapp.gateways.values import WebhookMessage
from opsapp.kernel import log
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal, unseal
from opsapp.kernel.db import db, within_transaction
from opsapp.payments import queries, reading
from opsapp.payments.errors import ForgedMessage, TooManyMessages
from opsapp.payments.models import GatewayEvent
from opsapp.payments.recording import account_context

# A payment has a handful of things to tell in its life; what is about none of ours is of others
# who use the same contract with the gateway.
UNSIGNED_WITHIN = timedelta(minutes=10)
UNSIGNED_ABOUT_ONE_MAX = 30
UNSIGNED_ABOUT_NOTHING_MAX = 100


@within_transaction
def receive(gateway_name: str, message: WebhookMessage, body: bytes) -> bool:
    """Store a verified message once; False for a repeat. It is due at once, and the relay gathers
    what has come into one job: a job for each would hold the workers of a billing run.

    Raises ForgedMessage for one about a virtual account that does not know its secret, and
    TooManyMessages for one that nobody signed, beyond what a gateway has to tell.
    """
    about = reading.find_subject(
        gateway_name,
        gateway_order_id=message.gateway_order_id,
        gateway_key=message.gateway_key,
    )
    if about is not None and about.account_sealed is not None:
        kept = unseal(about.account_sealed, context=account_context(about.idempotency_key))
        _require_secret(message, json.loads(kept)["secret"], gateway_key=about.gateway_key)
    if not message.is_signed:
        _require_room(gateway_name, about.id if about else None)
    delivery_id = message.delivery_id
    row = insert(GatewayEvent).values(
        gateway_name=gateway_name,
        delivery_id=delivery_id,
        event_type=message.event_type,
        body_sealed=seal(reading.wrap(message, body), context=reading.body_context(delivery_id)),
        attempt_id=about.id if about else None,
        is_signed=message.is_signed,
    )
    repeat = row.on_conflict_do_update(
        index_elements=["gateway_name", "delivery_id"],
        set_={"repeats": GatewayEvent.repeats + 1},
    ).returning(GatewayEvent.id, GatewayEvent.repeats, GatewayEvent.attempt_id)
    event_id, repeats, attempt_id = db.session.execute(repeat).one()
    if repeats:
        return False
    log.record(
        log.Entry(
            action="gateway_event.received",
            subject_type="attempt" if attempt_id else "gateway_event",
            subject_id=attempt_id or event_id,
            because=message.event_type,
            detail={"event_id": event_id},
        ),
        by=Actor("gateway", gateway_name),
    )
    return True


def _require_room(gateway_name: str, attempt_id: int | None) -> None:
    """Anybody can send these, and each is kept for ever. The gateway repeats what was refused."""
    came = queries.count_unsigned(gateway_name, attempt_id, within=UNSIGNED_WITHIN)
    if came >= (UNSIGNED_ABOUT_NOTHING_MAX if attempt_id is None else UNSIGNED_ABOUT_ONE_MAX):
        raise TooManyMessages


def _require_secret(
    message: WebhookMessage, secret: str | None, *, gateway_key: str | None
) -> None:
    """Whoever signs needs none; who knows the gateway's key of the payment may leave it out."""
    if message.is_signed or secret is None:
        return
    if message.secret is None and gateway_key is not None and message.gateway_key == gateway_key:
        return
    if not hmac.compare_digest((message.secret or "").encode(), secret.encode()):
        raise ForgedMessage
