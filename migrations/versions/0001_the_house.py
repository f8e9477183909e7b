"""The house: the tables of every room at its first depth."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import guards
from opsapp.kernel.log import Xid8

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    guards.create_functions()
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("ops_now()"), nullable=False
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_entries_pkey")),
    )
    op.create_index("audit_entries_actor", "audit_entries", ["actor", "id"], unique=False)
    op.create_index(
        "audit_entries_of", "audit_entries", ["subject_type", "subject_id", "id"], unique=False
    )
    op.create_index("audit_entries_xid", "audit_entries", ["xid"], unique=False)
    op.create_table(
        "audit_seals",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("from_xid", Xid8(), nullable=False),
        sa.Column("to_xid", Xid8(), nullable=False),
        sa.Column("entry_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("entry_count", sa.BigInteger(), nullable=False),
        sa.Column("entry_id_max", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_seals_pkey")),
        sa.UniqueConstraint("previous", name=op.f("audit_seals_previous_key")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("customer_ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("customer_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint("locale IN ('ko', 'en')", name=op.f("customers_locale_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("customers_pkey")),
        sa.UniqueConstraint("customer_ref", name=op.f("customers_customer_ref_key")),
    )
    op.create_index("customers_email", "customers", ["email"], unique=False)
    op.create_index(
        "customers_phone_tail", "customers", [sa.literal_column("right(phone, 4)")], unique=False
    )
    op.create_table(
        "gateway_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column(
            "stored_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("repeats", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("gateway_events_pkey")),
        sa.UniqueConstraint(
            "gateway_name", "delivery_id", name=op.f("gateway_events_gateway_name_delivery_id_key")
        ),
    )
    op.create_index("gateway_events_attempt", "gateway_events", ["attempt_id"], unique=False)
    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit_account", sa.Text(), nullable=False),
        sa.Column("credit_account", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("ops_now()"), nullable=False
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ledger_transfers_amount_positive")),
        sa.CheckConstraint(
            "debit_account <> credit_account", name=op.f("ledger_transfers_accounts_differ")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("ledger_transfers_pkey")),
        sa.UniqueConstraint(
            "kind",
            "subject_type",
            "subject_id",
            name=op.f("ledger_transfers_kind_subject_type_subject_id_key"),
        ),
    )
    op.create_index(
        "ledger_transfers_credit", "ledger_transfers", ["credit_account", "at"], unique=False
    )
    op.create_index(
        "ledger_transfers_debit", "ledger_transfers", ["debit_account", "at"], unique=False
    )
    op.create_index("ledger_transfers_payment", "ledger_transfers", ["payment_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column(
            "values", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
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
            "status IN ('queued', 'sending', 'sent', 'failed', 'revoked')",
            name=op.f("notices_status_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notices_pkey")),
        sa.UniqueConstraint(
            "kind",
            "subject_type",
            "subject_id",
            "customer_id",
            name=op.f("notices_kind_subject_type_subject_id_customer_id_key"),
        ),
        sa.UniqueConstraint("ref", name=op.f("notices_ref_key")),
    )
    op.create_index("notices_customer", "notices", ["customer_id", "id"], unique=False)
    op.create_index(
        "notices_due",
        "notices",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'sending')"),
    )
    op.create_index("notices_of", "notices", ["subject_type", "subject_id"], unique=False)
    op.create_table(
        "outbox_jobs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("timeout_s", sa.BigInteger(), nullable=False),
        sa.Column(
            "arguments", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("outbox_jobs_pkey")),
    )
    op.create_index(
        "outbox_failed",
        "outbox_jobs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("error IS NOT NULL"),
    )
    op.create_index(
        "outbox_undelivered",
        "outbox_jobs",
        ["queue", "id"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("interval_count", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "interval IN ('day', 'week', 'month')", name=op.f("plans_interval_known")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("plans_amount_positive")),
        sa.CheckConstraint(
            "interval_count BETWEEN 1 AND 366", name=op.f("plans_interval_count_sane")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("plans_pkey")),
        sa.UniqueConstraint("code", name=op.f("plans_code_key")),
    )
    op.create_table(
        "scheduler_heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_leader", sa.Boolean(), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("scheduler_heartbeats_pkey")),
    )
    op.create_table(
        "sign_in_tries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("sign_in_tries_pkey")),
    )
    op.create_index("sign_in_tries_address", "sign_in_tries", ["address", "at"], unique=False)
    op.create_table(
        "staff_accounts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column("wrong_tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "role IN ('cs', 'finance', 'admin', 'auditor')", name=op.f("staff_accounts_role_known")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'disabled')", name=op.f("staff_accounts_status_known")
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("staff_accounts_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_accounts_pkey")),
        sa.UniqueConstraint("email", name=op.f("staff_accounts_email_key")),
    )
    op.create_table(
        "test_clock",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shift", sa.Interval(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("test_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("test_clock_pkey")),
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("answer_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'in_progress', 'resolved')", name=op.f("tickets_status_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("tickets_pkey")),
    )
    op.create_index(
        "one_open_ticket_per_reason",
        "tickets",
        ["subject_type", "subject_id", "reason"],
        unique=True,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_index("tickets_customer", "tickets", ["customer_id"], unique=False)
    op.create_index("tickets_opened", "tickets", ["status", "opened_at", "id"], unique=False)
    op.create_index(
        "tickets_urgent",
        "tickets",
        ["answer_due_at", "id"],
        unique=False,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "timetable_slots",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "fired_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("job", "slot", name=op.f("timetable_slots_pkey")),
    )
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("auth_key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("billing_key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("billing_key_index", sa.LargeBinary(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("first6", sa.Text(), nullable=True),
        sa.Column("last4", sa.Text(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("refused_code", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
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
            "kind IN ('card', 'transfer', 'easy_pay', 'virtual_account')",
            name=op.f("payment_methods_kind_known"),
        ),
        sa.CheckConstraint(
            "status IN ('requested', 'issuing', 'active', 'refused', 'expired', 'needs_human', 'deleted')",
            name=op.f("payment_methods_status_known"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('active', 'expired') OR kind = 'virtual_account' OR billing_key_sealed IS NOT NULL",
            name=op.f("payment_methods_active_has_key"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("payment_methods_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payment_methods_pkey")),
        sa.UniqueConstraint(
            "billing_key_index", name=op.f("payment_methods_billing_key_index_key")
        ),
        sa.UniqueConstraint("idempotency_key", name=op.f("payment_methods_idempotency_key_key")),
        sa.UniqueConstraint("ref", name=op.f("payment_methods_ref_key")),
    )
    op.create_index(
        "one_default_method_per_customer",
        "payment_methods",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("is_default AND status NOT IN ('deleted', 'refused')"),
    )
    op.create_index("payment_methods_customer", "payment_methods", ["customer_id"], unique=False)
    op.create_index(
        "payment_methods_due",
        "payment_methods",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('requested', 'issuing')"),
    )
    op.create_index("payment_methods_first6", "payment_methods", ["first6"], unique=False)
    op.create_index("payment_methods_last4", "payment_methods", ["last4"], unique=False)
    op.create_table(
        "payments",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("period_index", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refund_pending_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("method_kind", sa.Text(), nullable=False),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("approval_number", sa.Text(), nullable=True),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'awaiting_deposit', 'paid', 'failed', 'partly_refunded', 'refunded', 'cancelled')",
            name=op.f("payments_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("payments_amount_positive")),
        sa.CheckConstraint(
            "captured_minor IN (0, amount_minor)", name=op.f("payments_captured_whole")
        ),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refund_pending_minor >= 0 AND refunded_minor + refund_pending_minor <= captured_minor",
            name=op.f("payments_refunds_within_capture"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("payments_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_pkey")),
        sa.UniqueConstraint("ref", name=op.f("payments_ref_key")),
        sa.UniqueConstraint(
            "subject_type",
            "subject_id",
            "leg",
            "period_index",
            name=op.f("payments_subject_type_subject_id_leg_period_index_key"),
        ),
    )
    op.create_index("payments_approval", "payments", ["approval_number"], unique=False)
    op.create_index(
        "payments_customer", "payments", ["customer_id", "requested_at", "id"], unique=False
    )
    op.create_index("payments_listed", "payments", ["requested_at", "id"], unique=False)
    op.create_index("payments_paid", "payments", ["paid_at", "id"], unique=False)
    op.create_index("payments_status", "payments", ["status", "requested_at", "id"], unique=False)
    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["staff_accounts.id"], name=op.f("staff_sessions_account_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_sessions_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("staff_sessions_token_hash_key")),
    )
    op.create_index("staff_sessions_account", "staff_sessions", ["account_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("payment_method_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_order_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gateway_key", sa.Text(), nullable=True),
        sa.Column("approval_number", sa.Text(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("trace_id", sa.Text(), nullable=True),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column(
            "account", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("account_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("deposit_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
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
        sa.CheckConstraint(
            "status <> 'succeeded' OR gateway_key IS NOT NULL", name=op.f("attempts_proof_kept")
        ),
        sa.CheckConstraint(
            "status IN ('ready', 'inflight', 'waiting', 'unknown', 'succeeded', 'declined', 'withdrawn', 'needs_human')",
            name=op.f("attempts_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("attempts_payment_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_method_id"],
            ["payment_methods.id"],
            name=op.f("attempts_payment_method_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("attempts_pkey")),
        sa.UniqueConstraint("gateway_order_id", name=op.f("attempts_gateway_order_id_key")),
        sa.UniqueConstraint("idempotency_key", name=op.f("attempts_idempotency_key_key")),
        sa.UniqueConstraint("payment_id", "number", name=op.f("attempts_payment_id_number_key")),
    )
    op.create_index(
        "attempts_declined",
        "attempts",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("status = 'declined'"),
    )
    op.create_index(
        "attempts_due",
        "attempts",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('ready', 'inflight', 'waiting', 'unknown')"),
    )
    op.create_index("attempts_gateway_key", "attempts", ["gateway_key"], unique=False)
    op.create_index(
        "attempts_uncertain",
        "attempts",
        ["payment_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('unknown', 'needs_human')"),
    )
    op.create_index(
        "one_live_attempt_per_payment",
        "attempts",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('declined', 'withdrawn')"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "placed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("orders_amount_positive")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("orders_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("orders_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_pkey")),
        sa.UniqueConstraint("order_ref", name=op.f("orders_order_ref_key")),
        sa.UniqueConstraint("payment_id", name=op.f("orders_payment_id_key")),
    )
    op.create_index("orders_customer", "orders", ["customer_id"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("refundable_before_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gateway_key", sa.Text(), nullable=True),
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
        sa.CheckConstraint(
            "status IN ('requested', 'inflight', 'unknown', 'succeeded', 'refused', 'needs_human')",
            name=op.f("refunds_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("refunds_amount_positive")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("refunds_payment_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("refunds_pkey")),
        sa.UniqueConstraint("idempotency_key", name=op.f("refunds_idempotency_key_key")),
        sa.UniqueConstraint("ref", name=op.f("refunds_ref_key")),
        sa.UniqueConstraint("request_id", name=op.f("refunds_request_id_key")),
    )
    op.create_index(
        "one_open_refund_per_payment",
        "refunds",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('succeeded', 'refused')"),
    )
    op.create_index(
        "refunds_due",
        "refunds",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('requested', 'inflight', 'unknown')"),
    )
    op.create_index("refunds_ended", "refunds", ["ended_at"], unique=False)
    op.create_index("refunds_listed", "refunds", ["requested_at", "id"], unique=False)
    op.create_index("refunds_payment", "refunds", ["payment_id"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("import_ref", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_method_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("interval_count", sa.BigInteger(), nullable=False),
        sa.Column("anchor_on", sa.Date(), nullable=False),
        sa.Column("anchor_day", sa.BigInteger(), nullable=False),
        sa.Column("next_period_index", sa.BigInteger(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures_in_row", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("terms_version", sa.Text(), nullable=False),
        sa.Column("consented_on", sa.Date(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("cancelled_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "interval IN ('day', 'week', 'month')", name=op.f("subscriptions_interval_known")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'past_due', 'paused', 'suspended', 'cancelled')",
            name=op.f("subscriptions_status_known"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("subscriptions_amount_positive")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("subscriptions_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_method_id"],
            ["payment_methods.id"],
            name=op.f("subscriptions_payment_method_id_fkey"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("subscriptions_plan_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("subscriptions_pkey")),
        sa.UniqueConstraint("import_ref", name=op.f("subscriptions_import_ref_key")),
        sa.UniqueConstraint("ref", name=op.f("subscriptions_ref_key")),
    )
    op.create_index("subscriptions_customer", "subscriptions", ["customer_id"], unique=False)
    op.create_index(
        "subscriptions_due",
        "subscriptions",
        ["next_due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('active', 'past_due')"),
    )
    op.create_index("subscriptions_listed", "subscriptions", ["created_at", "id"], unique=False)
    op.create_index(
        "subscriptions_status", "subscriptions", ["status", "created_at", "id"], unique=False
    )
    op.create_table(
        "billing_periods",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("period_index", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("billing_periods_payment_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("billing_periods_subscription_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("billing_periods_pkey")),
        sa.UniqueConstraint("payment_id", name=op.f("billing_periods_payment_id_key")),
        sa.UniqueConstraint(
            "subscription_id",
            "period_index",
            name=op.f("billing_periods_subscription_id_period_index_key"),
        ),
    )
    guards.create_role()
    for table in ("audit_entries", "audit_seals", "ledger_transfers"):
        guards.append_only(table)


def downgrade() -> None:
    op.drop_table("billing_periods")
    op.drop_index("subscriptions_status", table_name="subscriptions")
    op.drop_index("subscriptions_listed", table_name="subscriptions")
    op.drop_index(
        "subscriptions_due",
        table_name="subscriptions",
        postgresql_where=sa.text("status IN ('active', 'past_due')"),
    )
    op.drop_index("subscriptions_customer", table_name="subscriptions")
    op.drop_table("subscriptions")
    op.drop_index("refunds_payment", table_name="refunds")
    op.drop_index("refunds_listed", table_name="refunds")
    op.drop_index("refunds_ended", table_name="refunds")
    op.drop_index(
        "refunds_due",
        table_name="refunds",
        postgresql_where=sa.text("status IN ('requested', 'inflight', 'unknown')"),
    )
    op.drop_index(
        "one_open_refund_per_payment",
        table_name="refunds",
        postgresql_where=sa.text("status NOT IN ('succeeded', 'refused')"),
    )
    op.drop_table("refunds")
    op.drop_index("orders_customer", table_name="orders")
    op.drop_table("orders")
    op.drop_index(
        "one_live_attempt_per_payment",
        table_name="attempts",
        postgresql_where=sa.text("status NOT IN ('declined', 'withdrawn')"),
    )
    op.drop_index(
        "attempts_uncertain",
        table_name="attempts",
        postgresql_where=sa.text("status IN ('unknown', 'needs_human')"),
    )
    op.drop_index("attempts_gateway_key", table_name="attempts")
    op.drop_index(
        "attempts_due",
        table_name="attempts",
        postgresql_where=sa.text("status IN ('ready', 'inflight', 'waiting', 'unknown')"),
    )
    op.drop_index(
        "attempts_declined", table_name="attempts", postgresql_where=sa.text("status = 'declined'")
    )
    op.drop_table("attempts")
    op.drop_index("staff_sessions_account", table_name="staff_sessions")
    op.drop_table("staff_sessions")
    op.drop_index("payments_status", table_name="payments")
    op.drop_index("payments_paid", table_name="payments")
    op.drop_index("payments_listed", table_name="payments")
    op.drop_index("payments_customer", table_name="payments")
    op.drop_index("payments_approval", table_name="payments")
    op.drop_table("payments")
    op.drop_index("payment_methods_last4", table_name="payment_methods")
    op.drop_index("payment_methods_first6", table_name="payment_methods")
    op.drop_index(
        "payment_methods_due",
        table_name="payment_methods",
        postgresql_where=sa.text("status IN ('requested', 'issuing')"),
    )
    op.drop_index("payment_methods_customer", table_name="payment_methods")
    op.drop_index(
        "one_default_method_per_customer",
        table_name="payment_methods",
        postgresql_where=sa.text("is_default AND status NOT IN ('deleted', 'refused')"),
    )
    op.drop_table("payment_methods")
    op.drop_table("timetable_slots")
    op.drop_index(
        "tickets_urgent", table_name="tickets", postgresql_where=sa.text("status <> 'resolved'")
    )
    op.drop_index("tickets_opened", table_name="tickets")
    op.drop_index("tickets_customer", table_name="tickets")
    op.drop_index(
        "one_open_ticket_per_reason",
        table_name="tickets",
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.drop_table("tickets")
    op.drop_table("test_clock")
    op.drop_table("staff_accounts")
    op.drop_index("sign_in_tries_address", table_name="sign_in_tries")
    op.drop_table("sign_in_tries")
    op.drop_table("scheduler_heartbeats")
    op.drop_table("plans")
    op.drop_index(
        "outbox_undelivered",
        table_name="outbox_jobs",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.drop_index(
        "outbox_failed", table_name="outbox_jobs", postgresql_where=sa.text("error IS NOT NULL")
    )
    op.drop_table("outbox_jobs")
    op.drop_index("notices_of", table_name="notices")
    op.drop_index(
        "notices_due",
        table_name="notices",
        postgresql_where=sa.text("status IN ('queued', 'sending')"),
    )
    op.drop_index("notices_customer", table_name="notices")
    op.drop_table("notices")
    op.drop_index("ledger_transfers_payment", table_name="ledger_transfers")
    op.drop_index("ledger_transfers_debit", table_name="ledger_transfers")
    op.drop_index("ledger_transfers_credit", table_name="ledger_transfers")
    op.drop_table("ledger_transfers")
    op.drop_index("gateway_events_attempt", table_name="gateway_events")
    op.drop_table("gateway_events")
    op.drop_index("customers_phone_tail", table_name="customers")
    op.drop_index("customers_email", table_name="customers")
    op.drop_table("customers")
    op.drop_table("audit_seals")
    op.drop_index("audit_entries_xid", table_name="audit_entries")
    op.drop_index("audit_entries_of", table_name="audit_entries")
    op.drop_index("audit_entries_actor", table_name="audit_entries")
    op.drop_table("audit_entries")
    guards.drop_functions()
