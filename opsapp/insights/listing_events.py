"""Gateways' messages as staff see them: what came, how often, and what came of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, select, union

from opsapp.insights import reading_wishes as wishes
from opsapp.insights.reading_wishes import Query
from opsapp.kernel.clock import seoul_midnight
from opsapp.kernel.db import db
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.kernel.masking import mask_account
from opsapp.kernel.paging import Page, page_of
from opsapp.payments import reading
from opsapp.payments.models import Attempt, GatewayEvent, Payment
from opsapp.payments.states import EVENT_OPEN, EventStatus

PAGE_SIZE = 30
SEARCH_LENGTH_MAX = 200
VALUE_LENGTH_MAX = 200
FIELDS_MAX = 200

# What is shown of a body to everybody: numbers of things, states, sums and times.
_OPEN_FIELDS = frozenset(
    {
        "amount", "amount_received", "approvedAt", "balanceAmount", "cancelAmount", "cancelStatus",
        "canceledAt", "cancellationId", "created", "createdAt", "currency", "entityType", "eventId",
        "eventType", "id", "isPartialCancelable", "lastTransactionKey", "livemode", "method",
        "object", "orderId", "order_id", "paidAt", "payment_intent", "paymentId", "paymentKey",
        "requestedAt", "status", "storeId", "timestamp", "totalAmount", "transactionId",
        "transactionKey", "type", "version",
    }
)  # fmt: skip
# With these somebody could act in our name or a customer's: shown to nobody.
_SECRETS = ("secret", "billingkey", "customerkey", "authkey", "token", "password", "payment_method")
_NUMBERS = ("account", "number", "phone")


@dataclass(frozen=True, slots=True)
class EventWish:
    gateway: str = ""
    event_type: str = ""
    status: str = ""
    search: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def is_narrow(self) -> bool:
        return any(
            (self.gateway, self.event_type, self.status, self.search, self.since, self.until)
        )


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a body. `shown` is None for what this reader may not see."""

    path: str
    shown: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    event: GatewayEvent
    attempt: Attempt | None
    payment: Payment | None
    fields: list[Field]
    entries: list[AuditEntry]


COLUMNS = (
    GatewayEvent.id,
    GatewayEvent.gateway_name,
    GatewayEvent.delivery_id,
    GatewayEvent.event_type,
    GatewayEvent.status,
    GatewayEvent.is_signed,
    GatewayEvent.finding,
    GatewayEvent.received_at,
    GatewayEvent.ended_at,
    GatewayEvent.repeats,
    GatewayEvent.turns,
    Attempt.payment_id,
    Attempt.gateway_order_id,
)


def read_wish(query: Query) -> EventWish:
    """Raises Invalid."""
    since, until = wishes.period(query)
    return EventWish(
        gateway=wishes.choice(query, "gateway", wishes.GATEWAYS),
        event_type=wishes.plain(query, "type"),
        status=wishes.choice(query, "status", EventStatus),
        search=wishes.search(query),
        since=since,
        until=until,
    )


def list_events(wish: EventWish, *, cursor: str | None, size: int = PAGE_SIZE) -> Page[Any]:
    """Newest first. Raises BadCursor, and Invalid for a period that runs backwards."""
    if wish.since and wish.until and wish.until < wish.since:
        raise Invalid(field="until", reason="The period ends before it begins.")
    statement = select(*COLUMNS).outerjoin(Attempt, Attempt.id == GatewayEvent.attempt_id)
    keys = (GatewayEvent.received_at, GatewayEvent.id)
    return page_of(_filtered(statement, wish), keys=keys, cursor=cursor, size=size)


def list_replayable(wish: EventWish, *, limit: int) -> list[int]:
    """Ids of those that fit and have been looked into, oldest first; one more than `limit`."""
    ended = GatewayEvent.status.not_in([status.value for status in EVENT_OPEN])
    statement = _filtered(select(GatewayEvent.id).where(ended), wish)
    # By the list's own index: a period of today would else be looked for from the first on.
    oldest = statement.order_by(GatewayEvent.received_at, GatewayEvent.id)
    return list(db.session.scalars(oldest.limit(limit + 1)))


def get_picture(event_id: int, *, is_whole: bool) -> Picture:
    """`is_whole`: also what is personal, for who may read the log. Raises NotFound."""
    event = db.session.get(GatewayEvent, event_id)
    if event is None:
        raise NotFound(noun="message", id=event_id)
    attempt = db.session.get(Attempt, event.attempt_id) if event.attempt_id else None
    payment = db.session.get(Payment, attempt.payment_id) if attempt else None
    _said, body = reading.unwrap(event.body_sealed, event.delivery_id)
    of_event = (AuditEntry.subject_type == "gateway_event", AuditEntry.subject_id == event_id)
    entries = select(AuditEntry).where(*of_event).order_by(AuditEntry.id.desc()).limit(FIELDS_MAX)
    return Picture(
        event,
        attempt,
        payment,
        fields_of(json.loads(body), is_whole=is_whole)[:FIELDS_MAX],
        list(db.session.scalars(entries)),
    )


def fields_of(body: Any, *, is_whole: bool) -> list[Field]:
    """The leaves of a body, each under its path, as far as this reader may see them."""
    return [
        Field(path, _shown(path, value, is_whole=is_whole))
        for path, value in _leaves(body)
        if value is not None
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    stack = [(path, value)]
    while stack:  # a body may be nested deeper than Python calls
        path, value = stack.pop()
        if isinstance(value, dict):
            inner = [(f"{path}.{name}" if path else name, each) for name, each in value.items()]
        elif isinstance(value, list):
            inner = [(f"{path}[{place}]", each) for place, each in enumerate(value)]
        else:
            yield path, value
            continue
        stack += reversed(inner)


def _shown(path: str, value: Any, *, is_whole: bool) -> str | None:
    names = [part.partition("[")[0] for part in path.split(".")]
    lowered = ".".join(names).lower()
    if any(secret in lowered for secret in _SECRETS):
        return None
    text = str(value)[:VALUE_LENGTH_MAX]
    if names[-1] in _OPEN_FIELDS:
        return text
    if not is_whole:
        return None
    is_number = isinstance(value, str) and any(number in lowered for number in _NUMBERS)
    return mask_account(text) if is_number else text


def _filtered(statement: Select[*tuple[Any, ...]], wish: EventWish) -> Any:
    equal = (
        (GatewayEvent.gateway_name, wish.gateway),
        (GatewayEvent.event_type, wish.event_type),
        (GatewayEvent.status, wish.status),
    )
    for column, value in equal:
        if value:
            statement = statement.where(column == value)
    if wish.since:
        statement = statement.where(GatewayEvent.received_at >= seoul_midnight(wish.since))
    if wish.until:
        end = seoul_midnight(wish.until + timedelta(days=1))
        statement = statement.where(GatewayEvent.received_at < end)
    if search := wish.search[:SEARCH_LENGTH_MAX]:
        # One union, not conditions joined by OR: each arm is one index look-up.
        about = union(
            select(Attempt.id).where(Attempt.gateway_order_id == search),
            select(Attempt.id).where(Attempt.gateway_key == search),
            select(Attempt.id)
            .join(Payment, Payment.id == Attempt.payment_id)
            .where(Payment.ref == search),
        ).subquery()
        found = union(
            select(GatewayEvent.id).where(
                GatewayEvent.gateway_name.in_(wishes.GATEWAYS), GatewayEvent.delivery_id == search
            ),
            select(GatewayEvent.id).where(GatewayEvent.attempt_id.in_(select(about.c[0]))),
        ).subquery()
        statement = statement.where(GatewayEvent.id.in_(select(found.c[0])))
    return statement
