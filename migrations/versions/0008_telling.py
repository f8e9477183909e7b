"""Deliveries, edited texts, reports of providers, and push addresses."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_templates",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("subject_ko", sa.Text(), nullable=False),
        sa.Column("text_ko", sa.Text(), nullable=False),
        sa.Column("subject_en", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("template_ref", sa.Text(), server_default="", nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "medium IN ('email', 'short')", name=op.f("notice_templates_medium_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notice_templates_pkey")),
        sa.UniqueConstraint(
            "kind", "medium", "version", name=op.f("notice_templates_kind_medium_version_key")
        ),
    )
    op.create_index(
        "one_active_notice_template",
        "notice_templates",
        ["kind", "medium"],
        unique=True,
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "waiting_reports",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('delivered', 'failed')", name=op.f("waiting_reports_status_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("waiting_reports_pkey")),
        sa.UniqueConstraint(
            "channel",
            "provider_ref",
            "status",
            name=op.f("waiting_reports_channel_provider_ref_status_key"),
        ),
    )
    op.create_index("waiting_reports_received", "waiting_reports", ["received_at"], unique=False)
    op.create_table(
        "notice_deliveries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("ops_now()"), nullable=False
        ),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('accepted', 'refused', 'away', 'delivered', 'failed')",
            name=op.f("notice_deliveries_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name=op.f("notice_deliveries_notice_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notice_deliveries_pkey")),
    )
    op.create_index("notice_deliveries_of", "notice_deliveries", ["notice_id", "id"], unique=False)
    op.create_index(
        "notice_deliveries_provider_ref",
        "notice_deliveries",
        ["channel", "provider_ref"],
        unique=False,
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
    )
    op.create_table(
        "push_addresses",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column(
            "added_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "channel IN ('webpush', 'fcm')", name=op.f("push_addresses_channel_known")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("push_addresses_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("push_addresses_pkey")),
        sa.UniqueConstraint(
            "channel", "address_index", name=op.f("push_addresses_channel_address_index_key")
        ),
    )
    op.create_index(
        "push_addresses_customer", "push_addresses", ["customer_id", "id"], unique=False
    )
    op.add_column(
        "notices", sa.Column("place", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "notices",
        sa.Column("is_called_back", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.alter_column("notices", "channel", existing_type=sa.TEXT(), nullable=True)
    op.drop_constraint(
        op.f("notices_kind_subject_type_subject_id_customer_id_key"), "notices", type_="unique"
    )
    op.drop_index(op.f("notices_of"), table_name="notices")
    op.drop_constraint(op.f("notices_ref_key"), "notices", type_="unique")
    op.create_unique_constraint(
        op.f("notices_subject_type_subject_id_kind_customer_id_key"),
        "notices",
        ["subject_type", "subject_id", "kind", "customer_id"],
    )


def downgrade() -> None:
    op.drop_table("push_addresses")
    op.drop_table("notice_deliveries")
    op.drop_table("waiting_reports")
    op.drop_table("notice_templates")
    op.drop_constraint("notices_subject_type_subject_id_kind_customer_id_key", "notices")
    op.create_unique_constraint(
        "notices_kind_subject_type_subject_id_customer_id_key",
        "notices",
        ["kind", "subject_type", "subject_id", "customer_id"],
    )
    op.create_unique_constraint("notices_ref_key", "notices", ["ref"])
    op.create_index("notices_of", "notices", ["subject_type", "subject_id"])
    op.execute("UPDATE notices SET channel = 'email' WHERE channel IS NULL")
    op.alter_column("notices", "channel", nullable=False)
    op.drop_column("notices", "is_called_back")
    op.drop_column("notices", "place")
