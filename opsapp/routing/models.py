from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.routing.states import CIRCUIT


class GatewayCircuit(Base):
    """One row per gateway that was ever in trouble, shared by all processes.

    Its times are the database's own clock: an outage does not end because business time moved.
    """

    __tablename__ = "gateway_circuits"
    __table_args__ = (
        CIRCUIT.check(),
        CheckConstraint(
            "(status IN ('open', 'probing')) = (retry_at IS NOT NULL)", name="retry_known"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_name: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default=CIRCUIT.start.value)
    # The window begins with the first trouble: without any, nothing is counted.
    window_began_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    calls: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")
    slow: Mapped[int] = mapped_column(server_default="0")
    lost_s: Mapped[int] = mapped_column(server_default="0")  # what the bad ones took together
    # Whose requests were refused for our own settings: {"attempt 7": "UNAUTHORIZED_KEY"}.
    misconfigured: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    opened_at: Mapped[datetime | None]
    # Open: when a probe may go. Probing: when lost probes are replaced.
    retry_at: Mapped[datetime | None]
    rest_s: Mapped[int] = mapped_column(server_default="0")  # doubles while probes fail
    probes_left: Mapped[int] = mapped_column(server_default="0")
    probes_ok: Mapped[int] = mapped_column(server_default="0")
    because: Mapped[str] = mapped_column(server_default="")
    changed_by: Mapped[str] = mapped_column(server_default="")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class GatewayRoute(Base):
    """Which gateway takes payments of one kind, currency and size, in order of `position`."""

    __tablename__ = "gateway_routes"
    __table_args__ = (
        CheckConstraint("amount_from_minor >= 0", name="amount_from_zero"),
        CheckConstraint(
            "amount_to_minor IS NULL OR amount_to_minor >= amount_from_minor",
            name="amounts_ordered",
        ),
        Index("gateway_routes_sought", "method_kind", "currency", "position", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    method_kind: Mapped[str]
    currency: Mapped[str] = mapped_column(String(3))
    amount_from_minor: Mapped[int] = mapped_column(server_default="0")
    amount_to_minor: Mapped[int | None]  # inclusive; NULL: no end
    position: Mapped[int]
    gateway_name: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
