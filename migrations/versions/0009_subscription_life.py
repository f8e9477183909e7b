"""Subscription life: blocks, changes, advance notices, billing runs, catalog versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATUSES = (
    "'trialing', 'active', 'past_due', 'paused', 'suspended', 'cancelling', 'cancelled', 'expired'"
)
_DUE = "status IN ('trialing', 'active', 'past_due') AND NOT is_billing_blocked"


def upgrade() -> None:
    _tables()
    op.drop_constraint(op.f("subscriptions_status_known"), "subscriptions", type_="check")
    op.create_check_constraint(
        op.f("subscriptions_status_known"), "subscriptions", f"status IN ({_STATUSES})"
    )
    op.create_check_constraint(
        op.f("subscriptions_quantity_positive"), "subscriptions", "quantity > 0"
    )
    op.drop_index("subscriptions_due", table_name="subscriptions")
    op.create_index(
        "subscriptions_due", "subscriptions", ["next_due_at"], postgresql_where=sa.text(_DUE)
    )
    op.create_index(
        "subscriptions_unannounced",
        "subscriptions",
        ["next_due_at"],
        postgresql_where=sa.text(f"{_DUE} AND NOT is_announced"),
    )
    _block_what_stands_still()
    _refuse_stopped_charges()


def _refuse_stopped_charges() -> None:
    """The last word on "I cancelled, why was I charged?": the claim that would send it fails.

    Once per statement, and only over rows that leave for the first time. Looked up by keys however
    old the statistics are, since workers keep their plans for days.
    """
    op.execute(
        """
        CREATE FUNCTION refuse_stopped_charges() RETURNS trigger LANGUAGE plpgsql
        SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
        DECLARE
          leaving bigint[];
          stopped bigint;
        BEGIN
          IF TG_OP = 'INSERT' THEN
            SELECT array_agg(payment_id) INTO leaving FROM rows_now
            WHERE first_sent_at IS NOT NULL;
          ELSIF EXISTS (SELECT FROM rows_before WHERE first_sent_at IS NULL) THEN
            SELECT array_agg(payment_id) INTO leaving FROM (
              SELECT id, payment_id FROM rows_before WHERE first_sent_at IS NULL
              INTERSECT
              SELECT id, payment_id FROM rows_now WHERE first_sent_at IS NOT NULL) AS sent;
          END IF;
          IF leaving IS NULL THEN
            RETURN NULL;
          END IF;
          SELECT s.id INTO stopped
          FROM payments p
          LEFT JOIN subscription_changes c
            ON c.id = p.subject_id AND p.subject_type = 'subscription_change'
          JOIN subscriptions s ON s.id = coalesce(c.subscription_id, p.subject_id)
          WHERE p.id = ANY (leaving)
            AND p.subject_type IN ('subscription', 'subscription_change')
            AND (s.status IN ('cancelled', 'expired')
              OR (s.is_billing_blocked AND EXISTS (
                SELECT FROM subscription_blocks b
                WHERE b.subscription_id = s.id AND b.lifted_at IS NULL
                  AND b.blocks_billing AND NOT b.keeps_retries)))
          LIMIT 1;
          IF FOUND THEN
            RAISE EXCEPTION 'subscription %: must not be charged any more', stopped
              USING ERRCODE = 'check_violation', CONSTRAINT = 'no_charge_after_the_end',
                TABLE = 'attempts';
          END IF;
          RETURN NULL;
        END$$
        """
    )
    for event, tables in (
        ("INSERT", "NEW TABLE AS rows_now"),
        ("UPDATE", "OLD TABLE AS rows_before NEW TABLE AS rows_now"),
    ):
        op.execute(
            f"CREATE TRIGGER no_charge_after_the_end_{event.lower()} AFTER {event} ON attempts "
            f"REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION refuse_stopped_charges()"
        )


def _block_what_stands_still() -> None:
    """Until now a status alone said it."""
    op.execute(
        """
        INSERT INTO subscription_blocks (subscription_id, cause, blocks_change, blocks_service,
          blocks_billing, because, placed_by)
        SELECT id, CASE status WHEN 'paused' THEN 'pause' ELSE 'suspension' END, false, true, true,
          status, 'migration:0009'
        FROM subscriptions WHERE status IN ('paused', 'suspended')
        """
    )
    op.execute(
        "UPDATE subscriptions SET is_billing_blocked = true WHERE status IN ('paused', 'suspended')"
    )


def _tables() -> None:
    op.create_table(
        "billing_runs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("run_on", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "status IN ('running', 'paused', 'done')", name=op.f("billing_runs_status_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("billing_runs_pkey")),
        sa.UniqueConstraint("run_on", name=op.f("billing_runs_run_on_key")),
    )
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("trial_days", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("term_periods", sa.BigInteger(), nullable=True),
        sa.Column(
            "applies_to_existing", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("plan_versions_amount_positive")),
        sa.CheckConstraint(
            "term_periods BETWEEN 1 AND 1200", name=op.f("plan_versions_term_periods_sane")
        ),
        sa.CheckConstraint(
            "trial_days BETWEEN 0 AND 366", name=op.f("plan_versions_trial_days_sane")
        ),
        sa.CheckConstraint("version > 0", name=op.f("plan_versions_version_positive")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("plan_versions_plan_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("plan_versions_pkey")),
        sa.UniqueConstraint(
            "plan_id", "effective_on", name=op.f("plan_versions_plan_id_effective_on_key")
        ),
        sa.UniqueConstraint("plan_id", "version", name=op.f("plan_versions_plan_id_version_key")),
    )
    op.create_table(
        "advance_notices",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("period_index", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_method_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_method_id"],
            ["payment_methods.id"],
            name=op.f("advance_notices_payment_method_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("advance_notices_subscription_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("advance_notices_pkey")),
        sa.UniqueConstraint(
            "subscription_id",
            "period_index",
            "amount_minor",
            "due_at",
            name="advance_notices_told_once",
        ),
    )
    op.create_index(
        "advance_notices_late",
        "advance_notices",
        ["made_at"],
        unique=False,
        postgresql_where=sa.text("is_late"),
    )
    op.create_table(
        "subscription_blocks",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("blocks_change", sa.Boolean(), nullable=False),
        sa.Column("blocks_service", sa.Boolean(), nullable=False),
        sa.Column("blocks_billing", sa.Boolean(), nullable=False),
        sa.Column("keeps_retries", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column(
            "placed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cause IN ('pause', 'suspension', 'hold')", name=op.f("subscription_blocks_cause_known")
        ),
        sa.CheckConstraint(
            "blocks_change OR blocks_service OR blocks_billing",
            name=op.f("subscription_blocks_blocks_something"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("subscription_blocks_subscription_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("subscription_blocks_pkey")),
    )
    op.create_index(
        "one_open_block_per_cause",
        "subscription_blocks",
        ["subscription_id", "cause"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_index(
        "subscription_blocks_until",
        "subscription_blocks",
        ["until"],
        unique=False,
        postgresql_where=sa.text("lifted_at IS NULL AND until IS NOT NULL"),
    )
    op.create_table(
        "subscription_changes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("from_plan_id", sa.BigInteger(), nullable=False),
        sa.Column("to_plan_id", sa.BigInteger(), nullable=False),
        sa.Column("to_plan_version", sa.BigInteger(), nullable=False),
        sa.Column("from_quantity", sa.BigInteger(), nullable=False),
        sa.Column("to_quantity", sa.BigInteger(), nullable=False),
        sa.Column("from_amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("to_amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("from_anchor_day", sa.BigInteger(), nullable=False),
        sa.Column("to_anchor_day", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("proration_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("needs_consent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('plan', 'quantity', 'billing_day', 'price')",
            name=op.f("subscription_changes_kind_known"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'awaiting_payment', 'applied', 'withdrawn')",
            name=op.f("subscription_changes_status_known"),
        ),
        sa.CheckConstraint(
            "to_amount_minor > 0", name=op.f("subscription_changes_amount_positive")
        ),
        sa.CheckConstraint("to_quantity > 0", name=op.f("subscription_changes_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["from_plan_id"], ["plans.id"], name=op.f("subscription_changes_from_plan_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("subscription_changes_payment_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("subscription_changes_subscription_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["to_plan_id"], ["plans.id"], name=op.f("subscription_changes_to_plan_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("subscription_changes_pkey")),
        sa.UniqueConstraint("payment_id", name=op.f("subscription_changes_payment_id_key")),
    )
    op.create_index(
        "one_open_change_per_subscription",
        "subscription_changes",
        ["subscription_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('planned', 'awaiting_payment')"),
    )
    op.create_index(
        "subscription_changes_of", "subscription_changes", ["subscription_id", "id"], unique=False
    )
    op.create_index(
        "subscription_changes_untold",
        "subscription_changes",
        ["effective_on", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'planned' AND kind = 'price' AND told_at IS NULL"),
    )
    op.add_column("billing_periods", sa.Column("run_id", sa.BigInteger(), nullable=True))
    op.create_index("billing_periods_of_run", "billing_periods", ["run_id"], unique=False)
    op.create_foreign_key(
        op.f("billing_periods_run_id_fkey"), "billing_periods", "billing_runs", ["run_id"], ["id"]
    )
    op.add_column(
        "subscriptions",
        sa.Column("plan_version", sa.BigInteger(), server_default="1", nullable=False),
    )
    op.add_column(
        "subscriptions", sa.Column("quantity", sa.BigInteger(), server_default="1", nullable=False)
    )
    op.add_column("subscriptions", sa.Column("trial_ends_on", sa.Date(), nullable=True))
    op.add_column("subscriptions", sa.Column("ends_on", sa.Date(), nullable=True))
    op.add_column("subscriptions", sa.Column("term_periods", sa.BigInteger(), nullable=True))
    op.add_column("subscriptions", sa.Column("cancel_asked_on", sa.Date(), nullable=True))
    op.add_column(
        "subscriptions",
        sa.Column(
            "is_billing_blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column(
        "subscriptions",
        sa.Column("is_announced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "subscriptions",
        sa.Column("is_behind", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("subscriptions", sa.Column("catch_up_to", sa.BigInteger(), nullable=True))
    op.create_index(
        "payment_methods_ending",
        "payment_methods",
        ["expires_on"],
        postgresql_where=sa.text("status IN ('active', 'expired')"),
    )
    op.create_index(
        "subscriptions_behind", "subscriptions", ["id"], postgresql_where=sa.text("is_behind")
    )
    op.create_index(
        "subscriptions_ending",
        "subscriptions",
        ["ends_on"],
        unique=False,
        postgresql_where=sa.text("ends_on IS NOT NULL AND status NOT IN ('cancelled', 'expired')"),
    )
