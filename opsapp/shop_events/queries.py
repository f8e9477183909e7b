"""Reads of events, of the addresses that they go to, and of their sendings."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, any_, func, or_, select

from opsapp.audit.models import AuditSeal
from opsapp.kernel.db import db, locked
from opsapp.kernel.errors import NotFound
from opsapp.kernel.paging import Page, page_of
from opsapp.kernel.turns import is_claimable
from opsapp.shop_events.models import (
    ShopDelivery,
    ShopEndpoint,
    ShopEvent,
    ShopEventCursor,
    ShopSecret,
)
from opsapp.shop_events.states import MOVING, OPEN, DeliveryStatus, EndpointStatus

SUBJECT = "shop_endpoint"
_EVENT = (
    ShopEvent.id,
    ShopEvent.ref,
    ShopEvent.type,
    ShopEvent.object_type,
    ShopEvent.object_ref,
    ShopEvent.occurred_at,
    ShopEvent.data,
)
_MOVING = [status.value for status in MOVING]


def is_wanted() -> ColumnElement[bool]:
    """The address asked for events of this type."""
    is_named = ShopEvent.type == any_(ShopEndpoint.types)
    return or_(func.cardinality(ShopEndpoint.types) == 0, is_named)


def lock_cursor() -> int | None:
    """The seal up to which events were made; None if none follows, or somebody is at it."""
    newest = select(func.max(AuditSeal.id)).scalar_subquery()
    behind = select(ShopEventCursor.seal_id).where(ShopEventCursor.seal_id < newest)
    return db.session.scalars(locked(behind, skip=True)).one_or_none()


def lock_enabled_endpoints() -> list[int]:
    """Whoever moves or adds sendings holds these, so that none is left waiting for nobody."""
    enabled = select(ShopEndpoint.id).where(ShopEndpoint.status == EndpointStatus.ENABLED.value)
    return list(db.session.scalars(locked(enabled.order_by(ShopEndpoint.id))))


def lock_endpoints(endpoint_ids: Collection[int]) -> dict[int, ShopEndpoint]:
    some = select(ShopEndpoint).where(ShopEndpoint.id.in_(endpoint_ids)).order_by(ShopEndpoint.id)
    return {row.id: row for row in db.session.scalars(locked(some))}


def lock_endpoint(endpoint_id: int) -> ShopEndpoint:
    """Raises NotFound."""
    found = lock_endpoints([endpoint_id]).get(endpoint_id)
    if found is None:
        raise NotFound(noun="address", id=endpoint_id)
    return found


def get_endpoint(endpoint_id: int) -> ShopEndpoint:
    """Raises NotFound."""
    found = db.session.get(ShopEndpoint, endpoint_id)
    if found is None:
        raise NotFound(noun="address", id=endpoint_id)
    return found


def find_endpoint(ref: str) -> ShopEndpoint:
    """Raises NotFound."""
    named = select(ShopEndpoint).where(ShopEndpoint.ref == ref)
    found = db.session.scalars(named).one_or_none()
    if found is None:
        raise NotFound(noun="address", id=ref)
    return found


def list_endpoints() -> list[ShopEndpoint]:
    return list(db.session.scalars(select(ShopEndpoint).order_by(ShopEndpoint.id)))


def list_disabled() -> list[ShopEndpoint]:
    """Those that disabled themselves or were disabled, for the banner."""
    disabled = ShopEndpoint.status == EndpointStatus.DISABLED.value
    return list(db.session.scalars(select(ShopEndpoint).where(disabled).order_by(ShopEndpoint.id)))


def list_secrets(endpoint_ids: Collection[int], at: datetime) -> list[ShopSecret]:
    """What is signed with at that time, the newest first."""
    valid = or_(ShopSecret.until.is_(None), ShopSecret.until > at)
    mine = select(ShopSecret).where(ShopSecret.endpoint_id.in_(endpoint_ids), valid)
    return list(db.session.scalars(mine.order_by(ShopSecret.id.desc())))


def find_last_event_id() -> int:
    return db.session.scalars(select(func.coalesce(func.max(ShopEvent.id), 0))).one()


def find_event(ref: str) -> ShopEvent:
    """Raises NotFound."""
    found = db.session.scalars(select(ShopEvent).where(ShopEvent.ref == ref)).one_or_none()
    if found is None:
        raise NotFound(noun="event", id=ref)
    return found


def page_events(
    *,
    cursor: str | None,
    size: int,
    type_: str = "",
    object_type: str = "",
    object_ref: str = "",
) -> Page[Any]:
    """Newest first; empty: of any. Raises BadCursor."""
    found = select(*_EVENT)
    wanted = {
        ShopEvent.type: type_,
        ShopEvent.object_type: object_type,
        ShopEvent.object_ref: object_ref,
    }
    for column, value in wanted.items():
        if value:
            found = found.where(column == value)
    return page_of(found, keys=(ShopEvent.id,), cursor=cursor, size=size)


def list_sendable(delivery_ids: Sequence[int]) -> list[Any]:
    """Those that may go now, with where to, oldest event first."""
    rows = (
        select(ShopDelivery.id, ShopDelivery.endpoint_id, ShopEndpoint.failing_since)
        .join(ShopEndpoint, ShopEndpoint.id == ShopDelivery.endpoint_id)
        .where(_may_go(delivery_ids))
        .order_by(ShopDelivery.event_id)
    )
    return list(db.session.execute(rows))


def lock_sendable(delivery_ids: Sequence[int]) -> list[Any]:
    """Those that nobody holds, with what is sent; another worker's are passed over."""
    rows = (
        select(
            ShopDelivery.id,
            ShopDelivery.status,
            ShopDelivery.fence,
            ShopDelivery.turns,
            ShopDelivery.endpoint_id,
            ShopDelivery.object_key,
            ShopEndpoint.url,
            ShopEndpoint.failing_since,
            ShopEvent.ref,
            ShopEvent.type,
            ShopEvent.occurred_at,
            ShopEvent.data,
            func.clock_timestamp().label("now"),
        )
        .join(ShopEvent, ShopEvent.id == ShopDelivery.event_id)
        .join(ShopEndpoint, ShopEndpoint.id == ShopDelivery.endpoint_id)
        .where(_may_go(delivery_ids))
        .order_by(ShopDelivery.id)
    )
    return list(db.session.execute(locked(rows, of=ShopDelivery, skip=True)))


def count_under_way(endpoint_ids: Collection[int]) -> dict[int, int]:
    """Sendings to each address that a worker holds now."""
    held = (
        select(ShopDelivery.endpoint_id, func.count())
        .where(
            ShopDelivery.endpoint_id.in_(endpoint_ids),
            ShopDelivery.status == DeliveryStatus.SENDING.value,
            ShopDelivery.leased_until > func.clock_timestamp(),
        )
        .group_by(ShopDelivery.endpoint_id)
    )
    return {row[0]: row[1] for row in db.session.execute(held)}


def list_next(endpoint_ids: Collection[int], object_keys: Collection[str] | None) -> list[int]:
    """The oldest waiting one of each object that has none under way any more."""
    other = ShopDelivery.__table__.alias("other")
    of_same = (
        other.c.endpoint_id == ShopDelivery.endpoint_id,
        other.c.object_key == ShopDelivery.object_key,
    )
    moves = select(other.c.id).where(*of_same, other.c.status.in_(_MOVING)).exists()
    older = select(other.c.id).where(
        *of_same,
        other.c.status == DeliveryStatus.WAITING.value,
        other.c.event_id < ShopDelivery.event_id,
    )
    waiting = select(ShopDelivery.id).where(
        ShopDelivery.endpoint_id.in_(endpoint_ids),
        ShopDelivery.status == DeliveryStatus.WAITING.value,
        ~moves,
        ~older.exists(),
    )
    if object_keys is not None:
        waiting = waiting.where(ShopDelivery.object_key.in_(object_keys))
    return list(db.session.scalars(waiting))


def get_delivery(delivery_id: int) -> ShopDelivery:
    """Raises NotFound."""
    found = db.session.get(ShopDelivery, delivery_id)
    if found is None:
        raise NotFound(noun="sending", id=delivery_id)
    return found


def lock_unsent(endpoint_id: int) -> list[Any]:
    """What is still to go to an address and nobody holds."""
    waits = (DeliveryStatus.WAITING.value, DeliveryStatus.PENDING.value)
    rows = select(ShopDelivery.id, ShopDelivery.status).where(
        ShopDelivery.endpoint_id == endpoint_id, ShopDelivery.status.in_(waits)
    )
    return list(db.session.execute(locked(rows.order_by(ShopDelivery.id))))


def lock_ended(
    endpoint_id: int,
    *,
    statuses: Sequence[DeliveryStatus],
    since: datetime | None = None,
    delivery_ids: Sequence[int] | None = None,
) -> list[Any]:
    """Id and status of sendings to an address that have ended; `since`: of the event."""
    rows = (
        select(ShopDelivery.id, ShopDelivery.status)
        .join(ShopEvent, ShopEvent.id == ShopDelivery.event_id)
        .where(
            ShopDelivery.endpoint_id == endpoint_id,
            ShopDelivery.status.in_([status.value for status in statuses]),
        )
    )
    if since is not None:
        rows = rows.where(ShopEvent.occurred_at >= since)
    if delivery_ids is not None:
        rows = rows.where(ShopDelivery.id.in_(delivery_ids))
    return list(db.session.execute(locked(rows.order_by(ShopDelivery.id), of=ShopDelivery)))


def page_deliveries(
    *, cursor: str | None, size: int, endpoint_id: int, status: str = ""
) -> Page[Any]:
    """The log of sendings to an address, newest first. Raises BadCursor."""
    rows = (
        select(
            ShopDelivery.id,
            ShopDelivery.status,
            ShopDelivery.turns,
            ShopDelivery.answer_status,
            ShopDelivery.answer,
            ShopDelivery.error,
            ShopDelivery.took_ms,
            ShopDelivery.due_at,
            ShopDelivery.created_at,
            ShopDelivery.ended_at,
            ShopEvent.ref,
            ShopEvent.type,
            ShopEvent.object_ref,
        )
        .join(ShopEvent, ShopEvent.id == ShopDelivery.event_id)
        .where(ShopDelivery.endpoint_id == endpoint_id)
    )
    if status:
        rows = rows.where(ShopDelivery.status == status)
    return page_of(rows, keys=(ShopDelivery.id,), cursor=cursor, size=size)


def count_open() -> dict[int, int]:
    """By address: what is still to go."""
    open_ = ShopDelivery.status.in_([status.value for status in OPEN])
    counted = select(ShopDelivery.endpoint_id, func.count()).where(open_)
    rows = db.session.execute(counted.group_by(ShopDelivery.endpoint_id))
    return {row[0]: row[1] for row in rows}


def _may_go(delivery_ids: Sequence[int]) -> ColumnElement[bool]:
    mine = ShopDelivery.id.in_(delivery_ids)
    is_enabled = ShopEndpoint.status == EndpointStatus.ENABLED.value
    return mine & ShopDelivery.status.in_(_MOVING) & is_claimable(ShopDelivery) & is_enabled
