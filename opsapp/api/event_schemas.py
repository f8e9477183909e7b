"""Events, and the addresses that they are sent to, as they come and go."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from opsapp.api.paging import ListQuery
from opsapp.api.schemas import Listed, Sent, Text, Thing, Told

TypeName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z_]{1,30}\.[a-z_]{1,30}$"),
    Field(examples=["payment.paid"]),
]
Url = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[!-~]{1,2000}$"),
    Field(examples=["https://shop.example.com/hooks"]),
]


class Event(Thing):
    """What an address is sent is `type`, `timestamp`, `livemode` and `data`."""

    object: Literal["event"] = "event"
    id: str = Field(description="The header webhook-id of its sendings.")
    type: str
    object_type: str
    object_id: str
    occurred_at: datetime
    data: dict[str, Any] = Field(description="The object as it was then; no personal data.")


class EventList(Listed):
    data: list[Event]


class EventQuery(ListQuery):
    type: Annotated[str, StringConstraints(pattern=r"^[a-z_.]{0,61}$")] = ""
    object_type: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,30}$")] = ""
    object_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:@-]{0,64}$")] = ""


class EventType(Told):
    name: str
    meaning: str


class EventTypes(Told):
    data: list[EventType]


class WebhookEndpoint(Thing):
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    id: str
    url: str
    types: list[str] = Field(description="Empty: all.")
    note: str
    status: Literal["enabled", "disabled"]
    failing_since: datetime | None
    disabled_at: datetime | None
    created_at: datetime


class WebhookEndpointWithSecret(WebhookEndpoint):
    secret: str = Field(description="Shown now and never again.")


class WebhookEndpointList(Told):
    object: Literal["list"] = "list"
    data: list[WebhookEndpoint]


class NewWebhookEndpoint(Sent):
    url: Url
    types: list[TypeName] = Field([], max_length=60)
    note: Text | None = None


class Replay(Sent):
    since: datetime = Field(
        description="Events from then on that were not taken, of 30 days at most.", strict=False
    )


class Replayed(Told):
    count: int


class WebhookDelivery(Told):
    object: Literal["webhook_delivery"] = "webhook_delivery"
    event: str
    type: str
    status: Literal["waiting", "pending", "sending", "delivered", "given_up"]
    tries: int
    answer_status: int | None
    error: str | None
    next_try_at: datetime | None
    ended_at: datetime | None


class WebhookDeliveryList(Listed):
    data: list[WebhookDelivery]
