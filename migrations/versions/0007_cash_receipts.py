"""Cash receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATUSES = (
    "'wanted', 'requested', 'in_progress', 'issued', 'cancelling', 'cancelled', 'failed', "
    "'withdrawn', 'needs_human'"
)


def upgrade() -> None:
    op.create_table(
        "cash_receipts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("registration", sa.Text(), nullable=False),
        sa.Column("registration_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("refunded_before_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cancel_wanted_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cancelling_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cancelled_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("sent_on", sa.Date(), nullable=True),
        sa.Column("receipt_key", sa.Text(), nullable=True),
        sa.Column("cancel_key", sa.Text(), nullable=True),
        sa.Column("issue_number", sa.Text(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint(f"status IN ({_STATUSES})", name=op.f("cash_receipts_status_known")),
        sa.CheckConstraint(
            "kind IN ('income_deduction', 'expense_proof')", name=op.f("cash_receipts_kind_known")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("cash_receipts_amount_positive")),
        sa.CheckConstraint(
            "cancelled_minor >= 0 AND cancelling_minor >= 0 "
            "AND cancelled_minor + cancelling_minor <= amount_minor "
            "AND cancel_wanted_minor BETWEEN 0 AND amount_minor",
            name=op.f("cash_receipts_cancelled_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("cash_receipts_payment_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("cash_receipts_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("cash_receipts_pkey")),
        sa.UniqueConstraint("ref", name=op.f("cash_receipts_ref_key")),
        sa.UniqueConstraint("idempotency_key", name=op.f("cash_receipts_idempotency_key_key")),
    )
    op.create_index(
        "one_live_receipt_per_payment",
        "cash_receipts",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('cancelled', 'failed', 'withdrawn')"),
    )
    op.create_index("cash_receipts_listed", "cash_receipts", ["asked_at", "id"])
    op.create_index("cash_receipts_status", "cash_receipts", ["status", "asked_at", "id"])
    op.create_index("cash_receipts_payment", "cash_receipts", ["payment_id"])
    op.create_index(
        "cash_receipts_due",
        "cash_receipts",
        ["due_at"],
        postgresql_where=sa.text("status IN ('requested', 'in_progress', 'cancelling')"),
    )


def downgrade() -> None:
    op.drop_table("cash_receipts")
