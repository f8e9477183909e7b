"""Fewer index entries for each charge: none for what is not known yet, none for a hint."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_PARTIAL = (
    ("payments_approval", "payments", "approval_number"),
    ("attempts_gateway_key", "attempts", "gateway_key"),
)


def upgrade() -> None:
    for name, table, column in _PARTIAL:
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON {table} ({column}) WHERE {column} IS NOT NULL")
    op.execute("ALTER TABLE attempts SET (fillfactor = 50)")


def downgrade() -> None:
    for name, table, column in _PARTIAL:
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON {table} ({column})")
    op.execute("ALTER TABLE attempts RESET (fillfactor)")
