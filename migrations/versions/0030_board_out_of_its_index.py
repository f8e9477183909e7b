"""The board and its figures are counted out of their indexes alone."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_BOARD = sa.text("status IN ('monitoring', 'scheduled', 'processing', 'exhausted')")
_CLOSED = sa.text("closed_at IS NOT NULL")
_COUNTED = ["status", "next_step", "failures", "snoozed_until", "reason", "subscription_id"]
_SUMMED = ["policy_id", "currency", "status", "recovered_minor"]


def upgrade() -> None:
    _make_again(counted=_COUNTED, summed=_SUMMED)


def downgrade() -> None:
    _make_again(counted=[], summed=[])


def _make_again(*, counted: list[str], summed: list[str]) -> None:
    for name in ("recoveries_board", "recoveries_closed"):
        op.drop_index(name, "recoveries")
    op.create_index(
        "recoveries_board",
        "recoveries",
        ["opened_at", "id"],
        postgresql_where=_BOARD,
        postgresql_include=counted,
    )
    op.create_index(
        "recoveries_closed",
        "recoveries",
        ["closed_at"],
        postgresql_where=_CLOSED,
        postgresql_include=summed,
    )
