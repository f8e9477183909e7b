"""A second person decides, and what is ordered by hand can be undone for a while."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import guards

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_REFUND_STATUSES = (
    "'awaiting_account', 'requested', 'inflight', 'unknown', 'succeeded', 'refused', 'needs_human'"
)
_JOB_STATUSES = "'queued', 'running', 'done', 'cancelled'"
_GOING = "'requested', 'inflight', 'unknown'"


def upgrade() -> None:
    _add_tables()
    _limit_refunds(
        f"'awaiting_approval', 'held', {_REFUND_STATUSES}, 'withdrawn'",
        ended="'succeeded', 'refused', 'withdrawn'",
        open_=f"'held', {_GOING}",
    )
    _limit_jobs(f"'awaiting_approval', {_JOB_STATUSES}")
    op.add_column(
        "order_refunds",
        sa.Column("points_follow", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "bulk_jobs",
        sa.Column("subject_type", sa.Text(), server_default="subscription", nullable=False),
    )
    op.add_column(
        "bulk_jobs",
        sa.Column("sums", postgresql.JSONB(), server_default="{}", nullable=False),
    )
    op.create_check_constraint(
        op.f("bulk_jobs_subject_known"),
        "bulk_jobs",
        "subject_type IN ('subscription', 'payment')",
    )
    op.add_column("bulk_rows", sa.Column("amount_minor", sa.BigInteger(), nullable=True))


def _add_tables() -> None:
    op.create_table(
        "money_policies",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        _moment("made_at"),
        sa.PrimaryKeyConstraint("version", name=op.f("money_policies_pkey")),
    )
    guards.append_only("money_policies")
    op.create_table(
        "approvals",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sums", postgresql.JSONB(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        _moment("requested_at"),
        sa.Column("answer_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("is_bypass", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'returned', 'withdrawn', 'expired')",
            name=op.f("approvals_status_known"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('approved', 'returned') OR is_bypass OR decided_by <> requested_by",
            name=op.f("approvals_two_people"),
        ),
        sa.CheckConstraint(
            "NOT is_bypass OR status = 'approved'", name=op.f("approvals_bypass_approves")
        ),
        sa.CheckConstraint(
            "(status = 'requested') = (decided_by IS NULL)",
            name=op.f("approvals_decided_by_somebody"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("approvals_pkey")),
    )
    op.create_index("approvals_subject", "approvals", ["subject_type", "subject_id"])
    waiting = sa.text("status = 'requested'")
    op.create_index(
        "one_open_approval_per_subject",
        "approvals",
        ["subject_type", "subject_id"],
        unique=True,
        postgresql_where=waiting,
    )
    op.create_index("approvals_waiting", "approvals", ["expires_at"], postgresql_where=waiting)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("ops_now()"), nullable=False
    )


def _limit_refunds(statuses: str, *, ended: str, open_: str) -> None:
    op.drop_constraint(op.f("refunds_status_known"), "refunds")
    op.create_check_constraint(op.f("refunds_status_known"), "refunds", f"status IN ({statuses})")
    op.drop_index("one_open_refund_per_attempt", table_name="refunds")
    op.create_index(
        "one_open_refund_per_attempt",
        "refunds",
        ["attempt_id"],
        unique=True,
        postgresql_where=sa.text(f"status NOT IN ({ended})"),
    )
    op.drop_index("refunds_due", table_name="refunds")
    op.create_index(
        "refunds_due", "refunds", ["due_at"], postgresql_where=sa.text(f"status IN ({open_})")
    )


def _limit_jobs(statuses: str) -> None:
    op.drop_constraint(op.f("bulk_jobs_status_known"), "bulk_jobs")
    op.create_check_constraint(
        op.f("bulk_jobs_status_known"), "bulk_jobs", f"status IN ({statuses})"
    )


def downgrade() -> None:
    op.drop_column("bulk_rows", "amount_minor")
    op.drop_constraint(op.f("bulk_jobs_subject_known"), "bulk_jobs")
    op.drop_column("bulk_jobs", "sums")
    op.drop_column("bulk_jobs", "subject_type")
    op.drop_column("order_refunds", "points_follow")
    _limit_jobs(_JOB_STATUSES)
    _limit_refunds(_REFUND_STATUSES, ended="'succeeded', 'refused'", open_=_GOING)
    op.drop_table("approvals")
    op.drop_table("money_policies")
