"""Payment links."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkouts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'paid', 'expired', 'cancelled')",
            name=op.f("checkouts_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("checkouts_amount_positive")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("checkouts_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("checkouts_order_id_fkey")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("checkouts_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("checkouts_pkey")),
        sa.UniqueConstraint("order_id", name=op.f("checkouts_order_id_key")),
        sa.UniqueConstraint("order_ref", name=op.f("checkouts_order_ref_key")),
        sa.UniqueConstraint("payment_id", name=op.f("checkouts_payment_id_key")),
        sa.UniqueConstraint("ref", name=op.f("checkouts_ref_key")),
    )
    op.create_index("checkouts_customer", "checkouts", ["customer_id"], unique=False)
    op.create_index("checkouts_listed", "checkouts", ["opened_at", "id"], unique=False)
    op.create_index("checkouts_open", "checkouts", ["status", "expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("checkouts")
