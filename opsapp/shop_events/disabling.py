"""Disabling and enabling an address; a disabled one is a case for staff."""

from datetime import datetime

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.states import RowMove
from opsapp.shop_events import queries
from opsapp.shop_events.models import ShopDelivery, ShopEndpoint
from opsapp.shop_events.states import DELIVERY, ENDPOINT, DeliveryStatus, EndpointStatus
from opsapp.tickets.opening import NewTicket, open_tickets
from opsapp.tickets.resolving import resolve_for

REASON = "webhook_disabled"
DISABLED = "the address was disabled"


@within_transaction
def disable(endpoint_id: int, *, by: Actor) -> None:
    """Raises NotFound."""
    endpoint = queries.lock_endpoint(endpoint_id)
    if endpoint.status == EndpointStatus.ENABLED:
        _disable(endpoint, because="staff stopped it", by=by)


@within_transaction
def disable_alarming(endpoint: ShopEndpoint, *, because: str, by: Actor) -> None:
    """By the machine: staff must know. The caller has locked it."""
    _disable(endpoint, because=because, by=by)
    summary = f"webhooks to address {endpoint.ref} were stopped: {because}"
    open_tickets([NewTicket(queries.SUBJECT, endpoint.id, None, REASON, summary)], by=by)


@within_transaction
def enable(endpoint_id: int, *, by: Actor) -> datetime | None:
    """Returns since when it was disabled, or None if it was not. Raises NotFound."""
    endpoint = queries.lock_endpoint(endpoint_id)
    if endpoint.status == EndpointStatus.ENABLED:
        return None
    since = endpoint.disabled_at
    ENDPOINT.move(endpoint, EndpointStatus.ENABLED, because="staff let it go on", by=by)
    endpoint.failing_since = endpoint.disabled_at = endpoint.disabled_because = None
    because = "the address was enabled"
    resolve_for(queries.SUBJECT, [endpoint.id], REASON, because=because, by=by)
    return since


def _disable(endpoint: ShopEndpoint, *, because: str, by: Actor) -> None:
    """What is still to go to it is given up; it can be sent again."""
    ENDPOINT.move(endpoint, EndpointStatus.DISABLED, because=because, by=by)
    endpoint.disabled_at, endpoint.disabled_because = clock.now(), because
    also = {"ended_at": endpoint.disabled_at, "error": DISABLED}
    moves = [
        RowMove(row.id, row.status, DeliveryStatus.GIVEN_UP, DISABLED, also=also)
        for row in queries.lock_unsent(endpoint.id)
    ]
    DELIVERY.move_many(ShopDelivery, moves, by=by)
