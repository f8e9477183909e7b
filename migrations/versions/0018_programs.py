"""Programs of the shop: their keys and the answers they were given; real or trial, for good."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_CLOCK = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_CLOCK, nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("api_keys_opens_something")),
        sa.CheckConstraint("octet_length(secret_hash) = 32", name=op.f("api_keys_hash_whole")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pkey")),
        sa.UniqueConstraint("ref", name=op.f("api_keys_ref_key")),
        sa.UniqueConstraint("prefix", name=op.f("api_keys_prefix_key")),
    )
    op.create_table(
        "api_requests",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer_status", sa.BigInteger(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_CLOCK, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("api_requests_key_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_requests_pkey")),
        sa.UniqueConstraint(
            "key_id",
            "idempotency_key",
            name=op.f("api_requests_key_id_idempotency_key_key"),
        ),
    )
    op.create_index("api_requests_age", "api_requests", ["created_at"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=_CLOCK, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("installation_pkey")),
    )


def downgrade() -> None:
    op.drop_table("installation")
    op.drop_table("api_requests")
    op.drop_table("api_keys")
