"""Events: what happened, for programs that would rather ask than be told."""

from typing import Any

from flask import Blueprint

from opsapp.api.access import scoped
from opsapp.api.event_schemas import Event, EventList, EventQuery, EventType, EventTypes
from opsapp.api.paging import listed
from opsapp.programs import installing
from opsapp.programs.rules import Scope
from opsapp.shop_events import queries, rules

routes = Blueprint("events", __name__)


@routes.get("/events")
@scoped(Scope.EVENTS_READ, "listEvents", query=EventQuery, answers=EventList)
def list_all(query: EventQuery) -> EventList:
    """The newest first."""
    page = queries.page_events(
        cursor=query.cursor,
        size=query.limit,
        type_=query.type,
        object_type=query.object_type,
        object_ref=query.object_id,
    )
    return EventList(**listed(page, _event))


@routes.get("/events/<event_id>")
@scoped(Scope.EVENTS_READ, "getEvent", answers=Event)
def show(event_id: str) -> Event:
    """One event."""
    return _event(queries.find_event(event_id))


@routes.get("/event-types")
@scoped(Scope.EVENTS_READ, "listEventTypes", answers=EventTypes)
def list_types() -> EventTypes:
    """Every type there is, and what it says."""
    types = rules.TYPES.values()
    return EventTypes(data=[EventType(name=each.name, meaning=each.meaning) for each in types])


def _event(row: Any) -> Event:
    return Event(
        livemode=installing.is_live(),
        id=row.ref,
        type=row.type,
        object_type=row.object_type,
        object_id=row.object_ref,
        occurred_at=row.occurred_at,
        data=row.data,
    )
