"""Due in order: what falls due at one moment is taken by number, out of the index as it lies."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_TABLES = (
    "attempts",
    "refunds",
    "gateway_events",
    "payment_methods",
    "notices",
    "shop_deliveries",
    "cash_receipts",
    "bulk_jobs",
    "exports",
)
_INDEXES = {
    **{f"{table}_due": "due_at" for table in _TABLES},
    "subscriptions_due": "next_due_at",
    "subscriptions_unannounced": "next_due_at",
}
_DEFINITION = sa.text("SELECT pg_get_indexdef(CAST(:name AS regclass))")


def upgrade() -> None:
    for name, column in _INDEXES.items():
        _build_anew(name, f"({column})", f"({column}, id)")


def downgrade() -> None:
    for name, column in _INDEXES.items():
        _build_anew(name, f"({column}, id)", f"({column})")


def _build_anew(name: str, before: str, after: str) -> None:
    definition = op.get_bind().execute(_DEFINITION, {"name": name}).scalar_one()
    op.execute(f"DROP INDEX {name}")
    op.execute(definition.replace(before, after, 1))
