"""Payment methods blocked, replaced and deleted; one-time links."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_METHOD_OPEN = "status IN ('requested', 'issuing', 'deleting')"


def upgrade() -> None:
    _widen_methods()
    _create_links()


def downgrade() -> None:
    _drop_links()


def _widen_methods() -> None:
    op.add_column("payment_methods", sa.Column("blocked_because", sa.Text(), nullable=True))
    op.add_column("payment_methods", sa.Column("replaced_by_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("payment_methods_replaced_by_id_fkey"),
        "payment_methods",
        "payment_methods",
        ["replaced_by_id"],
        ["id"],
    )
    op.drop_constraint(op.f("payment_methods_status_known"), "payment_methods")
    op.create_check_constraint(
        op.f("payment_methods_status_known"),
        "payment_methods",
        "status IN ('requested', 'issuing', 'active', 'refused', 'expired', 'blocked', "
        "'deleting', 'needs_human', 'deleted')",
    )
    op.drop_constraint(op.f("payment_methods_active_has_key"), "payment_methods")
    op.create_check_constraint(
        op.f("payment_methods_active_has_key"),
        "payment_methods",
        "status NOT IN ('active', 'expired', 'blocked', 'deleting') "
        "OR kind = 'virtual_account' OR billing_key_sealed IS NOT NULL",
    )
    op.drop_index("payment_methods_due", table_name="payment_methods")
    op.create_index(
        "payment_methods_due",
        "payment_methods",
        ["due_at"],
        postgresql_where=sa.text(_METHOD_OPEN),
    )


def _create_links() -> None:
    op.create_table(
        "one_time_links",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column(
            "issued_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("expires_at > issued_at", name=op.f("one_time_links_expires_later")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("one_time_links_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("one_time_links_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("one_time_links_token_hash_key")),
    )
    op.create_index(
        "one_time_links_of", "one_time_links", ["purpose", "subject_type", "subject_id"]
    )
    op.create_table(
        "link_tries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("link_tries_pkey")),
    )
    op.create_index("link_tries_address", "link_tries", ["address", "at"])


def _drop_links() -> None:
    op.drop_table("link_tries")
    op.drop_table("one_time_links")
