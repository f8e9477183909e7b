"""Saved views of lists, and how each account wants its lists."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_ROLES = "'', 'everyone', 'cs', 'finance', 'admin', 'auditor'"


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("columns", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("shared_with", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "char_length(name) BETWEEN 1 AND 60", name=op.f("saved_views_name_length")
        ),
        sa.CheckConstraint(
            f"shared_with IN ({_ROLES})", name=op.f("saved_views_shared_with_known")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["staff_accounts.id"], name=op.f("saved_views_account_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("saved_views_pkey")),
        sa.UniqueConstraint("ref", name=op.f("saved_views_ref_key")),
    )
    op.create_index(
        "one_saved_view_by_name",
        "saved_views",
        ["account_id", "list_name", sa.text("lower(name)")],
        unique=True,
    )
    op.create_index(
        "saved_views_shared",
        "saved_views",
        ["list_name"],
        postgresql_where=sa.text("shared_with <> ''"),
    )
    op.create_table(
        "list_arrangements",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("columns", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("density", sa.Text(), server_default="normal", nullable=False),
        sa.Column("default_view_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "density IN ('normal', 'compact')", name=op.f("list_arrangements_density_known")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["staff_accounts.id"], name=op.f("list_arrangements_account_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["default_view_id"],
            ["saved_views.id"],
            name=op.f("list_arrangements_default_view_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("account_id", "list_name", name=op.f("list_arrangements_pkey")),
    )
    op.create_index("list_arrangements_view", "list_arrangements", ["default_view_id"])
    op.create_table(
        "staff_preferences",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("dismissed", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["staff_accounts.id"], name=op.f("staff_preferences_account_id_fkey")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("staff_preferences_pkey")),
    )


def downgrade() -> None:
    op.drop_table("staff_preferences")
    op.drop_table("list_arrangements")
    op.drop_table("saved_views")
