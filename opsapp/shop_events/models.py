from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable, due_index
from opsapp.shop_events.states import DELIVERY, ENDPOINT, MOVING


class ShopEvent(Base):
    """Something that happened, as the shop is told it: no personal data. Append-only."""

    __tablename__ = "shop_events"
    __table_args__ = (
        # One entry of the log says one thing of a kind, however often it is read.
        UniqueConstraint("entry_id", "type"),
        Index("shop_events_of", "object_type", "object_ref", "id"),
        Index("shop_events_type", "type", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    entry_id: Mapped[int | None]  # of the log; NULL for a trial that staff sent
    type: Mapped[str]  # a name in rules.TYPES
    object_type: Mapped[str]
    object_id: Mapped[int]
    object_ref: Mapped[str]
    occurred_at: Mapped[datetime]  # business time of the log entry
    data: Mapped[dict[str, Any]]
    gathered_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ShopEventCursor(Base):
    """One row: the seal of the log up to which events were made."""

    __tablename__ = "shop_event_cursor"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seal_id: Mapped[int]


class ShopEndpoint(Base):
    """An address of the shop that events are sent to."""

    __tablename__ = "shop_endpoints"
    __table_args__ = (ENDPOINT.check(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    note: Mapped[str] = mapped_column(default="", server_default="")
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))  # empty: all
    status: Mapped[str] = mapped_column(default=ENDPOINT.start.value)
    # Since when nothing was taken; NULL while the last answer was a good one.
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class ShopSecret(Base):
    """What an address checks our signature with. Two are valid while one takes over."""

    __tablename__ = "shop_secrets"
    __table_args__ = (Index("shop_secrets_endpoint", "endpoint_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("shop_endpoints.id"))
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    since: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    until: Mapped[datetime | None]  # NULL: until another takes over


class ShopDelivery(Claimable, Base):
    """One event on its way to one address."""

    __tablename__ = "shop_deliveries"
    __table_args__ = (
        DELIVERY.check(),
        UniqueConstraint("endpoint_id", "event_id"),
        # A later event about the same object waits: the database allows one at a time.
        Index(
            "one_moving_delivery_per_object",
            "endpoint_id",
            "object_key",
            unique=True,
            postgresql_where=text("status IN ('pending', 'sending')"),
        ),
        Index(
            "shop_deliveries_waiting",
            "endpoint_id",
            "object_key",
            "event_id",
            postgresql_where=text("status = 'waiting'"),
        ),
        Index(
            "shop_deliveries_given_up",
            "endpoint_id",
            "id",
            postgresql_where=text("status = 'given_up'"),
        ),
        Index("shop_deliveries_event", "event_id"),
        due_index("shop_deliveries", MOVING),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("shop_events.id"))
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("shop_endpoints.id"))
    object_key: Mapped[str]
    status: Mapped[str] = mapped_column(default=DELIVERY.start.value)
    answer_status: Mapped[int | None]  # of HTTP, at the last try
    answer: Mapped[str | None]  # how it began, long numbers masked
    error: Mapped[str | None]
    took_ms: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    ended_at: Mapped[datetime | None]
