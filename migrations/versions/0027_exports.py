"""Exports: files of lists for staff, kept in pieces until their time is over."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("query_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("is_revealed", sa.Boolean(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("turns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("misses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hinted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('delivered', 'queued', 'running', 'ready', 'failed', 'cancelled', 'expired')",
            name=op.f("exports_status_known"),
        ),
        sa.CheckConstraint("format IN ('csv', 'xlsx')", name=op.f("exports_format_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("exports_pkey")),
        sa.UniqueConstraint("ref", name=op.f("exports_ref_key")),
        sa.UniqueConstraint("request_id", name=op.f("exports_request_id_key")),
    )
    op.create_index(
        "exports_due",
        "exports",
        ["due_at"],
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_index("exports_of_person", "exports", ["requested_by", "id"])
    op.create_index(
        "exports_ready", "exports", ["expires_at"], postgresql_where=sa.text("status = 'ready'")
    )
    op.create_table(
        "export_parts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("export_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"], ["exports.id"], name=op.f("export_parts_export_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("export_parts_pkey")),
        sa.UniqueConstraint("export_id", "number", name=op.f("export_parts_export_id_number_key")),
    )


def downgrade() -> None:
    op.drop_table("export_parts")
    op.drop_table("exports")
