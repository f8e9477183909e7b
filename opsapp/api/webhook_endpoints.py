"""Addresses that events are sent to, signed as Standard Webhooks describes it."""

from datetime import UTC
from typing import Any, cast

from flask import Blueprint

from opsapp.api import access
from opsapp.api.access import scoped
from opsapp.api.event_schemas import (
    NewWebhookEndpoint,
    Replay,
    Replayed,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookEndpoint,
    WebhookEndpointList,
    WebhookEndpointWithSecret,
)
from opsapp.api.paging import ListQuery, listed
from opsapp.api.schemas import Nothing
from opsapp.programs import installing
from opsapp.programs.rules import Scope
from opsapp.shop_events import disabling, queries, registering, replaying
from opsapp.shop_events.registering import EndpointWish

routes = Blueprint("webhook_endpoints", __name__, url_prefix="/webhook-endpoints")

READ, WRITE = Scope.ENDPOINTS_READ, Scope.ENDPOINTS_WRITE
Known = WebhookEndpoint
Made = WebhookEndpointWithSecret


@routes.post("")
@scoped(WRITE, "createWebhookEndpoint", body=NewWebhookEndpoint, answers=Made, status=201)
def create(body: NewWebhookEndpoint) -> Made:
    """Register an address; every answer but 2xx is tried again for three days."""
    wish = EndpointWish(body.url, list(body.types), body.note or "")
    endpoint_id, secret = registering.register(wish, by=access.current_actor())
    return Made(**_facts(queries.get_endpoint(endpoint_id)), secret=secret)


@routes.get("")
@scoped(READ, "listWebhookEndpoints", answers=WebhookEndpointList)
def list_all() -> WebhookEndpointList:
    """All of them, the oldest first."""
    endpoints = queries.list_endpoints()
    return WebhookEndpointList(data=[Known(**_facts(each)) for each in endpoints])


@routes.get("/<endpoint_id>")
@scoped(READ, "getWebhookEndpoint", answers=Known)
def show(endpoint_id: str) -> Known:
    """One address, without its secret."""
    return Known(**_facts(queries.find_endpoint(endpoint_id)))


@routes.post("/<endpoint_id>/secret")
@scoped(WRITE, "renewWebhookSecret", body=Nothing, answers=Made)
def renew_secret(endpoint_id: str, body: Nothing) -> Made:
    """Another secret; the one before it is signed with for a day more."""
    endpoint = queries.find_endpoint(endpoint_id)
    secret = registering.renew_secret(endpoint.id, by=access.current_actor())
    return Made(**_facts(endpoint), secret=secret)


@routes.post("/<endpoint_id>/disable")
@scoped(WRITE, "disableWebhookEndpoint", body=Nothing, answers=Known)
def disable(endpoint_id: str, body: Nothing) -> Known:
    """Send it nothing more; what is still to go is given up."""
    endpoint = queries.find_endpoint(endpoint_id)
    disabling.disable(endpoint.id, by=access.current_actor())
    return Known(**_facts(endpoint))


@routes.post("/<endpoint_id>/enable")
@scoped(WRITE, "enableWebhookEndpoint", body=Nothing, answers=Known)
def enable(endpoint_id: str, body: Nothing) -> Known:
    """Send again from now on; what was missed is asked for with `replay`."""
    endpoint = queries.find_endpoint(endpoint_id)
    disabling.enable(endpoint.id, by=access.current_actor())
    return Known(**_facts(endpoint))


@routes.post("/<endpoint_id>/test")
@scoped(WRITE, "testWebhookEndpoint", body=Nothing, answers=Known)
def test(endpoint_id: str, body: Nothing) -> Known:
    """Send an event `endpoint.test` that says nothing happened."""
    endpoint = queries.find_endpoint(endpoint_id)
    replaying.send_trial(endpoint.id, by=access.current_actor())
    return Known(**_facts(endpoint))


@routes.post("/<endpoint_id>/replay")
@scoped(WRITE, "replayWebhooks", body=Replay, answers=Replayed)
def replay(endpoint_id: str, body: Replay) -> Replayed:
    """Send again, in order and under their own ids, what was not taken since then."""
    endpoint = queries.find_endpoint(endpoint_id)
    since = body.since if body.since.tzinfo else body.since.replace(tzinfo=UTC)
    return Replayed(count=replaying.replay_missed(endpoint.id, since, by=access.current_actor()))


@routes.get("/<endpoint_id>/deliveries")
@scoped(READ, "listWebhookDeliveries", query=ListQuery, answers=WebhookDeliveryList)
def list_deliveries(endpoint_id: str, query: ListQuery) -> WebhookDeliveryList:
    """What was sent, and what was answered; the newest first."""
    page = queries.page_deliveries(
        endpoint_id=queries.find_endpoint(endpoint_id).id, cursor=query.cursor, size=query.limit
    )
    return WebhookDeliveryList(**listed(page, _delivery))


def _facts(row: Any) -> dict[str, Any]:
    return {
        "livemode": installing.is_live(),
        "id": row.ref,
        "url": row.url,
        "types": row.types,
        "note": row.note,
        "status": row.status,
        "failing_since": row.failing_since,
        "disabled_at": row.disabled_at,
        "created_at": row.created_at,
    }


def _delivery(row: Any) -> WebhookDelivery:
    return WebhookDelivery(
        event=row.ref,
        type=row.type,
        status=cast(Any, row.status),
        tries=row.turns,
        answer_status=row.answer_status,
        error=row.error,
        next_try_at=row.due_at if row.status == "pending" else None,
        ended_at=row.ended_at,
    )
