"""Every way money comes in: who was asked and how, deposits, and what a person decided."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import guards

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ATTEMPT_OPEN = "status IN ('at_window', 'ready', 'inflight', 'waiting', 'unknown')"


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column(
            "seen", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("decisions_pkey")),
        sa.UniqueConstraint("request_id", name=op.f("decisions_request_id_key")),
    )
    op.create_index("decisions_of", "decisions", ["subject_type", "subject_id"], unique=False)
    op.create_table(
        "deposits",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("deposit_key", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("depositor", sa.Text(), nullable=True),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("deposits_amount_known")),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name=op.f("deposits_attempt_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("deposits_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("deposits_pkey")),
        sa.UniqueConstraint(
            "gateway_name", "deposit_key", name=op.f("deposits_gateway_name_deposit_key_key")
        ),
    )
    op.create_index("deposits_attempt", "deposits", ["attempt_id"], unique=False)
    op.create_index("deposits_listed", "deposits", ["seen_at", "id"], unique=False)
    op.create_table(
        "unmatched_money",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("deposit_id", sa.BigInteger(), nullable=True),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("gateway_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IN ('short', 'over', 'late', 'after_cancel', 'late_approval')",
            name=op.f("unmatched_money_reason_known"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'returning', 'returned', 'accepted')",
            name=op.f("unmatched_money_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("unmatched_money_amount_positive")),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name=op.f("unmatched_money_attempt_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("unmatched_money_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["deposit_id"], ["deposits.id"], name=op.f("unmatched_money_deposit_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("unmatched_money_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("unmatched_money_pkey")),
        sa.UniqueConstraint("deposit_id", name=op.f("unmatched_money_deposit_id_key")),
        sa.UniqueConstraint("ref", name=op.f("unmatched_money_ref_key")),
    )
    op.create_index(
        "one_late_approval_per_attempt",
        "unmatched_money",
        ["attempt_id"],
        unique=True,
        postgresql_where=sa.text("deposit_id IS NULL"),
    )
    op.create_index("unmatched_money_attempt", "unmatched_money", ["attempt_id"], unique=False)
    op.create_index(
        "unmatched_money_listed", "unmatched_money", ["status", "opened_at", "id"], unique=False
    )
    op.add_column("attempts", sa.Column("gateway_name", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("method_kind", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("flow", sa.Text(), nullable=True))
    op.add_column(
        "attempts",
        sa.Column(
            "paid_with", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
    )
    op.add_column("attempts", sa.Column("close_because", sa.Text(), nullable=True))
    op.alter_column("attempts", "payment_method_id", existing_type=sa.BIGINT(), nullable=True)
    op.add_column("gateway_events", sa.Column("status", sa.Text(), nullable=True))
    op.add_column("gateway_events", sa.Column("is_signed", sa.Boolean(), nullable=True))
    op.add_column(
        "gateway_events", sa.Column("finding", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "gateway_events", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "gateway_events", sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "gateway_events", sa.Column("turns", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "gateway_events", sa.Column("misses", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "gateway_events",
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
    )
    op.add_column(
        "gateway_events", sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "gateway_events", sa.Column("hinted_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "gateway_events_due",
        "gateway_events",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('stored', 'reading')"),
    )
    op.create_index("gateway_events_listed", "gateway_events", ["received_at", "id"], unique=False)
    op.add_column("refunds", sa.Column("attempt_id", sa.BigInteger(), nullable=True))
    op.add_column("refunds", sa.Column("gateway_name", sa.Text(), nullable=True))
    op.add_column("refunds", sa.Column("unmatched_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "refunds",
        sa.Column(
            "account", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
    )
    op.add_column("refunds", sa.Column("account_sealed", sa.LargeBinary(), nullable=True))
    _fill()
    op.drop_index(
        op.f("one_open_refund_per_payment"),
        table_name="refunds",
        postgresql_where="(status <> ALL (ARRAY['succeeded'::text, 'refused'::text]))",
    )
    op.create_index(
        "one_open_refund_per_attempt",
        "refunds",
        ["attempt_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('succeeded', 'refused')"),
    )
    op.create_foreign_key(
        op.f("refunds_unmatched_id_fkey"), "refunds", "unmatched_money", ["unmatched_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("refunds_attempt_id_fkey"), "refunds", "attempts", ["attempt_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("attempts_flow_known"), "attempts", "flow IN ('billing', 'account', 'window')"
    )
    op.create_check_constraint(
        op.f("attempts_billing_has_method"),
        "attempts",
        "flow <> 'billing' OR payment_method_id IS NOT NULL",
    )
    op.drop_constraint(op.f("attempts_status_known"), "attempts")
    op.create_check_constraint(
        op.f("attempts_status_known"),
        "attempts",
        "status IN ('at_window', 'ready', 'inflight', 'waiting', 'unknown', 'succeeded', "
        "'declined', 'withdrawn', 'needs_human')",
    )
    op.drop_index("attempts_due", table_name="attempts")
    op.create_index("attempts_due", "attempts", ["due_at"], postgresql_where=sa.text(_ATTEMPT_OPEN))
    op.drop_constraint(op.f("refunds_status_known"), "refunds")
    op.create_check_constraint(
        op.f("refunds_status_known"),
        "refunds",
        "status IN ('awaiting_account', 'requested', 'inflight', 'unknown', 'succeeded', "
        "'refused', 'needs_human')",
    )
    op.create_check_constraint(
        op.f("gateway_events_status_known"),
        "gateway_events",
        "status IN ('stored', 'reading', 'applied', 'ignored', 'needs_human')",
    )
    for table in ("deposits", "decisions"):
        guards.append_only(table)


def _fill() -> None:
    """What stands in the tables was asked of the payment's own gateway, by the method's kind."""
    op.execute(
        "UPDATE attempts a SET gateway_name = p.gateway_name, method_kind = m.kind, "
        "flow = CASE m.kind WHEN 'virtual_account' THEN 'account' ELSE 'billing' END "
        "FROM payments p, payment_methods m "
        "WHERE p.id = a.payment_id AND m.id = a.payment_method_id"
    )
    op.execute("UPDATE gateway_events SET status = 'applied', is_signed = false")
    # Their attempts were asked about when they came; the log has to know their state too.
    op.execute(
        "INSERT INTO audit_entries (actor, action, subject_type, subject_id, to_state, because) "
        "SELECT 'migration:0002', 'gateway_event.applied', 'gateway_event', id, 'applied', "
        "'received before events had a state' FROM gateway_events"
    )
    op.execute(
        "UPDATE refunds r SET gateway_name = p.gateway_name, attempt_id = "
        "(SELECT max(a.id) FROM attempts a WHERE a.payment_id = p.id AND a.status = 'succeeded') "
        "FROM payments p WHERE p.id = r.payment_id"
    )
    op.execute(
        "INSERT INTO deposits (gateway_name, deposit_key, attempt_id, payment_id, amount_minor, "
        "currency, seen_at) SELECT a.gateway_name, 'before-0002:' || a.gateway_key, a.id, p.id, "
        "p.captured_minor, p.currency, coalesce(p.paid_at, a.created_at) "
        "FROM attempts a JOIN payments p ON p.id = a.payment_id "
        "WHERE a.flow = 'account' AND a.status = 'succeeded' AND p.captured_minor > 0"
    )
    for table, column in (
        ("attempts", "gateway_name"),
        ("attempts", "method_kind"),
        ("attempts", "flow"),
        ("gateway_events", "status"),
        ("gateway_events", "is_signed"),
        ("refunds", "gateway_name"),
        ("refunds", "attempt_id"),
    ):
        op.alter_column(table, column, nullable=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup taken before: deposits cannot be taken back")
