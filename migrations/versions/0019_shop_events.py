"""Events for the shop's programs, and their way to its addresses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import guards

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_OPS_NOW = sa.text("ops_now()")


def _at(name: str, *, default: sa.TextClause | None = None, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def upgrade() -> None:
    _create_events()
    _create_endpoints()
    _create_deliveries()


def _create_events() -> None:
    op.create_table(
        "shop_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("object_ref", sa.Text(), nullable=False),
        _at("occurred_at"),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        _at("gathered_at", default=sa.text("clock_timestamp()")),
        sa.PrimaryKeyConstraint("id", name=op.f("shop_events_pkey")),
        sa.UniqueConstraint("ref", name=op.f("shop_events_ref_key")),
        sa.UniqueConstraint("entry_id", "type", name=op.f("shop_events_entry_id_type_key")),
    )
    op.create_index("shop_events_of", "shop_events", ["object_type", "object_ref", "id"])
    op.create_index("shop_events_type", "shop_events", ["type", "id"])
    guards.append_only("shop_events")
    op.create_table(
        "shop_event_cursor",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seal_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("shop_event_cursor_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("shop_event_cursor_pkey")),
    )
    # What was sealed before anybody could listen is nobody's news.
    op.execute(
        "INSERT INTO shop_event_cursor (id, seal_id) "
        "SELECT 1, coalesce(max(id), 0) FROM audit_seals"
    )


def _create_endpoints() -> None:
    op.create_table(
        "shop_endpoints",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        _at("failing_since", nullable=True),
        _at("disabled_at", nullable=True),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        _at("created_at", default=_OPS_NOW),
        sa.CheckConstraint(
            "status IN ('enabled', 'disabled')", name=op.f("shop_endpoints_status_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("shop_endpoints_pkey")),
        sa.UniqueConstraint("ref", name=op.f("shop_endpoints_ref_key")),
    )
    op.create_table(
        "shop_secrets",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        _at("since", default=_OPS_NOW),
        _at("until", nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["shop_endpoints.id"], name=op.f("shop_secrets_endpoint_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("shop_secrets_pkey")),
    )
    op.create_index("shop_secrets_endpoint", "shop_secrets", ["endpoint_id", "id"])


def _create_deliveries() -> None:
    op.create_table(
        "shop_deliveries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("answer_status", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("took_ms", sa.BigInteger(), nullable=True),
        _at("created_at", default=_OPS_NOW),
        _at("ended_at", nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("turns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("misses", sa.BigInteger(), server_default="0", nullable=False),
        _at("due_at", default=_OPS_NOW),
        _at("leased_until", nullable=True),
        _at("hinted_at", nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'pending', 'sending', 'delivered', 'given_up')",
            name=op.f("shop_deliveries_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["shop_events.id"], name=op.f("shop_deliveries_event_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["shop_endpoints.id"], name=op.f("shop_deliveries_endpoint_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("shop_deliveries_pkey")),
        sa.UniqueConstraint(
            "endpoint_id", "event_id", name=op.f("shop_deliveries_endpoint_id_event_id_key")
        ),
    )
    moving = sa.text("status IN ('pending', 'sending')")
    op.create_index(
        "one_moving_delivery_per_object",
        "shop_deliveries",
        ["endpoint_id", "object_key"],
        unique=True,
        postgresql_where=moving,
    )
    op.create_index(
        "shop_deliveries_waiting",
        "shop_deliveries",
        ["endpoint_id", "object_key", "event_id"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "shop_deliveries_given_up",
        "shop_deliveries",
        ["endpoint_id", "id"],
        postgresql_where=sa.text("status = 'given_up'"),
    )
    op.create_index("shop_deliveries_event", "shop_deliveries", ["event_id"])
    op.create_index("shop_deliveries_due", "shop_deliveries", ["due_at"], postgresql_where=moving)


def downgrade() -> None:
    for table in (
        "shop_deliveries", "shop_secrets", "shop_endpoints", "shop_event_cursor", "shop_events",
    ):  # fmt: skip
        op.drop_table(table)
