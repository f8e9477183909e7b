"""Points: accounts, lots, entries, reservations and adjustments."""

import sqlalchemy as sa
from alembic import op

from migrations import guards

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "point_accounts",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("available", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reserved", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("point_accounts_available_not_negative")),
        sa.CheckConstraint("reserved >= 0", name=op.f("point_accounts_reserved_not_negative")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("point_accounts_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("point_accounts_pkey")),
    )
    op.create_table(
        "point_adjustments",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_because", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(status = 'requested') = (decided_by IS NULL)",
            name=op.f("point_adjustments_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "status = 'withdrawn' OR decided_by <> requested_by",
            name=op.f("point_adjustments_two_people"),
        ),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'refused', 'withdrawn')",
            name=op.f("point_adjustments_status_known"),
        ),
        sa.CheckConstraint("points <> 0", name=op.f("point_adjustments_points_not_zero")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("point_adjustments_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("point_adjustments_pkey")),
        sa.UniqueConstraint("ref", name=op.f("point_adjustments_ref_key")),
        sa.UniqueConstraint("request_id", name=op.f("point_adjustments_request_id_key")),
    )
    op.create_index(
        "point_adjustments_customer", "point_adjustments", ["customer_id", "id"], unique=False
    )
    op.create_index("point_adjustments_status", "point_adjustments", ["status", "id"], unique=False)
    op.create_table(
        "point_entries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("reserved_change", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("available_after", sa.BigInteger(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("ops_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "kind IN ('earned', 'reserved', 'posted', 'voided', 'restored', 'expired', 'adjusted')",
            name=op.f("point_entries_kind_known"),
        ),
        sa.CheckConstraint(
            "available_after >= 0", name=op.f("point_entries_available_not_negative")
        ),
        sa.CheckConstraint(
            "change <> 0 OR reserved_change <> 0", name=op.f("point_entries_moves_something")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["point_accounts.customer_id"],
            name=op.f("point_entries_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("point_entries_pkey")),
        sa.UniqueConstraint("request_id", name=op.f("point_entries_request_id_key")),
    )
    op.create_index("point_entries_customer", "point_entries", ["customer_id", "id"], unique=False)
    op.create_index(
        "point_entries_subject", "point_entries", ["subject_type", "subject_id"], unique=False
    )
    op.create_table(
        "point_lots",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column(
            "granted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("granted > 0", name=op.f("point_lots_granted_positive")),
        sa.CheckConstraint(
            "remaining BETWEEN 0 AND granted", name=op.f("point_lots_remaining_within")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["point_accounts.customer_id"],
            name=op.f("point_lots_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("point_lots_pkey")),
        sa.UniqueConstraint("request_id", name=op.f("point_lots_request_id_key")),
    )
    op.create_index(
        "point_lots_expiring",
        "point_lots",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index(
        "point_lots_spendable",
        "point_lots",
        ["customer_id", "expires_at", "id"],
        unique=False,
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_table(
        "point_reservations",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("restored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "restored = 0 OR status = 'posted'", name=op.f("point_reservations_restored_was_posted")
        ),
        sa.CheckConstraint(
            "status IN ('reserved', 'posted', 'voided')",
            name=op.f("point_reservations_status_known"),
        ),
        sa.CheckConstraint("points > 0", name=op.f("point_reservations_points_positive")),
        sa.CheckConstraint(
            "restored BETWEEN 0 AND points", name=op.f("point_reservations_restored_within")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["point_accounts.customer_id"],
            name=op.f("point_reservations_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("point_reservations_pkey")),
        sa.UniqueConstraint("ref", name=op.f("point_reservations_ref_key")),
    )
    op.create_index(
        "one_living_reservation_per_subject",
        "point_reservations",
        ["subject_type", "subject_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'voided'"),
    )
    op.create_index(
        "point_reservations_customer", "point_reservations", ["customer_id", "id"], unique=False
    )
    op.create_index(
        "point_reservations_open",
        "point_reservations",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status = 'reserved'"),
    )
    op.create_table(
        "point_reservation_lots",
        sa.Column("reservation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("restored", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("point_reservation_lots_points_positive")),
        sa.CheckConstraint(
            "restored BETWEEN 0 AND points", name=op.f("point_reservation_lots_restored_within")
        ),
        sa.ForeignKeyConstraint(
            ["lot_id"], ["point_lots.id"], name=op.f("point_reservation_lots_lot_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["point_reservations.id"],
            name=op.f("point_reservation_lots_reservation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "reservation_id", "lot_id", name=op.f("point_reservation_lots_pkey")
        ),
    )
    guards.append_only("point_entries")


def downgrade() -> None:
    for table in (
        "point_adjustments",
        "point_reservation_lots",
        "point_reservations",
        "point_entries",
        "point_lots",
        "point_accounts",
    ):
        op.drop_table(table)
