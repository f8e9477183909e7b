"""What staff write down beside a customer, a payment or a subscription."""

import sqlalchemy as sa
from alembic import op

from migrations import guards

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "staff_notes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("written_by", sa.Text(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "subject_type IN ('customer', 'payment', 'subscription')",
            name=op.f("staff_notes_subject_known"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("staff_notes_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_notes_pkey")),
        sa.UniqueConstraint("request_id", name=op.f("staff_notes_request_id_key")),
    )
    op.create_index("staff_notes_customer", "staff_notes", ["customer_id", "id"])
    op.create_index("staff_notes_subject", "staff_notes", ["subject_type", "subject_id", "id"])
    guards.append_only("staff_notes")


def downgrade() -> None:
    op.drop_table("staff_notes")
