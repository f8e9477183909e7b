"""Bulk jobs: one act on many subjects, with a result for each."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulk_jobs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("filter_text", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
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
            "status IN ('queued', 'running', 'done', 'cancelled')",
            name=op.f("bulk_jobs_status_known"),
        ),
        sa.CheckConstraint("total > 0", name=op.f("bulk_jobs_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("bulk_jobs_pkey")),
        sa.UniqueConstraint("ref", name=op.f("bulk_jobs_ref_key")),
        sa.UniqueConstraint("request_id", name=op.f("bulk_jobs_request_id_key")),
    )
    op.create_index(
        "bulk_jobs_due",
        "bulk_jobs",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_table(
        "bulk_rows",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "status IN ('waiting', 'done', 'refused', 'cancelled')",
            name=op.f("bulk_rows_status_known"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["bulk_jobs.id"], name=op.f("bulk_rows_job_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("bulk_rows_pkey")),
        sa.UniqueConstraint("job_id", "subject_id", name=op.f("bulk_rows_job_id_subject_id_key")),
    )
    op.create_index("bulk_rows_of_job", "bulk_rows", ["job_id", "status", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("bulk_rows")
    op.drop_table("bulk_jobs")
