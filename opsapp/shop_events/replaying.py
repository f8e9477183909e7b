"""Replaying: what was sent once is sent again under the same id, and a trial is sent at all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, insert, select

from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import Entry, record
from opsapp.kernel.states import RowMove
from opsapp.shop_events import queries, rules
from opsapp.shop_events.errors import EndpointIsDisabled, StillUnderWay
from opsapp.shop_events.gathering import COUNTED
from opsapp.shop_events.models import ShopDelivery, ShopEndpoint, ShopEvent
from opsapp.shop_events.releasing import release
from opsapp.shop_events.states import DELIVERY, DeliveryStatus, EndpointStatus

ENDED = (DeliveryStatus.DELIVERED, DeliveryStatus.GIVEN_UP)
BECAUSE = "staff want it sent again"


@within_transaction
def replay(delivery_id: int, *, by: Actor) -> None:
    """Once more, taken or not. Raises NotFound, EndpointIsDisabled, StillUnderWay."""
    endpoint = _lock_enabled(queries.get_delivery(delivery_id).endpoint_id)
    rows = queries.lock_ended(endpoint.id, statuses=ENDED, delivery_ids=[delivery_id])
    if not rows:
        raise StillUnderWay
    _send_again(endpoint, rows, by=by)


@within_transaction
def replay_missed(endpoint_id: int, since: datetime, *, by: Actor) -> int:
    """All that the address asked for and did not take since then, in order; returns how many.

    So too what happened while it was disabled. Raises Invalid, NotFound, EndpointIsDisabled.
    """
    if since < clock.now() - rules.REPLAYED_BACK:
        raise Invalid(field="since", reason="is more than 30 days ago.")
    endpoint = _lock_enabled(endpoint_id)
    given_up = (DeliveryStatus.GIVEN_UP,)
    rows = queries.lock_ended(endpoint_id, statuses=given_up, since=since)
    added: Any = db.session.execute(_missing(endpoint_id, since), execution_options=COUNTED)
    detail = {"since": since.isoformat(), "given_up": len(rows), "never_sent": added.rowcount}
    record(Entry("shop_endpoint.replayed", queries.SUBJECT, endpoint_id, detail=detail), by=by)
    _send_again(endpoint, rows, by=by)
    return len(rows) + int(added.rowcount)


@within_transaction
def send_trial(endpoint_id: int, *, by: Actor) -> int:
    """An event that says nothing happened; returns the sending. Raises as replay does."""
    endpoint = _lock_enabled(endpoint_id)
    event = ShopEvent(
        ref=new_ref("evt"),
        type=rules.TRIAL,
        object_type="endpoint",
        object_id=endpoint.id,
        object_ref=endpoint.ref,
        occurred_at=clock.now(),
        data={"object": "endpoint", "id": endpoint.ref},
    )
    db.session.add(event)
    db.session.flush()
    delivery = ShopDelivery(
        event_id=event.id, endpoint_id=endpoint.id, object_key=f"trial:{event.id}"
    )
    db.session.add(delivery)
    db.session.flush()
    record(Entry("shop_endpoint.tried", queries.SUBJECT, endpoint.id), by=by)
    return delivery.id


def _lock_enabled(endpoint_id: int) -> ShopEndpoint:
    endpoint = queries.lock_endpoint(endpoint_id)
    if endpoint.status != EndpointStatus.ENABLED:
        raise EndpointIsDisabled
    return endpoint


def _send_again(endpoint: ShopEndpoint, rows: Sequence[Any], *, by: Actor) -> None:
    """They queue up first, so that those about one object keep their order."""
    fresh = {"turns": 0, "due_at": clock.now(), "ended_at": None, "hinted_at": None}
    moves = [RowMove(r.id, r.status, DeliveryStatus.WAITING, BECAUSE, also=fresh) for r in rows]
    DELIVERY.move_many(ShopDelivery, moves, by=by)
    release([endpoint.id], by=by)


def _missing(endpoint_id: int, since: datetime) -> Any:
    key = func.concat(ShopEvent.object_type, ":", ShopEvent.object_id)
    known = exists().where(
        ShopDelivery.endpoint_id == endpoint_id, ShopDelivery.event_id == ShopEvent.id
    )
    waiting = func.concat(DeliveryStatus.WAITING.value)
    source = (
        select(ShopEvent.id, ShopEndpoint.id, key, waiting)
        .join(ShopEndpoint, and_(ShopEndpoint.id == endpoint_id, queries.is_wanted()))
        .where(ShopEvent.occurred_at >= since, ShopEvent.entry_id.is_not(None), ~known)
        .order_by(ShopEvent.id)
    )
    columns = ["event_id", "endpoint_id", "object_key", "status"]
    return insert(ShopDelivery).from_select(columns, source, include_defaults=False)
