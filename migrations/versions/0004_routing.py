"""Which gateway may be asked for what, and whether it is well."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_circuits",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "window_began_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("slow", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lost_s", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "misconfigured",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rest_s", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("probes_left", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("probes_ok", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("because", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_by", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('closed', 'open', 'probing', 'paused')",
            name=op.f("gateway_circuits_status_known"),
        ),
        sa.CheckConstraint(
            "(status IN ('open', 'probing')) = (retry_at IS NOT NULL)",
            name=op.f("gateway_circuits_retry_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("gateway_circuits_pkey")),
        sa.UniqueConstraint("gateway_name", name=op.f("gateway_circuits_gateway_name_key")),
    )
    op.create_table(
        "gateway_routes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("method_kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_from_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("amount_to_minor", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("amount_from_minor >= 0", name=op.f("gateway_routes_amount_from_zero")),
        sa.CheckConstraint(
            "amount_to_minor IS NULL OR amount_to_minor >= amount_from_minor",
            name=op.f("gateway_routes_amounts_ordered"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("gateway_routes_pkey")),
    )
    op.create_index(
        "gateway_routes_sought",
        "gateway_routes",
        ["method_kind", "currency", "position", "id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("gateway_routes")
    op.drop_table("gateway_circuits")
