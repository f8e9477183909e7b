"""Recovery policies and what became of each failed renewal."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATUSES = (
    "'monitoring', 'scheduled', 'processing', 'recovered', 'partly_recovered', 'exhausted', 'ended'"
)
# What was done until now, and what is told on the way: version 1.
_TERMS = {
    "notice_days": 7,
    "notice_lead_hours": 24,
    "expiring_days": [60, 30, 7],
    "quiet_from": 0,
    "quiet_until": 0,
    "steps": [
        {"wait_hours": 24, "waits": [], "at_payday": False, "notice": ""},
        {"wait_hours": 72, "waits": [], "at_payday": False, "notice": "recovery_last_warning"},
    ],
    "retries_max": 3,
    "ticket_at": 2,
    "answer_hours": 24,
    "assignee_id": None,
    "final_action": "suspend",
    "hard_reasons": [],
    "paydays": [],
    "payday_reach": 7,
    "gateway_wait_minutes": 60,
    "gateway_tries_max": 24,
    "apology_at": 1,
    "card_budget": 15,
    "closed_from": 0,
    "closed_until": 0,
}


def upgrade() -> None:
    """Recovery policies and what became of each failed renewal."""
    policies = _policies()
    _recoveries()
    op.bulk_insert(
        policies,
        [
            {
                "version": 1,
                "name": "",
                "cohort": "A",
                "share": 100,
                "status": "active",
                "terms": _TERMS,
                "because": "",
                "made_by": "cli:migrate",
                "activated_by": "cli:migrate",
            }
        ],
    )
    op.execute("UPDATE recovery_policies SET activated_at = made_at")


def _policies() -> sa.Table:
    policies = op.create_table(
        "recovery_policies",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cohort", sa.Text(), nullable=False),
        sa.Column("share", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("terms", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("activated_by", sa.Text(), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cohort IN ('A', 'B')", name=op.f("recovery_policies_cohort_known")),
        sa.CheckConstraint("share BETWEEN 1 AND 100", name=op.f("recovery_policies_share_sane")),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'retired')",
            name=op.f("recovery_policies_status_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("recovery_policies_pkey")),
        sa.UniqueConstraint("version", name=op.f("recovery_policies_version_key")),
    )
    op.create_index(
        "one_active_policy_per_cohort",
        "recovery_policies",
        ["cohort"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    return policies


def _recoveries() -> None:
    op.create_table(
        "recoveries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("gateway_tries", sa.BigInteger(), nullable=False),
        sa.Column("staff_tries", sa.BigInteger(), nullable=False),
        sa.Column("gateway_name", sa.Text(), nullable=False),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next_step", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ops_now()"),
            nullable=False,
        ),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovered_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("recoveries_amount_positive")),
        sa.CheckConstraint(
            "recovered_minor BETWEEN 0 AND amount_minor", name=op.f("recoveries_recovered_within")
        ),
        sa.CheckConstraint(
            "status <> 'scheduled' OR next_at IS NOT NULL",
            name=op.f("recoveries_planned_has_time"),
        ),
        sa.CheckConstraint(f"status IN ({_STATUSES})", name=op.f("recoveries_status_known")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("recoveries_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("recoveries_payment_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["recovery_policies.id"], name=op.f("recoveries_policy_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("recoveries_pkey")),
        sa.UniqueConstraint("payment_id", name=op.f("recoveries_payment_id_key")),
    )
    op.create_index("recoveries_subscription", "recoveries", ["subscription_id"])
    op.create_index(
        "recoveries_board",
        "recoveries",
        ["opened_at", "id"],
        postgresql_where=sa.text(
            "status IN ('monitoring', 'scheduled', 'processing', 'exhausted')"
        ),
    )
    op.create_index(
        "recoveries_due",
        "recoveries",
        ["next_at"],
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index(
        "recoveries_closed",
        "recoveries",
        ["closed_at"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
