"""My-page: sign-ins of shoppers, and who asked to be let in."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shopper_sessions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissed", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint("expires_at > started_at", name=op.f("shopper_sessions_expires_later")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("shopper_sessions_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("shopper_sessions_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("shopper_sessions_token_hash_key")),
    )
    op.create_index("shopper_sessions_customer", "shopper_sessions", ["customer_id"])
    op.create_table(
        "sign_in_asks",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("sign_in_asks_pkey")),
    )
    op.create_index("sign_in_asks_address", "sign_in_asks", ["address_index", "at"])
    op.create_index("sign_in_asks_source", "sign_in_asks", ["source", "at"])
    op.create_index(
        "sign_in_asks_open",
        "sign_in_asks",
        ["id"],
        postgresql_where=sa.text("address_sealed IS NOT NULL"),
    )
    op.create_index("customers_email_folded", "customers", [sa.text("lower(email)")])


def downgrade() -> None:
    op.drop_index("customers_email_folded", table_name="customers")
    op.drop_table("sign_in_asks")
    op.drop_table("shopper_sessions")
